import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setImmediate } from 'node:timers/promises'
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { openEmbeddedMetricStore } from '../../../adapters/metric-store-embedded.ts'
import { nodeFs } from '../../../core/fs.ts'
import type { Clock, Fs, MetricStore } from '../../../core/ports.ts'
import { createFakeClock } from '../../support/fake-clock.ts'
import { createFaultyFs, systemError } from '../../support/faulty-fs.ts'
import {
  DAY_MS,
  HOUR_MS,
  MINUTE_MS,
  RETENTION,
  metricBatch,
  metricPoint,
  metricQuery,
} from '../../support/metric-store-under-test.ts'
import { createPowerLossFs } from '../../support/power-loss-fs.ts'
import { quietLog } from '../../support/quiet-log.ts'
import { seededRandom } from '../../support/random.ts'

const DIR = '/metrics'
const NOW_MS = Date.UTC(2025, 5, 15, 12)
const never = new AbortController().signal
const range = { fromMs: NOW_MS - HOUR_MS, toMs: NOW_MS + DAY_MS }
const TABLE_POINTS_MAX = 3

function open(fs: Fs, clock: Clock = createFakeClock({ nowMs: NOW_MS })): Promise<MetricStore> {
  const options = { dir: DIR, retention: RETENTION, seriesMax: 1_000, clock, fs, log: quietLog }
  return openEmbeddedMetricStore({ ...options, tablePointsMax: TABLE_POINTS_MAX })
}

const batchOf = (seq: number, at = 0) => metricBatch([metricPoint({}, NOW_MS + at)], { seq })

/** Sums by raw points, by minutes and by hours: all must say the same. */
async function sums(store: MetricStore, name = 'm'): Promise<number[]> {
  const each = [10_000, MINUTE_MS, HOUR_MS].map((stepMs) =>
    store.query(metricQuery({ range, stepMs, name }), never),
  )
  return (await Promise.all(each)).map(({ lines }) =>
    lines.flatMap(({ steps }) => steps).reduce((sum, { values }) => sum + (values[0] ?? 0), 0),
  )
}

/** Lets the store work on until something is so. */
async function until(isSo: () => Promise<boolean>): Promise<void> {
  for (let turn = 0; turn < 20_000; turn += 1) {
    if (await isSo()) return
    await setImmediate()
  }
  throw new Error('it never became so')
}

/** Until nothing is left to seal but what comes next. */
const sealedBy = (fs: Fs) => until(async () => (await fs.list(`${DIR}/journal`)).length === 1)

const blocksOf = async (fs: Fs) => (await fs.list(`${DIR}/blocks`)).length

const BATCHES = 20

/** Appends until the power goes, with time passing; gives the numbers that were acknowledged. */
async function appendAll(fs: Fs): Promise<number[]> {
  const acknowledged: number[] = []
  try {
    const clock = createFakeClock({ nowMs: NOW_MS })
    const store = await open(fs, clock)
    for (let seq = 1; seq <= BATCHES; seq += 1) {
      await store.append(batchOf(seq, (seq % 7) * MINUTE_MS), never)
      acknowledged.push(seq)
      if (seq % 5 === 0) await clock.advance(11 * MINUTE_MS)
    }
    await store.close()
  } catch {
    // The power is gone.
  }
  return acknowledged
}

