import { expect, test } from 'vitest'
import { createMemoryMetricStore } from '../../../adapters/metric-store-memory.ts'
import { metricStoreContract } from '../../contracts/metric-store.ts'
import { createFakeClock } from '../../support/fake-clock.ts'
import { metricBatch, metricPoint, RETENTION } from '../../support/metric-store-under-test.ts'

metricStoreContract('memory', async ({ clock, retention = RETENTION, seriesMax = 100_000 }) => {
  const store = createMemoryMetricStore({ retention, clock, seriesMax })
  return { store, [Symbol.asyncDispose]: () => store.close() }
})

test('a batch is refused while the store in memory is full', async () => {
  const clock = createFakeClock()
  const store = createMemoryMetricStore({ retention: RETENTION, clock, pointsMax: 2 })
  const never = new AbortController().signal
  await store.append(metricBatch([metricPoint({}, clock.nowMs())]), never)
  const refused = store.append(metricBatch([metricPoint({}, clock.nowMs())]), never)
  await expect(refused).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' })
})
