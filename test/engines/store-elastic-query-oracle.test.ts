import { test } from 'vitest'
import { agreesWithMatcher } from '../contracts/store-oracle.ts'
import { indexedStore } from '../support/engines/indexed-store.ts'
import { describeWithElasticsearch } from '../support/engines/under-test.ts'

/** The contract asks 2,000 more, of a store with one site and one shard. */
const RUNS = 500
/** A busy machine takes a tenth of a second for a case. */
const TIMEOUT_MS = 600_000

describeWithElasticsearch('queries of store-elastic', () => {
  const runs = Number(process.env['PROPERTY_RUNS'] ?? RUNS)
  const seed = Number(process.env['PROPERTY_SEED'] ?? Math.floor(Math.random() * 2 ** 31))

  test(
    `mean what the matcher means: ${runs} random ones over two sites, two shards each`,
    () => agreesWithMatcher(() => indexedStore(['eu', 'us'], { shards: 2 }), { runs, seed }),
    Math.max(TIMEOUT_MS, runs * 300),
  )
})