describe('a crash', () => {
  test('at any operation forgets nothing acknowledged, and redelivery makes nothing double', async () => {
    const whole = createPowerLossFs()
    expect(await appendAll(whole)).toHaveLength(BATCHES)
    const { operations } = whole
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: operations }), fc.nat(), async (operation, seed) => {
        const random = seededRandom(seed)
        const fs = createPowerLossFs({ random })
        fs.crashAt(operation)
        const acknowledged = await appendAll(fs)
        const store = await open(fs.crash(random))
        const [raw = 0, ...wider] = await sums(store)
        expect(wider).toEqual([raw, raw])
        expect([acknowledged.length, acknowledged.length + 1]).toContain(raw)
        for (const seq of acknowledged) expect(await store.append(batchOf(seq), never)).toBe('duplicate')
        for (let seq = 1; seq <= BATCHES; seq += 1) await store.append(batchOf(seq), never)
        expect(await sums(store)).toEqual([BATCHES, BATCHES, BATCHES])
        expect((await store.stats()).damaged).toEqual([])
        await store.close()
      }),
      { numRuns: 40 },
    )
  })

  test('of the process leaves what was written to the next one', async () => {
    const fs = createPowerLossFs()
    const store = await open(fs)
    for (let seq = 1; seq <= 10; seq += 1) await store.append(batchOf(seq), never)
    const next = await open(fs.kill())
    expect(await sums(next)).toEqual([10, 10, 10])
    await next.close()
  })

  test('by kill -9 of a real process forgets nothing acknowledged', async () => {
    const dir = await mkdtemp(join(tmpdir(), 'noctule-metrics-'))
    const script = new URL('../../support/metric-store-child.ts', import.meta.url).pathname
    const child = spawn(process.execPath, [script, dir], { stdio: ['ignore', 'pipe', 'inherit'] })
    const gone = once(child, 'close')
    let last = 0
    for await (const line of createInterface(child.stdout)) {
      last = Number(line)
      if (last === 300) child.kill('SIGKILL')
    }
    await gone
    const clock = createFakeClock({ nowMs: Date.now() })
    const options = { dir, retention: RETENTION, seriesMax: 10, clock, fs: nodeFs, log: quietLog }
    const store = await openEmbeddedMetricStore(options)
    const today = { fromMs: clock.nowMs() - HOUR_MS, toMs: clock.nowMs() + HOUR_MS }
    const { lines } = await store.query(metricQuery({ range: today, stepMs: DAY_MS }), never)
    const sum = lines.flatMap(({ steps }) => steps).reduce((total, { values }) => total + (values[0] ?? 0), 0)
    expect(last).toBeGreaterThanOrEqual(300)
    expect([last, last + 1]).toContain(sum)
    await store.close()
    await rm(dir, { recursive: true })
  })
})

describe('a disk that fails', () => {
  test('makes append fail, keeps nothing of it, and a later one succeeds', async () => {
    const fs = createFaultyFs(createPowerLossFs())
    const store = await open(fs)
    await store.append(batchOf(1), never)
    fs.fault = (operation, path) =>
      operation === 'sync' && path.includes('journal') ? systemError('ENOSPC') : undefined
    await expect(store.append(batchOf(2), never)).rejects.toMatchObject({ code: 'DISK_FULL' })
    fs.fault = (operation, path) =>
      operation === 'write' && path.includes('journal') ? systemError('EIO') : undefined
    fs.tornShare = 0.5
    await expect(store.append(batchOf(2), never)).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' })
    fs.fault = undefined
    expect(await sums(store)).toEqual([1, 1, 1])
    expect(await store.append(batchOf(2), never)).toBe('stored')
    expect(await store.append(batchOf(2), never)).toBe('duplicate')
    await store.close()
    const next = await open(fs)
    expect(await sums(next)).toEqual([2, 2, 2])
    await next.close()
  })

  test('while sealing costs nothing: points are found, and sealed when it works again', async () => {
    const inner = createPowerLossFs()
    const fs = createFaultyFs(inner)
    const clock = createFakeClock({ nowMs: NOW_MS })
    const store = await open(fs, clock)
    fs.fault = (operation, path) =>
      operation === 'write' && path.includes('blocks') ? systemError('ENOSPC') : undefined
    for (let seq = 1; seq <= 5; seq += 1) await store.append(batchOf(seq), never)
    await clock.advance(MINUTE_MS)
    expect(await sums(store)).toEqual([5, 5, 5])
    await until(async () => (await blocksOf(inner)) === 0)
    fs.fault = undefined
    await clock.advance(MINUTE_MS)
    await sealedBy(fs)
    expect(await inner.list(`${DIR}/blocks`)).not.toEqual([])
    expect(await sums(store)).toEqual([5, 5, 5])
    await store.close()
  })

  test('for so long that sealing cannot keep up refuses batches instead of filling the memory', async () => {
    const fs = createFaultyFs(createPowerLossFs())
    const store = await open(fs)
    fs.fault = (operation, path) =>
      operation === 'write' && path.includes('blocks') ? systemError('ENOSPC') : undefined
    const results: unknown[] = []
    for (let seq = 1; seq <= 20; seq += 1)
      results.push(await store.append(batchOf(seq), never).catch((error: unknown) => error))
    expect(results.at(-1)).toMatchObject({ code: 'DISK_FULL' })
    const stored = results.filter((result) => result === 'stored').length
    fs.fault = undefined
    for (let seq = 1; seq <= 20; seq += 1) await store.append(batchOf(seq), never)
    expect(stored).toBeLessThan(20)
    expect(await sums(store)).toEqual([20, 20, 20])
    await store.close()
  })
})

