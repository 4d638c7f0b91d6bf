import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import type { ApiMetricLine, MetricsAnswer } from '../../../dashboards/src/api/metrics.ts'
import {
  COLOURS,
  LINES_SHOWN_MAX,
  bridge,
  chartData,
  sortLines,
} from '../../../dashboards/src/model/chart-lines.ts'

const FROM = Date.parse('2026-01-05T03:00:00Z')
const STEP = 10_000

function answerOf(lines: readonly ApiMetricLine[], aggregates: readonly string[] = ['rate']): MetricsAnswer {
  const meta = {
    query: '',
    from: new Date(FROM).toISOString(),
    to: new Date(FROM + 6 * STEP).toISOString(),
    tookMs: 1,
    scanned: 1,
    returned: 1,
    truncated: false,
    complete: true,
    completeTo: null,
    sites: {},
  }
  const lost = { total: 0, byReason: {} }
  return { lines, linesTotal: lines.length, step: STEP, resolution: 'raw', aggregates, lost, meta }
}

const lineOf = (host: string, ...values: (number | null)[]): ApiMetricLine => ({
  tags: { host },
  kind: 'counter',
  points: values.flatMap((value, at) => (value === null ? [] : [[FROM + at * STEP, value] as const])),
})

test('every step of the range has a place, also where nothing was measured', () => {
  const { times, lines } = chartData(answerOf([lineOf('a', 1, null, null, null, 5)]), 'shop.requests')
  expect(times.map((time) => (time - FROM) / STEP)).toEqual([0, 1, 2, 3, 4, 5])
  expect(lines[0]?.values).toEqual([1, null, null, null, 5, null])
  expect(lines[0]).toMatchObject({ label: 'a', last: 5, min: 1, max: 5, avg: 3 })
})

test.each([
  {
    name: 'a rate falls in a step that is not over: it is left out',
    aggregate: 'rate',
    shown: [4, 4, null],
    last: 4,
  },
  { name: 'a percentile does not', aggregate: 'p95', shown: [4, 4, 1], last: 1 },
])('$name', ({ aggregate, shown, last }) => {
  const answer = answerOf([lineOf('a', 4, 4, 1)], [aggregate])
  const meta = { ...answer.meta, to: new Date(FROM + 2.5 * STEP).toISOString() }
  expect(chartData({ ...answer, meta }, 'shop.requests').lines[0]).toMatchObject({ values: shown, last })
  const complete = { ...answer.meta, completeTo: new Date(FROM + 2 * STEP).toISOString() }
  expect(chartData({ ...answer, meta: complete }, 'shop.requests').lines[0]?.last).toBe(last)
})

test('where no step is over, the one that is not is shown', () => {
  const answer = answerOf([lineOf('a', 3)])
  const meta = { ...answer.meta, to: new Date(FROM + STEP / 2).toISOString() }
  expect(chartData({ ...answer, meta }, 'shop.requests').lines[0]).toMatchObject({ last: 3, values: [3] })
})

test('a step that begins before the range is drawn where it begins', () => {
  const early: ApiMetricLine = { tags: {}, kind: 'gauge', points: [[FROM - STEP, 7]] }
  const { times, lines } = chartData(answerOf([early]), 'depth')
  expect(times[0]).toBe(FROM - STEP)
  expect(lines[0]?.values[0]).toBe(7)
})

test.each([
  { name: 'one missing step is drawn over', given: [1, null, 3], drawn: [1, undefined, 3] },
  { name: 'two are', given: [1, null, null, 4], drawn: [1, undefined, undefined, 4] },
  { name: 'three stay a hole', given: [1, null, null, null, 5], drawn: [1, null, null, null, 5] },
  {
    name: 'nothing is drawn before the first and after the last',
    given: [null, 2, null],
    drawn: [null, 2, null],
  },
  { name: 'nothing at all', given: [null, null], drawn: [null, null] },
])('bridge: $name', ({ given, drawn }) => {
  expect(bridge(given)).toEqual(drawn)
})

test('bridge changes no value and fills no hole of more than two steps', () => {
  fc.assert(
    fc.property(fc.array(fc.option(fc.integer())), (given) => {
      const drawn = bridge([...given])
      expect(drawn.map((value) => value ?? null)).toEqual(given)
      const longest = drawn
        .map((value) => (value === undefined ? 'x' : ' '))
        .join('')
        .split(/ +/u)
        .reduce((most, run) => Math.max(most, run.length), 0)
      expect(longest).toBeLessThanOrEqual(2)
    }),
  )
})

test('several percentiles of one group differ by colour; of several groups by dashes', () => {
  const points = [[FROM, 1, 2, 3]] as const
  const one = { tags: {}, kind: 'distribution', points }
  const aggregates = ['p50', 'p95', 'p99']
  const alone = chartData(answerOf([one], aggregates), 'shop.request_ms').lines
  expect(alone.map(({ label, colour, dash, last }) => [label, colour, dash, last])).toEqual([
    ['p50', 0, 0, 1],
    ['p95', 1, 0, 2],
    ['p99', 2, 0, 3],
  ])
  const split = [
    { ...one, tags: { host: 'a' } },
    { ...one, tags: { host: '' } },
  ]
  const both = chartData(answerOf(split, aggregates), 'shop.request_ms').lines
  expect(both.map(({ label }) => label).slice(2, 4)).toEqual(['a · p99', '(none) · p50'])
  expect(both.map(({ colour }) => colour)).toEqual([0, 0, 0, 1, 1, 1])
  expect(both.map(({ dash }) => dash)).toEqual([0, 1, 2, 0, 1, 2])
})

test('of too many lines the greatest are drawn, all told apart, and how many there are is said', () => {
  const many = Array.from({ length: 50 }, (_, at) => lineOf(`h${at}`, at))
  const { lines, linesTotal } = chartData(answerOf(many), 'shop.requests')
  expect(lines).toHaveLength(LINES_SHOWN_MAX)
  expect(linesTotal).toBe(50)
  expect(lines[0]?.label).toBe('h30')
  expect(new Set(lines.map(({ colour, dash }) => colour + COLOURS * dash)).size).toBe(LINES_SHOWN_MAX)
})

test('the legend sorts numbers down, names up, and what has no number last', () => {
  const { lines } = chartData(answerOf([lineOf('h10', 2), lineOf('h9', 8), lineOf('h1')]), 'shop.requests')
  const labels = (column: 'label' | 'max', reverse: boolean) =>
    sortLines(lines, { column, reverse }).map(({ label }) => label)
  expect(labels('max', false)).toEqual(['h9', 'h10', 'h1'])
  expect(labels('max', true)).toEqual(['h10', 'h9', 'h1'])
  expect(labels('label', false)).toEqual(['h1', 'h9', 'h10'])
})
