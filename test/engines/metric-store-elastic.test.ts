import { openElasticMetricStore } from '../../adapters/metric-store-elastic.ts'
import { metricStoreContract } from '../contracts/metric-store.ts'
import { elasticOptions, removeIndices, withRealTimers } from '../support/elastic-under-test.ts'
import { describeWithElasticsearch } from '../support/engines/under-test.ts'
import { RETENTION, type MakeMetricStore } from '../support/metric-store-under-test.ts'

const RUNS = 4

describeWithElasticsearch('the Elasticsearch store of metrics', () => {
  const make: MakeMetricStore = async ({ clock, retention = RETENTION, seriesMax = 100_000 }) => {
    const options = { ...elasticOptions({ clock: withRealTimers(clock) }), retention, seriesMax }
    let store = await openElasticMetricStore(options)
    return {
      store,
      async reopen() {
        await store.close()
        store = await openElasticMetricStore(options)
        return store
      },
      async [Symbol.asyncDispose]() {
        await store.close()
        await removeIndices(options.prefix)
      },
    }
  }
  metricStoreContract('Elasticsearch', make, { runs: RUNS })
})
