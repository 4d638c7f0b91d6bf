import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { createFold } from '../../core/metrics/fold.ts'
import { METRIC_KINDS, METRIC_LINES_MAX } from '../../core/metrics/types.ts'
import type { MetricAggregate, MetricPoint, MetricQuery } from '../../core/metrics/types.ts'
import { AGGREGATES_OF } from '../../core/metrics/fold.ts'
import type { MetricStore } from '../../core/ports.ts'
import { createFakeClock } from '../support/fake-clock.ts'
import {
  DAY_MS,
  HOUR_MS,
  MINUTE_MS,
  RETENTION,
  metricBatch,
  metricPoint,
  metricQuery,
  type MakeMetricStore,
} from '../support/metric-store-under-test.ts'

/** A full hour, so that roll-ups have edges where the tests think. */
const NOW_MS = Date.UTC(2025, 5, 15, 12)
const never = new AbortController().signal
const today = { fromMs: NOW_MS - 6 * HOUR_MS, toMs: NOW_MS + HOUR_MS }

/** Every line of `MetricStore` in core/ports.ts. `runs`: random courses of events; some stores take seconds for each. */
export function metricStoreContract(name: string, make: MakeMetricStore, { runs = 60 } = {}): void {
  describe(`${name}: appending`, () => appending(make))
  describe(`${name}: adding up`, () => addingUp(make))
  describe(`${name}: aggregates`, () => aggregates(make))
  describe(`${name}: rates of points wider than the step`, () => wideRates(make))
  describe(`${name}: selecting`, () => selecting(make))
  describe(`${name}: resolutions`, () => resolutions(make))
  describe(`${name}: retention`, () => retaining(make))
  describe(`${name}: discovery`, () => discovering(make))
  describe(`${name}: means what the fold means`, () => oracle(make, runs))
}

const fakeClock = () => createFakeClock({ nowMs: NOW_MS })

async function valuesOf(store: MetricStore, query: MetricQuery): Promise<(number | null)[]> {
  const { lines } = await store.query(query, never)
  return lines.flatMap(({ steps }) => steps.flatMap(({ values }) => values))
}

/** What the points mean, by the fold. */
async function meaning(points: readonly MetricPoint[], query: MetricQuery) {
  const fold = createFold(query)
  for (const point of points) fold.add(point)
  return await fold.result()
}

