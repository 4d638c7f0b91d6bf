import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { AGGREGATES_OF, createFold } from '../../../../core/metrics/fold.ts'
import { addUp, keptOf, rollUp, type KeptPoint } from '../../../../core/metrics/kept.ts'
import { METRIC_AGGREGATES, METRIC_KINDS } from '../../../../core/metrics/types.ts'
import type { MetricAggregate, MetricPoint, MetricQuery } from '../../../../core/metrics/types.ts'
import { createDistribution } from '../../../../core/sketch/distribution.ts'
import { metricPoint, metricQuery } from '../../../support/metric-store-under-test.ts'

const range = { fromMs: 0, toMs: 3_600_000 }

async function answer(points: readonly MetricPoint[], query: Partial<MetricQuery> = {}) {
  const fold = createFold(metricQuery({ range, ...query }))
  for (const point of points) fold.add(point)
  return await fold.result()
}

describe('the table of aggregates', () => {
  test('has a default that is one of its own for every kind, and none that nobody knows', () => {
    for (const kind of METRIC_KINDS) {
      const { all, default: byDefault } = AGGREGATES_OF[kind]
      expect(all).toContain(byDefault)
      for (const name of all) expect(METRIC_AGGREGATES).toContain(name)
    }
  })

  test('says what a query may ask, before there is any point if the kind is named', async () => {
    for (const kind of METRIC_KINDS) {
      const known: readonly string[] = AGGREGATES_OF[kind].all
      const ask = (name: MetricAggregate) => answer([metricPoint({ kind }, 0)], { kind, aggregates: [name] })
      for (const name of AGGREGATES_OF[kind].all) expect((await ask(name)).lines).toHaveLength(1)
      for (const name of METRIC_AGGREGATES.filter((one) => !known.includes(one)))
        await expect(ask(name)).rejects.toThrow(`a ${kind} has no ${name}`)
    }
  })
})

describe('a fold', () => {
  test('does not depend on the order of the points', async () => {
    const kinds = fc.constantFrom(...METRIC_KINDS)
    const somePoint = fc
      .record({
        host: fc.constantFrom('a', 'b'),
        step: fc.nat(30),
        values: fc.array(fc.integer({ min: -50, max: 50 }), { minLength: 1, maxLength: 3 }),
      })
      .map(({ host, step, values }) => ({ host, startMs: step * 10_000, values }))
    await fc.assert(
      fc.asyncProperty(fc.array(somePoint), kinds, fc.boolean(), async (some, kind, split) => {
        const points = some.map(({ host, startMs, values }) =>
          metricPoint({ kind, tags: { host } }, startMs, values),
        )
        const query = { aggregates: AGGREGATES_OF[kind].all, by: split ? ['host'] : [] }
        const inOrder = points.toSorted((one, other) => one.startMs - other.startMs)
        expect(await answer(points, query)).toEqual(await answer(inOrder, query))
        expect(await answer(points.toReversed(), query)).toEqual(await answer(inOrder, query))
      }),
    )
  })

  test.each([
    {
      what: 'series',
      points: [0, 0, 0, 0].map((at, host) => metricPoint({ tags: { host: `${host}` } }, at)),
    },
    { what: 'points', points: [0, 0, 0, 0].map((at) => metricPoint({}, at)) },
    { what: 'steps', points: [0, 1, 2, 3].map((at) => metricPoint({}, at * 60_000)) },
  ])('refuses more $what than a query may have, and says what to do', ({ what, points }) => {
    const most = { series: 10, points: 10, steps: 10 }
    const put = (max: number) => {
      const fold = createFold(metricQuery({ range }), { ...most, [what]: max })
      for (const point of points) fold.add(point)
    }
    put(4)
    expect(() => put(3)).toThrow(
      expect.objectContaining({ code: 'QUERY_TOO_BROAD', details: { what, max: 3 } }),
    )
    expect(() => put(3)).toThrow('ask for fewer series by tags')
  })

  test.each([
    { name: 'a step of 0', query: { stepMs: 0 } },
    { name: 'a step that is not whole', query: { stepMs: 0.5 } },
    { name: 'no aggregate', query: { aggregates: [] } },
  ])('$name is BAD_REQUEST', async ({ query }) => {
    await expect(answer([], query)).rejects.toThrow(expect.objectContaining({ code: 'BAD_REQUEST' }))
  })

  test('stops when the one who asked has gone away', async () => {
    const fold = createFold(metricQuery({ range }))
    fold.add(metricPoint({}, 0))
    await expect(fold.result(AbortSignal.abort(new Error('gone')))).rejects.toThrow('gone')
  })

  test('a percentile is of all values of a step, however often it is come back to', async () => {
    const someValues = fc.array(fc.integer({ min: 1, max: 1_000 }), { minLength: 1, maxLength: 4 })
    await fc.assert(
      fc.asyncProperty(fc.array(fc.tuple(fc.nat(3), someValues), { minLength: 1 }), async (course) => {
        const points = course.map(([step, values]) =>
          metricPoint({ kind: 'distribution' }, step * 60_000, values),
        )
        const { lines } = await answer(points, { aggregates: ['p50', 'p99'] })
        for (const { startMs, values } of lines[0]?.steps ?? []) {
          const all = createDistribution()
          for (const point of points.filter((one) => one.startMs === startMs))
            if (point.sketch !== null) all.merge(point.sketch)
          expect(values).toEqual([all.quantile(0.5), all.quantile(0.99)])
        }
      }),
    )
  })

  test('a tag called __proto__ or constructor is a tag like others', async () => {
    const tags = Object.fromEntries([['__proto__', 'x']])
    const { lines } = await answer([metricPoint({ tags }, 0), metricPoint({}, 0)], {
      by: ['__proto__', 'constructor'],
    })
    expect(lines.map((line) => Object.entries(line.tags))).toEqual([
      [
        ['__proto__', ''],
        ['constructor', ''],
      ],
      [
        ['__proto__', 'x'],
        ['constructor', ''],
      ],
    ])
  })
})

describe('rolling up', () => {
  const points = fc
    .array(
      fc.record({
        step: fc.nat(500),
        values: fc.array(fc.integer({ max: 99, min: -99 }), { minLength: 1, maxLength: 3 }),
      }),
    )
    .map((all) =>
      all
        .map(({ step, values }) => keptOf(metricPoint({ kind: 'gauge' }, step * 10_000, values)))
        .sort((one, other) => one.startMs - other.startMs),
    )

  test('hours made of minutes are hours made of points', () => {
    fc.assert(
      fc.property(points, (all) => {
        const minutes = rollUp(all, 'gauge', 60_000)
        expect(rollUp(minutes, 'gauge', 3_600_000)).toEqual(rollUp(all, 'gauge', 3_600_000))
      }),
    )
  })

  test('what is rolled up in parts adds up to the whole', () => {
    fc.assert(
      fc.property(points, fc.integer({ min: 2, max: 5 }), (all, parts) => {
        const slot = { kind: 'gauge' as const, startMs: 0, stepMs: 86_400_000 }
        const each = Array.from({ length: parts }, (_, part) =>
          all.filter((_point, at) => at % parts === part),
        )
        const added = each
          .filter((some: readonly KeptPoint[]) => some.length > 0)
          .map((some) => addUp(some, slot))
        fc.pre(all.length > 0)
        expect(addUp(added, slot)).toEqual(addUp(all, slot))
      }),
    )
  })
})
