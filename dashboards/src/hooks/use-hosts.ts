import { keepPreviousData, useQuery } from '@tanstack/react-query'
import { listHosts, type ApiHost } from '../api/hosts.ts'
import { hostKey } from '../model/hosts.ts'
import { renewedEvery } from '../query-client.ts'
import { useStaleSince } from './use-stale.ts'

const HOSTS_EVERY_MS = 1_000
const FACTS_EVERY_MS = 2_000
/** The page promises to tell within seconds: a word older than that is old. */
const STALE_AFTER_MS = 4_000
/** A screen does not hold more; the address of the question must not grow without bound. */
const FACTS_OF_MAX = 80

/** Every host with its checks, renewed each second. */
export function useHosts() {
  const query = useQuery({
    queryKey: ['hosts'],
    queryFn: ({ signal }) => listHosts({ facts: false }, signal),
    // Every answer has other times in it: comparing a thousand hosts with those of a second ago only costs.
    structuralSharing: false,
    ...renewedEvery(HOSTS_EVERY_MS),
  })
  return { ...query, staleSinceMs: useStaleSince(query, STALE_AFTER_MS) }
}

/** Facts and status of these hosts only, by key: of what is looked at. */
export function useHostFacts(hosts: readonly string[]): ReadonlyMap<string, ApiHost> {
  // What a comma is in would be read as two.
  const asked = [...new Set(hosts)]
    .filter((name) => !name.includes(','))
    .toSorted()
    .slice(0, FACTS_OF_MAX)
  const { data } = useQuery({
    queryKey: ['host facts', asked],
    queryFn: async ({ signal }) => {
      const answer = await listHosts({ facts: true, hosts: asked }, signal)
      return new Map(answer.hosts.map((host) => [hostKey(host), host]))
    },
    enabled: asked.length > 0,
    placeholderData: keepPreviousData,
    ...renewedEvery(FACTS_EVERY_MS),
  })
  return data ?? NONE
}

const NONE: ReadonlyMap<string, ApiHost> = new Map()
