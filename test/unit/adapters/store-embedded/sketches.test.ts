import { expect, test, vi } from 'vitest'
import { nearestRank } from '../../../../adapters/store-counts.ts'
import type { HistogramRequest, Store } from '../../../../core/ports.ts'
import type { LogRecord } from '../../../../core/record.ts'
import { createStoreFolder } from '../../../support/embedded-store.ts'
import { seededRandom } from '../../../support/random.ts'
import { storedBatch } from '../../../support/records.ts'
import { all, never, query } from '../../../support/store-under-test.ts'

const MINUTE_MS = 60_000
/** The first and the last of its minutes are cut. */
const RANGE = { fromMs: -3.5 * MINUTE_MS, toMs: 3.5 * MINUTE_MS }
const BATCHES = 5
const SEGMENT_RECORDS = 1_000

/** Two segments with roll-ups, each with some of every minute, and what is still in memory. */
async function fill(store: Store): Promise<void> {
  const random = seededRandom(7)
  for (let seq = 1; seq <= BATCHES; seq++) {
    const records = Array.from({ length: SEGMENT_RECORDS / 2 }, (_, n) => ({
      timeMs: Math.floor((random() - 0.5) * 8 * MINUTE_MS),
      service: n % 3 === 0 ? 'shop' : 'mail',
      site: n % 2 === 0 ? 'eu' : 'us',
      message: n % 11 === 0 ? 'größer' : 'small',
      latencyMs: n % 5 === 0 ? null : n % 50 === 1 ? 0 : Math.round(Math.exp(random() * 9) * 10) / 10,
    }))
    await store.append(storedBatch(records, { seq }), never)
  }
  await vi.waitFor(async () => expect((await store.stats()).segments).toBe(2))
}

/** By definition: per bucket and service. */
function quantilesOf(records: readonly LogRecord[], intervalMs: number, p: number): Map<string, number> {
  const inRange = records.filter(({ timeMs }) => timeMs >= RANGE.fromMs && timeMs < RANGE.toMs)
  const groups = Map.groupBy(
    inRange.filter(({ latencyMs }) => latencyMs !== null),
    ({ timeMs, service }) => `${Math.floor(timeMs / intervalMs) * intervalMs} ${service}`,
  )
  return new Map(
    [...groups].map(([key, group]) => {
      const values = group.map(({ latencyMs }) => latencyMs ?? NaN).toSorted((left, right) => left - right)
      return [key, values[nearestRank(p, values.length) - 1] ?? NaN]
    }),
  )
}

async function asked(store: Store, request: HistogramRequest): Promise<Map<string, number>> {
  const { buckets } = await store.histogram(request, never)
  return new Map(
    buckets.flatMap(({ startMs, quantiles }) =>
      Object.entries(quantiles ?? {}).map(([service, value]): [string, number] => [
        `${startMs} ${service}`,
        value,
      ]),
    ),
  )
}

test.each([
  { name: 'exact', exactQuantileRecordsMax: undefined, error: 0 },
  { name: 'sketched', exactQuantileRecordsMax: 100, error: 0.010_001 },
])('quantiles of segments, cut minutes and memory together are $name', async (given) => {
  const { exactQuantileRecordsMax, error } = given
  await using folder = await createStoreFolder({ segmentRecords: SEGMENT_RECORDS, exactQuantileRecordsMax })
  const store = await folder.open()
  await fill(store)
  let inexact = 0
  for (const text of ['', 'site:eu', 'NOT service:shop']) {
    const plan = query(text)
    const records = await all(store, plan)
    for (const [intervalMs, p] of [
      [MINUTE_MS, 0.01],
      [MINUTE_MS, 0.5],
      [MINUTE_MS, 0.99],
      [3 * MINUTE_MS, 0.9],
      [5 * MINUTE_MS, 1],
    ] as const) {
      const quantile = { of: 'latency_ms', p } as const
      const found = await asked(store, { plan, range: RANGE, intervalMs, by: 'service', quantile })
      const exact = quantilesOf(records, intervalMs, p)
      expect([...found.keys()].toSorted()).toEqual([...exact.keys()].toSorted())
      for (const [key, value] of exact) {
        const off = Math.abs((found.get(key) ?? NaN) - value)
        expect(off, key).toBeLessThanOrEqual(value * error)
        if (off > 0) inexact += 1
      }
    }
  }
  expect(inexact > 0).toBe(error > 0)
})

test('counts and quantiles of words come from one look at the records', async () => {
  await using folder = await createStoreFolder({ segmentRecords: SEGMENT_RECORDS })
  const store = await folder.open()
  await fill(store)
  for (const text of ['größer', 'small', 'small OR service:shop']) {
    const plan = query(text)
    const records = await all(store, plan)
    const request = { plan, range: RANGE, intervalMs: MINUTE_MS, by: 'service' } as const
    const quantile = { of: 'latency_ms', p: 0.5 } as const
    const { buckets } = await store.histogram({ ...request, quantile }, never)
    expect(buckets.map(({ quantiles: _quantiles, ...counted }) => counted)).toEqual(
      (await store.histogram(request, never)).buckets,
    )
    expect(await asked(store, { ...request, quantile })).toEqual(quantilesOf(records, MINUTE_MS, 0.5))
  }
})

test('counts by minute of segments, cut minutes and memory together are right', async () => {
  await using folder = await createStoreFolder({ segmentRecords: SEGMENT_RECORDS })
  const store = await folder.open()
  await fill(store)
  for (const [text, by] of [
    ['', 'service'],
    ['', undefined],
    ['NOT service:shop', 'service'],
    ['level:*', 'service'],
    ['service:sh*', undefined],
    ['site:eu', 'service'],
  ] as const) {
    const plan = query(text)
    const inRange = (await all(store, plan)).filter(
      ({ timeMs }) => timeMs >= RANGE.fromMs && timeMs < RANGE.toMs,
    )
    const { buckets } = await store.histogram({ plan, range: RANGE, intervalMs: 2 * MINUTE_MS, by }, never)
    const found = buckets.flatMap(({ startMs, total, by: counts }) =>
      by === undefined
        ? [[`${startMs} `, total]]
        : Object.entries(counts).map(([value, count]) => [`${startMs} ${value}`, count]),
    )
    const expected = Map.groupBy(
      inRange,
      (record) =>
        `${Math.floor(record.timeMs / (2 * MINUTE_MS)) * 2 * MINUTE_MS} ${by === undefined ? '' : record[by]}`,
    )
    expect(new Map(found as [string, number][]), text).toEqual(
      new Map([...expected].map(([key, records]) => [key, records.length])),
    )
  }
})
