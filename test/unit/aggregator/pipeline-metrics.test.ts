import { describe, expect, test } from 'vitest'
import { createMemoryMetricStore } from '../../../adapters/metric-store-memory.ts'
import { createMemoryStore } from '../../../adapters/store-memory.ts'
import { createAggregator } from '../../../aggregator/aggregator.ts'
import { createPointDecoder } from '../../../aggregator/metric-points.ts'
import { ServiceError } from '../../../core/errors.ts'
import type { MetricPoint } from '../../../core/metrics/types.ts'
import { encodeMetricLine } from '../../../core/metrics/wire.ts'
import type { MetricStore, Store, StoredBatch } from '../../../core/ports.ts'
import { createListQuarantine, frameOf, noMetrics, plainEnrich } from '../../support/aggregator.ts'
import { createFakeClock } from '../../support/fake-clock.ts'
import { quietLog } from '../../support/quiet-log.ts'

const ORIGIN = { site: 'eu', sender: 'token web' }
const never = new AbortController().signal
const NOW_MS = Date.UTC(2025, 0, 1)
const DAY_MS = 86_400_000
const RETENTION = { raw: 2 * DAY_MS, minute: 14 * DAY_MS, hour: 30 * DAY_MS }

function point(fields: Partial<MetricPoint['series']> = {}): MetricPoint {
  const series = { name: 'hits', kind: 'counter' as const, tags: {}, ...fields }
  return { series, startMs: NOW_MS, stepMs: 10_000, count: 1, sum: 5, min: 5, max: 5, last: 5, sketch: null }
}

/** Stores outlive the aggregator; `fault` fails the log store's append. */
async function open() {
  const clock = createFakeClock({ nowMs: NOW_MS })
  const memory = createMemoryStore()
  const metricStore = createMemoryMetricStore({ retention: RETENTION, clock })
  const quarantine = createListQuarantine()
  const appended: StoredBatch[] = []
  const hooks: { fault: Error | undefined; metricFault: Error | undefined } = {
    fault: undefined,
    metricFault: undefined,
  }
  const store: Store = {
    ...memory,
    async append(batch, signal) {
      if (hooks.fault !== undefined) throw hooks.fault
      appended.push(batch)
      return memory.append(batch, signal)
    },
  }
  const faulty: Pick<MetricStore, 'append'> = {
    async append(batch, signal) {
      if (hooks.metricFault !== undefined) throw hooks.metricFault
      return metricStore.append(batch, signal)
    },
  }
  const surroundings = { clock, log: quietLog, metrics: noMetrics, site: 'eu', node: 'node-1', tiers: {} }
  const aggregator = createAggregator({
    ...surroundings,
    store,
    metricStore: faulty,
    quarantine,
    enrich: plainEnrich,
    settleMs: 3_000,
    silentAfterMs: 5_000,
    followMs: null,
  })
  await aggregator.start()
  const range = { fromMs: 0, toMs: NOW_MS + DAY_MS }
  return {
    hooks,
    quarantine,
    appended,
    aggregator,
    take: (frame: Uint8Array) => aggregator.intake.batch(frame, ORIGIN, never),
    tags: () => metricStore.tags({ name: 'hits', tags: [], range, limit: 10 }, never),
    total: async () => {
      const query = { name: 'hits', tags: [], range, by: [], stepMs: DAY_MS, aggregates: ['sum'] } as const
      const { lines } = await metricStore.query(query, never)
      return lines[0]?.steps[0]?.values[0] ?? 0
    },
  }
}

const frame = (points: readonly MetricPoint[], more: readonly string[] = [], fields = {}) =>
  frameOf([...points.map(encodeMetricLine), ...more], { kind: 'metrics', sources: [{ path: '' }], ...fields })