function appending(make: MakeMetricStore): void {
  test('points are found once append has resolved', async () => {
    await using made = await make({ clock: fakeClock() })
    const points = [metricPoint({}, NOW_MS, [3])]
    expect(await made.store.append(metricBatch(points), never)).toBe('stored')
    expect(await valuesOf(made.store, metricQuery({ range: today }))).toEqual([3])
  })

  test('a batch that comes again changes nothing, also at the same time and after a while', async () => {
    const clock = fakeClock()
    await using made = await make({ clock })
    const batch = metricBatch([metricPoint({}, NOW_MS)])
    const { store } = made
    const results = await Promise.all([store.append(batch, never), store.append(batch, never)])
    expect(results.toSorted()).toEqual(['duplicate', 'stored'])
    await clock.advance(DAY_MS)
    expect(await store.append(batch, never)).toBe('duplicate')
    expect(await valuesOf(store, metricQuery({ range: today }))).toEqual([1])
  })

  test('batches of other numbers, epochs, collectors and sites are others', async () => {
    await using made = await make({ clock: fakeClock() })
    const keys = [{ seq: 1 }, { seq: 2 }, { seq: 1, epoch: 'f'.repeat(32) }, { seq: 1, collector: 'c2' }]
    for (const key of [...keys, { seq: 1, site: 'us' }]) {
      expect(await made.store.append(metricBatch([metricPoint({}, NOW_MS)], key), never)).toBe('stored')
    }
    expect(await valuesOf(made.store, metricQuery({ range: today }))).toEqual([5])
  })

  test('an empty batch is taken, also again', async () => {
    await using made = await make({ clock: fakeClock() })
    const batch = metricBatch([])
    expect(await made.store.append(batch, never)).toBe('stored')
    // A store may keep nothing of it, and then cannot know.
    expect(['stored', 'duplicate']).toContain(await made.store.append(batch, never))
  })

  test('what was acknowledged is there after reopening, with the numbers of its batches', async ({
    skip,
  }) => {
    const clock = fakeClock()
    await using made = await make({ clock })
    if (made.reopen === undefined) return skip('keeps nothing')
    const batches = Array.from({ length: 20 }, (_, at) =>
      metricBatch(
        METRIC_KINDS.map((kind) => metricPoint({ kind, name: kind }, NOW_MS - at * 10_000, [at, 1])),
      ),
    )
    for (const batch of batches) await made.store.append(batch, never)
    const ask = metricQuery({ range: today, name: 'distribution', aggregates: ['count', 'p50'] })
    const before = await made.store.query(ask, never)
    const store = await made.reopen()
    expect((await store.query(ask, never)).lines).toEqual(before.lines)
    for (const batch of batches) expect(await store.append(batch, never)).toBe('duplicate')
    expect((await store.query(ask, never)).lines).toEqual(before.lines)
    return undefined
  })

  test('series beyond the limit of a day are refused and counted; those that are known go on', async () => {
    const clock = fakeClock()
    await using made = await make({ clock, seriesMax: 2 })
    const { store } = made
    const of = (host: string) => metricPoint({ tags: { host } }, clock.nowMs())
    await store.append(metricBatch([of('a'), of('b'), of('c')]), never)
    await store.append(metricBatch([of('a'), of('d')]), never)
    expect(await store.stats()).toMatchObject({ series: 2, refused: 2 })
    expect(await valuesOf(store, metricQuery({ range: today }))).toEqual([3])
    await clock.advance(DAY_MS)
    await store.append(metricBatch([of('c')]), never)
    expect(await store.stats()).toMatchObject({ series: 1, refused: 2 })
  })

  test('a caller that has gone away is not worked for', async () => {
    await using made = await make({ clock: fakeClock() })
    const gone = AbortSignal.abort(new Error('gone'))
    await expect(made.store.append(metricBatch([metricPoint({}, NOW_MS)]), gone)).rejects.toThrow('gone')
    await expect(made.store.query(metricQuery({ range: today }), gone)).rejects.toThrow('gone')
    await expect(made.store.names({ prefix: '', range: today, limit: 1 }, gone)).rejects.toThrow('gone')
    const ask = { name: 'm', tags: [], range: today, limit: 1 }
    await expect(made.store.tags(ask, gone)).rejects.toThrow('gone')
    expect(await valuesOf(made.store, metricQuery({ range: today }))).toEqual([])
  })

  test('after closing it is SHUTTING_DOWN', async () => {
    await using made = await make({ clock: fakeClock() })
    await made.store.close()
    await expect(made.store.query(metricQuery({ range: today }), never)).rejects.toMatchObject({
      code: 'SHUTTING_DOWN',
    })
    await expect(made.store.append(metricBatch([]), never)).rejects.toMatchObject({ code: 'SHUTTING_DOWN' })
  })
}