describe('damage', () => {
  /** A closed store whose points are sealed. */
  async function sealed() {
    const fs = createPowerLossFs()
    const clock = createFakeClock({ nowMs: NOW_MS })
    const store = await open(fs, clock)
    for (let seq = 1; seq <= 4; seq += 1) await store.append(batchOf(seq), never)
    await clock.advance(11 * MINUTE_MS)
    await sealedBy(fs)
    await store.append(metricBatch([metricPoint({ name: 'other' }, NOW_MS)]), never)
    await store.close()
    return fs
  }

  test('of a block puts it aside and names it; what is in others is answered', async () => {
    const fs = await sealed()
    const blocks = await fs.list(`${DIR}/blocks`)
    expect(blocks.length).toBeGreaterThan(0)
    for (const name of blocks) fs.damage(`${DIR}/blocks/${name}`, 12, 4)
    const store = await open(fs)
    expect(await sums(store)).toEqual([0, 0, 0])
    expect(await sums(store, 'other')).toEqual([1, 1, 1])
    const { damaged } = await store.stats()
    expect(damaged.length).toBe(blocks.length)
    expect(await fs.list(`${DIR}/aside`)).toEqual([...damaged].toSorted())
    await store.close()
    const next = await open(fs)
    expect((await next.stats()).damaged).toEqual(damaged)
    await next.close()
  })

  /** A closed store with sealed points of two slots of ten minutes, which are an hour apart. */
  async function sealedTwice() {
    const fs = createPowerLossFs()
    const clock = createFakeClock({ nowMs: NOW_MS })
    const store = await open(fs, clock)
    for (const at of [0, HOUR_MS]) {
      await store.append(
        metricBatch([metricPoint({}, NOW_MS + at), metricPoint({}, NOW_MS + at + MINUTE_MS)]),
        never,
      )
      await clock.advance(11 * MINUTE_MS)
      await sealedBy(fs)
    }
    await store.close()
    return fs
  }

  test('of a block is said by the answers over its time, from the first on and after a restart', async () => {
    const fs = await sealedTwice()
    const slotAt = (fromMs: number) => ({ fromMs, toMs: fromMs + 10 * MINUTE_MS })
    const first = slotAt(NOW_MS)
    const second = slotAt(NOW_MS + HOUR_MS)
    const clock = createFakeClock({ nowMs: NOW_MS + 2 * HOUR_MS })
    let store = await open(fs, clock)
    const damagedIn = async (slot: typeof first, stepMs = 10_000) => {
      const asked = { fromMs: slot.fromMs - MINUTE_MS, toMs: slot.toMs + MINUTE_MS }
      return (await store.query(metricQuery({ range: asked, stepMs }), never)).damaged
    }
    expect(await damagedIn(first)).toEqual([])
    // The oldest block is the raw one of the first slot.
    const ids = (await fs.list(`${DIR}/blocks`)).map(Number)
    fs.damage(`${DIR}/blocks/${Math.min(...ids)}`, 12)
    for (let time = 0; time < 2; time += 1) {
      expect(await damagedIn(first)).toEqual([first])
      expect(await damagedIn(first)).toEqual([first])
      expect(await damagedIn(second)).toEqual([])
      expect(await damagedIn(first, MINUTE_MS)).toEqual([])
      await store.close()
      store = await open(fs, clock)
    }
    await clock.advance(RETENTION.raw)
    await store.purge()
    expect(await damagedIn(first)).toEqual([])
    await store.close()
  })

  test('of the footer and a missing file are damage, too', async () => {
    const fs = await sealed()
    const [first = '', second = ''] = await fs.list(`${DIR}/blocks`)
    fs.damage(`${DIR}/blocks/${first}`, ((await fs.size(`${DIR}/blocks/${first}`)) ?? 0) - 6)
    await fs.remove(`${DIR}/blocks/${second}`)
    const store = await open(fs)
    await sums(store)
    expect((await store.stats()).damaged).toHaveLength(2)
    await store.close()
  })

  test('in the middle of a journal keeps what is good, and the file beside', async () => {
    const fs = createPowerLossFs()
    const store = await open(fs)
    for (let seq = 1; seq <= 2; seq += 1) await store.append(batchOf(seq), never)
    const [journal = ''] = await fs.list(`${DIR}/journal`)
    const size = (await fs.size(`${DIR}/journal/${journal}`)) ?? 0
    await store.append(metricBatch([metricPoint({ name: 'other' }, NOW_MS)]), never)
    await store.close()
    fs.damage(`${DIR}/journal/${journal}`, size - 3)
    const next = await open(fs)
    expect(await sums(next)).toEqual([1, 1, 1])
    expect((await next.stats()).damaged).toEqual([`journal-${journal}`])
    const { damaged } = await next.query(metricQuery({ range, stepMs: HOUR_MS }), never)
    expect(damaged).toEqual([{ fromMs: NOW_MS, toMs: NOW_MS + 1 }])
    await next.close()
  })

  test('of the catalog stops the start and says what to do', async () => {
    const fs = await sealed()
    fs.damage(`${DIR}/catalog`, 40)
    await expect(open(fs)).rejects.toMatchObject({
      code: 'DATA_CORRUPT',
      details: { path: `${DIR}/catalog` },
    })
    await expect(open(fs)).rejects.toMatchObject({ code: 'DATA_CORRUPT' }) // The lock was given back.
  })
})