describe('a batch of metrics', () => {
  test('is stored in the metric store, and its facts in the ledger, as those of lines without records', async () => {
    const { take, total, appended, aggregator } = await open()
    expect(await take(await frame([point()]))).toBe('stored')
    expect(await total()).toBe(5)
    expect(appended).toMatchObject([{ facts: { seq: 1, kind: 'lines', records: 1 }, records: [] }])
    expect(aggregator.completeness.collectors()).toHaveLength(1)
  })

  test('sent twice is kept once', async () => {
    const { take, total } = await open()
    expect(await take(await frame([point()]))).toBe('stored')
    expect(await take(await frame([point()]))).toBe('duplicate')
    expect(await total()).toBe(5)
  })

  test('sent again after a failure between the metric store and the ledger is kept once', async () => {
    const { take, total, hooks, aggregator } = await open()
    hooks.fault = new ServiceError('STORE_UNAVAILABLE', 'not now')
    await expect(take(await frame([point()]))).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' })
    expect(aggregator.completeness.collectors()).toEqual([])
    hooks.fault = undefined
    expect(await take(await frame([point()]))).toBe('stored')
    expect(await total()).toBe(5)
    expect(aggregator.completeness.collectors()).toHaveLength(1)
  })

  test('is not acknowledged while the metric store cannot take it, and the ledger knows nothing of it', async () => {
    const { take, total, hooks, appended } = await open()
    hooks.metricFault = new ServiceError('DISK_FULL', 'no space')
    await expect(take(await frame([point()]))).rejects.toMatchObject({ code: 'DISK_FULL' })
    expect(appended).toEqual([])
    hooks.metricFault = undefined
    expect(await take(await frame([point()]))).toBe('stored')
    expect(await total()).toBe(5)
  })

  test('has the site of its sender; what an application calls site is exported_site', async () => {
    const { take, tags } = await open()
    await take(await frame([point({ tags: { site: 'their own' } }), point()]))
    expect((await tags()).tags).toEqual([
      { tag: 'exported_site', values: [{ value: 'their own', series: 1 }], valuesTotal: 1 },
      { tag: 'site', values: [{ value: 'eu', series: 2 }], valuesTotal: 1 },
    ])
  })

  test('without a good line is kept too: its number is not missing', async () => {
    const { take, aggregator } = await open()
    expect(await take(await frame([], ['nonsense']))).toBe('stored')
    expect(aggregator.completeness.collectors()).toHaveLength(1)
  })
})

describe('bad lines', () => {
  test('go to the quarantine with their reason; their neighbours are stored', async () => {
    const { take, total, quarantine } = await open()
    expect(await take(await frame([point()], ['nonsense', '["hits","c"]']))).toBe('stored')
    expect(await total()).toBe(5)
    expect(quarantine.entries).toEqual([
      { reason: 'metric: not JSON', text: 'nonsense', ...ORIGIN },
      expect.objectContaining({ text: '["hits","c"]', ...ORIGIN }),
    ])
  })

  test('of which there are many are counted where they are not listed', async () => {
    const { take, quarantine } = await open()
    await take(
      await frame(
        [],
        Array.from({ length: 1_000 }, () => 'nonsense'),
      ),
    )
    expect(quarantine.entries).toHaveLength(101)
    expect(quarantine.entries.at(-1)?.reason).toContain('900 more lines')
  })

  test('nothing is acknowledged while the quarantine cannot take them', async () => {
    const { take, total, quarantine } = await open()
    quarantine.fault = new ServiceError('DISK_FULL', 'no space')
    await expect(take(await frame([point()], ['nonsense']))).rejects.toMatchObject({ code: 'DISK_FULL' })
    expect(await total()).toBe(0)
  })
})

test('a body of many slices is decoded whole, and lets others work in between', async () => {
  const points = Array.from({ length: 5_000 }, (_, at) => point({ tags: { at: `${at}`, site: 'eu' } }))
  const body = Buffer.from(points.map((one) => `${encodeMetricLine(one)}\n`).join(''))
  let yields = 0
  const yieldNow = async () => {
    yields += 1
  }
  const decoded = await createPointDecoder()(body, { site: 'eu', yieldNow })
  expect(decoded.bad).toEqual([])
  expect(decoded.points.map(({ series }) => series.tags['at'])).toEqual(
    points.map(({ series }) => series.tags['at']),
  )
  expect(yields).toBeGreaterThan(2)
})