function addingUp(make: MakeMetricStore): void {
  test('points of one series and time add up, whoever sent them and however late', async () => {
    const clock = fakeClock()
    await using made = await make({ clock })
    for (const values of [[1, 5], [2], [7, 3]]) {
      await made.store.append(metricBatch([metricPoint({ kind: 'gauge' }, NOW_MS, values)]), never)
      await clock.advance(15 * MINUTE_MS)
    }
    const aggregatesAsked = ['count', 'avg', 'min', 'max'] as const
    const query = metricQuery({ range: today, aggregates: aggregatesAsked })
    for (const stepMs of [10_000, MINUTE_MS, HOUR_MS, DAY_MS]) {
      expect(await valuesOf(made.store, { ...query, stepMs })).toEqual([5, 18 / 5, 1, 7])
    }
  })

  test('`last` is the newest, in every resolution and whichever came last', async () => {
    const clock = fakeClock()
    await using made = await make({ clock })
    for (const [at, last] of [
      [30_000, 3],
      [50_000, 5],
      [10_000, 1],
    ] as const) {
      await made.store.append(metricBatch([metricPoint({ kind: 'gauge' }, NOW_MS + at, [last])]), never)
      await clock.advance(11 * MINUTE_MS)
    }
    const query = metricQuery({ range: today, aggregates: ['last'] })
    for (const stepMs of [MINUTE_MS, HOUR_MS])
      expect(await valuesOf(made.store, { ...query, stepMs })).toEqual([5])
  })

  test('percentiles of hosts and times together are at most 1 % off', async () => {
    await using made = await make({ clock: fakeClock() })
    const values = Array.from({ length: 3_000 }, (_, at) => 1.003 ** at)
    const points = values.map((value, at) =>
      metricPoint({ kind: 'distribution', tags: { host: `h${at % 3}` } }, NOW_MS - (at % 100) * 10_000, [
        value,
      ]),
    )
    for (let at = 0; at < points.length; at += 250)
      await made.store.append(metricBatch(points.slice(at, at + 250)), never)
    const shares = { p50: 0.5, p95: 0.95, p99: 0.99, p999: 0.999 }
    const names = Object.keys(shares) as (keyof typeof shares)[]
    const answer = await valuesOf(
      made.store,
      metricQuery({ range: today, stepMs: DAY_MS, aggregates: [...names, 'count'] }),
    )
    expect(answer.at(-1)).toBe(3_000)
    for (const [at, name] of names.entries()) {
      const exact = values[Math.floor(shares[name] * (values.length - 1))] ?? 0
      expect(Math.abs((answer[at] ?? 0) - exact) / exact, name).toBeLessThan(0.0101)
    }
  })

  test('a set counts the members of all hosts and times once', async () => {
    await using made = await make({ clock: fakeClock() })
    const points = [
      metricPoint({ kind: 'set', tags: { host: 'a' } }, NOW_MS, [1, 2, 3]),
      metricPoint({ kind: 'set', tags: { host: 'b' } }, NOW_MS + 10_000, [3, 4]),
      metricPoint({ kind: 'set', tags: { host: 'a' } }, NOW_MS + MINUTE_MS, [1, 9]),
    ]
    for (const one of points) await made.store.append(metricBatch([one]), never)
    const query = metricQuery({ range: today, aggregates: ['count'] })
    expect(await valuesOf(made.store, query)).toEqual([4, 2])
    expect(await valuesOf(made.store, { ...query, stepMs: HOUR_MS })).toEqual([5])
  })
}

function aggregates(make: MakeMetricStore): void {
  test.each([
    { kind: 'counter', expected: { rate: 14 / 60, sum: 14, count: 4 } },
    { kind: 'gauge', expected: { avg: 3.5, min: 1, max: 6, last: 6, sum: 6 + 4, count: 4 } },
    { kind: 'set', expected: { count: 4 } },
    {
      kind: 'distribution',
      expected: { rate: 4 / 60, sum: 14, avg: 3.5, min: 1, max: 6, last: 6, count: 4 },
    },
  ] as const)('of a $kind', async ({ kind, expected }) => {
    await using made = await make({ clock: fakeClock() })
    const points = [
      metricPoint({ kind, tags: { host: 'a' } }, NOW_MS, [1]),
      metricPoint({ kind, tags: { host: 'b' } }, NOW_MS, [3, 4]),
      metricPoint({ kind, tags: { host: 'a' } }, NOW_MS + 10_000, [6]),
    ]
    await made.store.append(metricBatch(points), never)
    const names = Object.keys(expected) as MetricAggregate[]
    const query = metricQuery({ range: today, aggregates: names })
    expect(await valuesOf(made.store, query)).toEqual(Object.values(expected))
  })

  test('one that the kind does not know is BAD_REQUEST that names what it knows', async () => {
    await using made = await make({ clock: fakeClock() })
    await made.store.append(metricBatch([metricPoint({}, NOW_MS)]), never)
    const asked = made.store.query(metricQuery({ range: today, aggregates: ['p95'] }), never)
    await expect(asked).rejects.toMatchObject({ code: 'BAD_REQUEST', details: { known: 'rate,sum,count' } })
  })

  test('series of several kinds under one name are BAD_REQUEST that lists them, unless one is asked for', async () => {
    await using made = await make({ clock: fakeClock() })
    const points = [metricPoint({}, NOW_MS), metricPoint({ kind: 'gauge' }, NOW_MS)]
    await made.store.append(metricBatch(points), never)
    const query = metricQuery({ range: today, aggregates: ['count'] })
    await expect(made.store.query(query, never)).rejects.toMatchObject({
      code: 'BAD_REQUEST',
      details: { kinds: 'counter,gauge' },
    })
    expect(await valuesOf(made.store, { ...query, kind: 'gauge' })).toEqual([1])
  })

  test('the rate of a step that the range cuts is of the whole step', async () => {
    await using made = await make({ clock: fakeClock() })
    await made.store.append(metricBatch([metricPoint({}, NOW_MS + 30_000, [6])]), never)
    const range = { fromMs: NOW_MS + 30_000, toMs: NOW_MS + 40_000 }
    expect(await valuesOf(made.store, metricQuery({ range, aggregates: ['rate'] }))).toEqual([0.1])
  })
}