test('a directory has one owner', async () => {
  const fs = createPowerLossFs()
  const store = await open(fs)
  await expect(open(fs)).rejects.toMatchObject({ code: 'DATA_DIR_IN_USE' })
  await store.close()
  await (await open(fs)).close()
})

test('blocks of a slot are merged, and what is old leaves the disk', async () => {
  const fs = createPowerLossFs()
  const clock = createFakeClock({ nowMs: NOW_MS })
  const store = await open(fs, clock)
  for (let seq = 1; seq <= 100; seq += 1) await store.append(batchOf(seq), never)
  await clock.advance(2 * MINUTE_MS)
  expect(await sums(store)).toEqual([100, 100, 100])
  await until(async () => (await blocksOf(fs)) <= 3 * 8)
  await clock.advance(DAY_MS + 2 * HOUR_MS)
  await until(async () => (await blocksOf(fs)) <= 3 * 2)
  expect(await sums(store)).toEqual([100, 100, 100])
  await clock.advance(RETENTION.hour)
  await until(async () => (await blocksOf(fs)) === 0)
  expect((await store.stats()).resolutions.hour).toEqual({ points: 0, oldestMs: null })
  await store.close()
})

test('closing does not wait for what is sealed, and loses nothing of it', async () => {
  const fs = createPowerLossFs()
  const store = await open(fs)
  await Promise.all(Array.from({ length: 50 }, (_, at) => store.append(batchOf(at + 1), never)))
  await store.close()
  const next = await open(fs)
  expect(await sums(next)).toEqual([50, 50, 50])
  await next.close()
})
