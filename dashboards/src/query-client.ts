import { QueryClient, type Query } from '@tanstack/react-query'
import { Problem } from './api.ts'

const RETRIES_MAX = 3
const RETRY_FIRST_MS = 500
const RETRY_MAX_MS = 10_000
/** A page that asks every second asks a server that is in trouble this seldom. */
const TROUBLED_POLL_MS = 2_000

/**
 * Holds the answers of the pages. What may be better the next time is asked again, at the time the server names; a
 * refusal (4xx but 429) is final. The end of a session is not handled here: api.ts says it for every kind of call.
 */
export function createQueryClient(): QueryClient {
  return new QueryClient({
    defaultOptions: {
      queries: {
        retry: (failures, error) => failures < RETRIES_MAX && mayPass(error),
        retryDelay: (failures, error) => retryDelayMs(failures, error, Math.random()),
        staleTime: 1000,
        refetchOnWindowFocus: false,
        // Noctule often stands on this machine or in this network: no internet is no reason not to ask.
        networkMode: 'always',
      },
    },
  })
}

/** Only a refusal in the server's own words is final. */
function mayPass(error: unknown): boolean {
  return !(error instanceof Problem) || (error.retryable && (error.status < 400 || error.status >= 429))
}

/** What the server asks for, or a doubling wait: half fixed, half chance (0 to 1). */
export function retryDelayMs(failures: number, error: unknown, chance: number): number {
  const asked = error instanceof Problem ? error.retryAfterS : null
  if (asked !== null) return asked * 1000
  return Math.min(RETRY_MAX_MS, RETRY_FIRST_MS * 2 ** failures) * (0.5 + chance / 2)
}

/** Options of a query that is renewed while its page is looked at. A failure is shown at once; the next turn is the retry. */
export function renewedEvery(everyMs: number) {
  return {
    retry: false,
    refetchOnWindowFocus: 'always',
    refetchInterval: ({ state }: Pick<Query, 'state'>) => nextTurnMs(everyMs, state.error),
  } as const
}

/** When to ask again after an answer (no error) or a failure; false: a refusal is final. */
export function nextTurnMs(everyMs: number, error: unknown): number | false {
  if (error === null) return everyMs
  if (!mayPass(error)) return false
  const asked = error instanceof Problem ? (error.retryAfterS ?? 0) * 1000 : 0
  return Math.max(everyMs, TROUBLED_POLL_MS, asked)
}