function wideRates(make: MakeMetricStore): void {
  test.each([
    { name: 'as wide as the step', stepMs: MINUTE_MS, rates: [2, 1] },
    { name: 'narrower than the step', stepMs: 10 * MINUTE_MS, rates: [0.3] },
    { name: 'wider than the step: it starts in one, and is of its own width', stepMs: 10_000, rates: [2, 1] },
  ])('the rate of a point $name', async ({ stepMs, rates }) => {
    await using made = await make({ clock: fakeClock() })
    for (const kind of ['counter', 'distribution'] as const) {
      const points = [120, 60].map((count, at) => {
        const point = metricPoint({ kind, name: kind }, NOW_MS + at * MINUTE_MS, [1], MINUTE_MS)
        return { ...point, count, sum: count }
      })
      await made.store.append(metricBatch(points), never)
      const query = metricQuery({ range: today, name: kind, stepMs, aggregates: ['rate'] })
      expect(await valuesOf(made.store, query)).toEqual(rates)
    }
  })

  test('points of several widths in one step count each for their own', async () => {
    await using made = await make({ clock: fakeClock() })
    const points = [
      metricPoint({ tags: { host: 'a' } }, NOW_MS, [120], MINUTE_MS),
      metricPoint({ tags: { host: 'b' } }, NOW_MS, [50], 10_000),
    ]
    await made.store.append(metricBatch(points), never)
    const query = metricQuery({ range: today, stepMs: 10_000, aggregates: ['rate'] })
    expect(await valuesOf(made.store, query)).toEqual([2 + 5])
  })
}

