import { useQuery } from '@tanstack/react-query'
import { search } from '../api.ts'

/** Whether there is no line at all, of any time. Asked only while `wondering`; false while it is not known. */
export function useStoreEmpty(wondering: boolean): boolean {
  const { data } = useQuery({
    queryKey: ['search', 'any line'],
    queryFn: ({ signal }) => search({ q: '', from: '1970-01-01T00:00:00Z', to: 'now', limit: 1 }, signal),
    enabled: wondering,
  })
  return wondering && data !== undefined && data.records.length === 0 && data.meta.complete
}
