import { openEmbeddedMetricStore } from '../../../adapters/metric-store-embedded.ts'
import { metricStoreContract } from '../../contracts/metric-store.ts'
import { RETENTION } from '../../support/metric-store-under-test.ts'
import { createPowerLossFs } from '../../support/power-loss-fs.ts'
import { quietLog } from '../../support/quiet-log.ts'

/** Few enough that most tests seal, and some merge. */
const TABLE_POINTS_MAX = 25

metricStoreContract('embedded', async ({ clock, retention = RETENTION, seriesMax = 100_000 }) => {
  const fs = createPowerLossFs()
  const options = { dir: '/metrics', retention, seriesMax, clock, fs, log: quietLog }
  const open = () => openEmbeddedMetricStore({ ...options, tablePointsMax: TABLE_POINTS_MAX })
  let store = await open()
  return {
    store,
    async reopen() {
      await store.close()
      store = await open()
      return store
    },
    [Symbol.asyncDispose]: () => store.close(),
  }
})