function selecting(make: MakeMetricStore): void {
  const hosts = ['web-1', 'web-2', 'db-1']
  const filled = async () => {
    const made = await make({ clock: fakeClock() })
    const points = hosts.map((host, at) => metricPoint({ tags: { host, env: 'prod' } }, NOW_MS, [10 ** at]))
    const other = [
      metricPoint({ tags: { env: '' } }, NOW_MS, [1_000]),
      metricPoint({ name: 'm2' }, NOW_MS, [7]),
    ]
    await made.store.append(metricBatch([...points, ...other]), never)
    return made
  }

  test.each([
    { name: 'a value', tag: 'host', values: ['web-1'], exclude: false, sum: 1 },
    { name: 'some values', tag: 'host', values: ['web-1', 'db-1'], exclude: false, sum: 101 },
    { name: 'any characters', tag: 'host', values: ['web*'], exclude: false, sum: 11 },
    { name: 'one character', tag: 'host', values: ['web-?'], exclude: false, sum: 11 },
    { name: 'all but', tag: 'host', values: ['web*'], exclude: true, sum: 1_100 },
    { name: 'series without the tag', tag: 'host', values: [''], exclude: false, sum: 1_000 },
    { name: 'series with the tag', tag: 'host', values: [''], exclude: true, sum: 111 },
    { name: 'a tag without a value', tag: 'env', values: [''], exclude: false, sum: 1_000 },
    { name: 'a star and a tag without a value', tag: 'env', values: ['*'], exclude: false, sum: 1_111 },
    { name: 'a star and no tag', tag: 'host', values: ['*'], exclude: false, sum: 111 },
  ])('$name', async ({ tag, values, exclude, sum }) => {
    await using made = await filled()
    const query = metricQuery({ range: today, tags: [{ tag, values, exclude }] })
    expect(await valuesOf(made.store, query)).toEqual([sum])
  })

  test('every filter has to be fulfilled', async () => {
    await using made = await filled()
    const tags = [
      { tag: 'host', values: ['web*'], exclude: false },
      { tag: 'host', values: ['web-2'], exclude: true },
    ]
    expect(await valuesOf(made.store, metricQuery({ range: today, tags }))).toEqual([1])
  })

  test("`by` makes a line of every value, in order; '' is for series without the tag", async () => {
    await using made = await filled()
    const answer = await made.store.query(metricQuery({ range: today, by: ['host', 'nothing'] }), never)
    expect(answer.linesTotal).toBe(4)
    expect(
      answer.lines.map(({ tags, steps }) => [tags['host'], tags['nothing'], steps[0]?.values[0]]),
    ).toEqual([
      ['', '', 1_000],
      ['db-1', '', 100],
      ['web-1', '', 1],
      ['web-2', '', 10],
    ])
  })

  test('the range takes points by their start: its own start is in, its end is not', async () => {
    await using made = await make({ clock: fakeClock() })
    const points = [0, 10_000, 20_000, 30_000].map((at) => metricPoint({}, NOW_MS + at))
    await made.store.append(metricBatch(points), never)
    const range = { fromMs: NOW_MS + 10_000, toMs: NOW_MS + 30_000 }
    for (const stepMs of [10_000, MINUTE_MS, HOUR_MS]) {
      const values = await valuesOf(made.store, metricQuery({ range, stepMs }))
      expect(
        values.reduce<number>((sum, value) => sum + (value ?? 0), 0),
        `${stepMs}`,
      ).toBe(2)
    }
  })

  test('more lines than the limit are counted', async () => {
    await using made = await make({ clock: fakeClock() })
    const points = Array.from({ length: METRIC_LINES_MAX + 5 }, (_, at) =>
      metricPoint({ tags: { at: `${at}`.padStart(5, '0') } }, NOW_MS),
    )
    await made.store.append(metricBatch(points), never)
    const { lines, linesTotal, series } = await made.store.query(
      metricQuery({ range: today, by: ['at'] }),
      never,
    )
    expect([lines.length, linesTotal, series]).toEqual([METRIC_LINES_MAX, points.length, points.length])
    expect(lines.at(-1)?.tags['at']).toBe('00999')
  })

  test('an empty store answers with nothing', async () => {
    await using made = await make({ clock: fakeClock() })
    const answer = await made.store.query(metricQuery({ range: today }), never)
    expect(answer).toEqual({
      lines: [],
      linesTotal: 0,
      series: 0,
      scanned: 0,
      resolution: 'minute',
      oldestMs: null,
      damaged: [],
    })
    for (const range of [today, { fromMs: today.fromMs + 1, toMs: today.toMs + 1 }]) {
      const names = await made.store.names({ prefix: '', range, limit: 5 }, never)
      expect(names).toEqual({ names: [], total: 0 })
      const tags = await made.store.tags({ name: 'm', tags: [], range, limit: 5 }, never)
      expect(tags).toEqual({ tags: [], series: 0 })
    }
    expect((await made.store.stats()).resolutions.raw).toEqual({ points: 0, oldestMs: null })
  })
}

