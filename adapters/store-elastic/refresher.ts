import type { Clock } from '../../core/ports.ts'
import type { Elastic } from './elastic.ts'
import { ElasticFailure } from './failures.ts'

/** Makes what was written searchable, for many writers at once. */
export interface Refresher {
  /** Resolves once everything that was written to these indices before the call is searchable. */
  refreshed(indices: Iterable<string>): Promise<void>
}

/** A refresh costs Elasticsearch a segment, more when it is busy: then it gets so many times as long without one … */
const PAUSE_PER_REFRESH = 10
/** … up to this. */
const PAUSE_MS_MAX = 2_000
/** Elasticsearch takes 4,096 bytes of a request's first line. */
const PATH_CHARS_MAX = 3_000

export function createRefresher(options: {
  readonly elastic: Elastic
  readonly clock: Clock
  /** Refreshes start so far apart, or farther while Elasticsearch is busy. */
  readonly refreshMs: number
}): Refresher {
  const { elastic, clock, refreshMs } = options
  let wanted = new Set<string>()
  let startedMs = -Infinity
  /** How long the last one took. */
  let tookMs = 0
  let scheduled: Promise<void> | null = null
  let running: Promise<unknown> = Promise.resolve()

  async function next(): Promise<void> {
    const pauseMs = Math.max(refreshMs, Math.min(PAUSE_MS_MAX, tookMs * PAUSE_PER_REFRESH))
    const waitMs = startedMs + pauseMs - clock.monotonicMs()
    if (waitMs > 0) await clock.sleep(waitMs)
    await running.catch(() => undefined)
    // Whoever comes from here on may have written something that this one does not see.
    scheduled = null
    startedMs = clock.monotonicMs()
    const paths = pathsOf(wanted)
    wanted = new Set()
    const refreshing = Promise.all(paths.map(refresh))
    running = refreshing
    await refreshing
    tookMs = clock.monotonicMs() - startedMs
  }

  async function refresh(path: string): Promise<void> {
    const query = { ignore_unavailable: true }
    const { _shards: shards } = await elastic.request<RefreshAnswer>({ method: 'POST', path, query })
    if (shards.failed > 0)
      throw new ElasticFailure(503, 'shards_failed', 'not every shard could be refreshed')
  }

  return {
    async refreshed(indices) {
      let some = false
      for (const index of indices) {
        wanted.add(index)
        some = true
      }
      if (!some) return
      scheduled ??= next()
      await scheduled
    },
  }
}

interface RefreshAnswer {
  readonly _shards: { readonly failed: number }
}

function pathsOf(indices: Iterable<string>): string[] {
  const paths: string[] = []
  let names = ''
  for (const index of indices) {
    if (names.length + index.length > PATH_CHARS_MAX) {
      paths.push(`/${names}/_refresh`)
      names = ''
    }
    names += names === '' ? encodeURIComponent(index) : `,${encodeURIComponent(index)}`
  }
  return names === '' ? paths : [...paths, `/${names}/_refresh`]
}
