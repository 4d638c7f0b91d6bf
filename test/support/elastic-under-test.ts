import { openElasticStore } from '../../adapters/store-elastic.ts'
import type { ElasticOptions } from '../../adapters/store-elastic.ts'
import { systemClock } from '../../core/clock.ts'
import type { Clock } from '../../core/ports.ts'
import { KEEP_ALL } from '../../core/retention.ts'
import { elasticsearchUrl } from './engines/under-test.ts'
import { randomPrefix } from './engines/prefix.ts'
import { quietLog } from './quiet-log.ts'
import type { MakeOptions, StoreUnderTest } from './store-under-test.ts'

/** Options of a store under a prefix of its own. */
export function elasticOptions(more: Partial<ElasticOptions> = {}): ElasticOptions {
  return {
    nodes: [elasticsearchUrl],
    prefix: randomPrefix(),
    auth: null,
    ca: null,
    shards: 1,
    replicas: 0,
    refreshMs: 10,
    requestTimeoutMs: 60_000,
    retention: KEEP_ALL,
    clock: systemClock,
    log: quietLog,
    ...more,
  }
}

/** A store in the Elasticsearch of this test run; its indices are removed in the end. */
export async function makeElasticStore({
  retention = KEEP_ALL,
  clock = systemClock,
}: MakeOptions = {}): Promise<StoreUnderTest> {
  const options = elasticOptions({ retention, clock: withRealTimers(clock) })
  let store = await openElasticStore(options)
  return {
    store,
    async reopen() {
      await store.close()
      store = await openElasticStore(options)
      return store
    },
    async [Symbol.asyncDispose]() {
      await store.close()
      await removeIndices(options.prefix)
    },
  }
}

/** Elasticsearch does not wait for a clock that stands still: what waits for it must not, either. */
export function withRealTimers(clock: Clock): Clock {
  return { ...systemClock, nowMs: () => clock.nowMs() }
}

/** Everything that a store with this prefix made. */
export async function removeIndices(prefix: string): Promise<void> {
  const paths = [
    `${prefix}-*?expand_wildcards=all`,
    `_index_template/${prefix}-logs`,
    `_index_template/${prefix}-ledger`,
    `_index_template/${prefix}-metrics`,
  ]
  for (const path of paths) await fetch(`${elasticsearchUrl}/${path}`, { method: 'DELETE' })
}

/** A request to the Elasticsearch of this test run, around the store; its answer as JSON. */
export async function askElastic(method: string, path: string, body?: object): Promise<unknown> {
  const sent = body === undefined ? {} : { body: JSON.stringify(body) }
  const headers = { 'content-type': 'application/json' }
  const response = await fetch(`${elasticsearchUrl}${path}`, { method, headers, ...sent })
  return await response.json()
}