function resolutions(make: MakeMetricStore): void {
  test.each([
    { stepMs: 10_000, resolution: 'raw' },
    { stepMs: 90_000, resolution: 'raw' },
    { stepMs: MINUTE_MS, resolution: 'minute' },
    { stepMs: 10 * MINUTE_MS, resolution: 'minute' },
    { stepMs: HOUR_MS, resolution: 'hour' },
    { stepMs: DAY_MS, resolution: 'hour' },
  ])('steps of $stepMs ms are made of $resolution points', async ({ stepMs, resolution }) => {
    await using made = await make({ clock: fakeClock() })
    expect(await made.store.query(metricQuery({ range: today, stepMs }), never)).toMatchObject({ resolution })
  })

  test('roll-ups are what the fold of the raw points is, for ranges that cut them, too', async () => {
    const clock = fakeClock()
    await using made = await make({ clock })
    const points = Array.from({ length: 400 }, (_, at) =>
      metricPoint({ kind: 'distribution', tags: { host: `h${at % 2}` } }, NOW_MS - at * 30_000, [at, at / 2]),
    )
    for (let at = 0; at < points.length; at += 40) {
      await made.store.append(metricBatch(points.slice(at, at + 40)), never)
      await clock.advance(11 * MINUTE_MS)
    }
    for (const range of [today, { fromMs: NOW_MS - 2.3 * HOUR_MS, toMs: NOW_MS - 17 * MINUTE_MS + 10_000 }]) {
      for (const stepMs of [MINUTE_MS, 10 * MINUTE_MS, HOUR_MS]) {
        const asked = ['sum', 'count', 'min', 'max', 'last', 'p50', 'p99'] as const
        const query = metricQuery({ range, stepMs, by: ['host'], aggregates: asked })
        expect((await made.store.query(query, never)).lines).toEqual((await meaning(points, query)).lines)
      }
    }
  })

  test('where raw points are gone the wider ones stand for the edges of the range', async () => {
    const clock = fakeClock()
    await using made = await make({ clock })
    const points = Array.from({ length: 60 }, (_, at) => metricPoint({}, NOW_MS + at * MINUTE_MS))
    await made.store.append(metricBatch(points), never)
    await clock.advance(5 * DAY_MS)
    await made.store.purge()
    const range = { fromMs: NOW_MS + 10 * MINUTE_MS + 30_000, toMs: NOW_MS + 20 * MINUTE_MS + 30_000 }
    const answer = await made.store.query(metricQuery({ range, stepMs: HOUR_MS }), never)
    expect(answer.lines[0]?.steps).toEqual([{ startMs: NOW_MS, values: [11] }])
    expect(answer.oldestMs).toBeNull()
  })
}

function retaining(make: MakeMetricStore): void {
  test('each resolution keeps its points for three quarters of its time at least, and none longer than it', async () => {
    const clock = fakeClock()
    await using made = await make({ clock })
    const { store } = made
    await store.append(metricBatch([metricPoint({}, NOW_MS)]), never)
    const range = { fromMs: NOW_MS - DAY_MS, toMs: NOW_MS + DAY_MS }
    const found = async () => {
      await store.purge()
      const each = [10_000, MINUTE_MS, HOUR_MS].map((stepMs) =>
        valuesOf(store, metricQuery({ range, stepMs })),
      )
      return (await Promise.all(each)).map((values) => values.length)
    }
    let passedMs = 0
    const at = async (ageMs: number) => {
      clock.jump(ageMs - passedMs)
      passedMs = ageMs
      await clock.advance(0)
      return found()
    }
    expect(await at(0.75 * RETENTION.raw)).toEqual([1, 1, 1])
    expect(await at(RETENTION.raw + 1)).toEqual([0, 1, 1])
    expect(await at(0.75 * RETENTION.minute)).toEqual([0, 1, 1])
    expect(await at(RETENTION.minute + 1)).toEqual([0, 0, 1])
    expect(await at(0.75 * RETENTION.hour)).toEqual([0, 0, 1])
    expect(await at(RETENTION.hour + 1)).toEqual([0, 0, 0])
  })

  test('an answer says where reading starts when older points are gone', async () => {
    const clock = fakeClock()
    await using made = await make({ clock })
    const range = { fromMs: NOW_MS - 3 * DAY_MS, toMs: NOW_MS }
    const { oldestMs } = await made.store.query(metricQuery({ range, stepMs: 10_000 }), never)
    expect(oldestMs).toBeGreaterThan(NOW_MS - RETENTION.raw)
    expect(oldestMs).toBeLessThanOrEqual(NOW_MS - 0.75 * RETENTION.raw)
    const wider = await made.store.query(metricQuery({ range, stepMs: MINUTE_MS }), never)
    expect(wider.oldestMs).toBeNull()
  })

  test('points that come when they are too old are not kept, and counted', async () => {
    await using made = await make({ clock: fakeClock() })
    const points = [metricPoint({}, NOW_MS - RETENTION.raw - MINUTE_MS), metricPoint({}, NOW_MS)]
    await made.store.append(metricBatch(points), never)
    expect(await made.store.stats()).toMatchObject({ expired: 1, refused: 0 })
    const range = { fromMs: NOW_MS - 3 * DAY_MS, toMs: NOW_MS + DAY_MS }
    expect(await valuesOf(made.store, metricQuery({ range, stepMs: DAY_MS }))).toEqual([1])
  })

  test('points from the future are kept at their time', async () => {
    await using made = await make({ clock: fakeClock() })
    await made.store.append(metricBatch([metricPoint({}, NOW_MS + 2 * DAY_MS)]), never)
    const range = { fromMs: NOW_MS + 2 * DAY_MS, toMs: NOW_MS + 3 * DAY_MS }
    for (const stepMs of [10_000, MINUTE_MS, DAY_MS])
      expect(await valuesOf(made.store, metricQuery({ range, stepMs }))).toEqual([1])
  })
}

function discovering(make: MakeMetricStore): void {
  const filled = async () => {
    const clock = fakeClock()
    const made = await make({ clock })
    const points = [
      metricPoint({ name: 'shop.orders', tags: { host: 'a', env: 'prod' } }, NOW_MS),
      metricPoint({ name: 'shop.orders', tags: { host: 'b', env: 'prod' } }, NOW_MS + 10_000),
      metricPoint({ name: 'shop.orders', tags: { host: 'b', env: 'prod' } }, NOW_MS + 20_000),
      metricPoint({ name: 'shop.orders', kind: 'gauge', tags: { host: 'c', env: 'test' } }, NOW_MS),
      metricPoint({ name: 'web_orders_open', kind: 'set' }, NOW_MS),
      metricPoint({ name: 'disorders' }, NOW_MS - 90 * MINUTE_MS),
      metricPoint({ name: 'orders', kind: 'distribution' }, NOW_MS - 2 * HOUR_MS),
    ]
    for (const one of points) await made.store.append(metricBatch([one]), never)
    return made
  }

  test('names are found by how they or one of their words begin, in order, with their series', async () => {
    await using made = await filled()
    expect(await made.store.names({ prefix: 'ord', range: today, limit: 10 }, never)).toEqual({
      names: [
        { name: 'orders', kind: 'distribution', series: 1 },
        { name: 'shop.orders', kind: 'counter', series: 2 },
        { name: 'shop.orders', kind: 'gauge', series: 1 },
        { name: 'web_orders_open', kind: 'set', series: 1 },
      ],
      total: 4,
    })
    const first = await made.store.names({ prefix: '', range: today, limit: 1 }, never)
    expect(first).toEqual({ names: [{ name: 'disorders', kind: 'counter', series: 1 }], total: 5 })
  })

  test('only names with a point in the range', async () => {
    await using made = await filled()
    const names = async (fromMs: number, toMs: number) => {
      const found = await made.store.names({ prefix: '', range: { fromMs, toMs }, limit: 10 }, never)
      return [...new Set(found.names.map(({ name }) => name))]
    }
    expect(await names(NOW_MS - 3 * HOUR_MS, NOW_MS - 90 * MINUTE_MS)).toEqual(['orders'])
    expect(await names(NOW_MS - 3 * HOUR_MS, NOW_MS - 90 * MINUTE_MS + 1)).toEqual(['disorders', 'orders'])
    expect(await names(NOW_MS + 10_000, NOW_MS + HOUR_MS)).toEqual(['shop.orders'])
  })

  test('tags of the selected series have their most frequent values first', async () => {
    await using made = await filled()
    const ask = { name: 'shop.orders', tags: [], range: today }
    expect(await made.store.tags({ ...ask, limit: 2 }, never)).toEqual({
      tags: [
        {
          tag: 'env',
          values: [
            { value: 'prod', series: 2 },
            { value: 'test', series: 1 },
          ],
          valuesTotal: 2,
        },
        {
          tag: 'host',
          values: [
            { value: 'a', series: 1 },
            { value: 'b', series: 1 },
          ],
          valuesTotal: 3,
        },
      ],
      series: 3,
    })
    const filter = { tag: 'env', values: ['t*'], exclude: false }
    const some = await made.store.tags({ ...ask, tags: [filter], limit: 2 }, never)
    expect(some.tags[1]?.values).toEqual([{ value: 'c', series: 1 }])
    expect((await made.store.tags({ ...ask, kind: 'counter', limit: 2 }, never)).series).toBe(2)
  })
}

/** Numbers that add up to the same in every order. */
const someValue = fc.integer({ min: -1_000, max: 1_000 }).map((value) => value / 4)

const somePoint = fc
  .record({
    name: fc.constantFrom('m', 'm.x'),
    kind: fc.constantFrom(...METRIC_KINDS),
    tags: fc.record({ host: fc.constantFrom('a', 'b', '"'), env: fc.constant('prod') }, { requiredKeys: [] }),
    at: fc.integer({ min: -1_200, max: 60 }),
    values: fc.array(someValue, { minLength: 1, maxLength: 4 }),
    stepMs: fc.constantFrom(1_000, 10_000, 60_000),
  })
  .map(({ name, kind, tags, at, values, stepMs }) => {
    const startMs = Math.floor((NOW_MS + at * 10_000) / stepMs) * stepMs
    return metricPoint({ name, kind, tags }, startMs, values, stepMs)
  })

const someAction = fc.oneof(
  { weight: 8, arbitrary: fc.record({ points: fc.array(somePoint, { minLength: 1, maxLength: 12 }) }) },
  { weight: 2, arbitrary: fc.record({ again: fc.nat() }) },
  { weight: 1, arbitrary: fc.constant({ reopen: true as const }) },
  { weight: 2, arbitrary: fc.record({ passMs: fc.constantFrom(MINUTE_MS, 11 * MINUTE_MS, 3 * HOUR_MS) }) },
)

const someQuery = fc
  .record({
    kind: fc.constantFrom(...METRIC_KINDS),
    by: fc.subarray(['host', 'env']),
    stepMs: fc.constantFrom(10_000, MINUTE_MS, 10 * MINUTE_MS, HOUR_MS),
    exclude: fc.boolean(),
    values: fc.subarray(['a', 'b*', '']),
    fromMs: fc.integer({ min: -1_300, max: 60 }),
    durationMs: fc.nat(1_300),
  })
  .map(({ kind, by, stepMs, exclude, values, fromMs, durationMs }) => {
    const range = { fromMs: NOW_MS + fromMs * 10_000, toMs: NOW_MS + (fromMs + durationMs) * 10_000 }
    const tags = values.length === 0 ? [] : [{ tag: 'host', values, exclude }]
    return metricQuery({ kind, by, stepMs, range, tags, aggregates: AGGREGATES_OF[kind].all })
  })

function oracle(make: MakeMetricStore, numRuns: number): void {
  test('whatever comes in whatever order, again and over restarts', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(someAction, { maxLength: 25 }),
        fc.array(someQuery, { minLength: 1, maxLength: 6 }),
        async (actions, queries) => {
          const clock = fakeClock()
          await using made = await make({ clock })
          let { store } = made
          const batches: ReturnType<typeof metricBatch>[] = []
          const results: string[] = []
          const expected: string[] = []
          for (const action of actions) {
            if ('points' in action) {
              const batch = metricBatch(action.points)
              batches.push(batch)
              expected.push('stored')
              results.push(await store.append(batch, never))
            } else if ('again' in action) {
              const batch = batches[action.again % batches.length]
              if (batch === undefined) continue
              expected.push('duplicate')
              results.push(await store.append(batch, never))
            } else if ('reopen' in action) store = (await made.reopen?.()) ?? store
            else await clock.advance(action.passMs)
          }
          expect(results).toEqual(expected)
          const points = batches.flatMap((batch) => batch.points)
          for (const query of queries) {
            const { lines, linesTotal } = await store.query(query, never)
            const meant = await meaning(points, query)
            expect({ lines, linesTotal }).toEqual({ lines: meant.lines, linesTotal: meant.linesTotal })
          }
        },
      ),
      { numRuns },
    )
  })
}
