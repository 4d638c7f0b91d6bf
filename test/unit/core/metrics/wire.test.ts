import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  METRIC_NAME_CHARS_MAX,
  TAGS_MAX,
  TAG_CHARS_MAX,
  compareCodePoints,
  decodeMetricLines,
  encodeMetricLine,
  seriesKey,
  seriesOfKey,
} from '../../../../core/metrics/wire.ts'
import { METRIC_KINDS } from '../../../../core/metrics/types.ts'
import type { MetricPoint, Series } from '../../../../core/metrics/types.ts'
import { createDistribution } from '../../../../core/sketch/distribution.ts'
import { createMembers } from '../../../../core/sketch/members.ts'

const text = (minLength: number) => fc.string({ unit: 'grapheme', minLength, maxLength: 12 })
const seriesArbitrary: fc.Arbitrary<Series> = fc.record({
  name: text(1),
  kind: fc.constantFrom(...METRIC_KINDS),
  tags: fc.dictionary(
    fc.oneof(text(1), fc.constantFrom('__proto__', '7', '10', '\uffff', '\u{10000}')),
    text(0),
    {
      maxKeys: 5,
    },
  ),
})
/** JSON knows no negative zero. */
const number = fc.double({ noNaN: true, noDefaultInfinity: true }).map((value) => value + 0)

const pointArbitrary: fc.Arbitrary<MetricPoint> = fc
  .record({
    series: seriesArbitrary,
    slot: fc.nat(),
    stepMs: fc.constantFrom(1_000, 5_000, 10_000, 60_000),
    count: number.map(Math.abs),
    values: fc.tuple(number, number, number, number),
    members: fc.array(fc.integer()),
  })
  .map(({ series, slot, stepMs, count, values: [sum, one, other, last], members }) => ({
    series,
    startMs: slot * stepMs,
    stepMs,
    count,
    sum,
    min: Math.min(one, other),
    max: Math.max(one, other),
    last,
    sketch: sketchOf(series.kind, members),
  }))

function sketchOf(kind: Series['kind'], members: readonly number[]): Buffer | null {
  const sketch = kind === 'set' ? createMembers() : createDistribution()
  for (const member of members)
    (sketch.add as (value: unknown) => void)(kind === 'set' ? `${member}` : member)
  return kind === 'set' || kind === 'distribution' ? Buffer.from(sketch.encode()) : null
}

const counter: MetricPoint = {
  series: { name: 'a.b', kind: 'counter', tags: { host: 'web-1' } },
  startMs: 20_000,
  stepMs: 10_000,
  count: 2,
  sum: 3,
  min: 1,
  max: 2,
  last: 2,
  sketch: null,
}
const LINE = '["a.b","c",{"host":"web-1"},20000,10000,2,3,1,2,2]'

describe('metric lines', () => {
  test('have one form', () => {
    expect(encodeMetricLine(counter)).toBe(LINE)
    expect(decodeMetricLines(Buffer.from(`${LINE}\n`))).toEqual({ points: [counter], bad: [] })
  })

  test('every point survives the wire', () => {
    fc.assert(
      fc.property(fc.array(pointArbitrary, { maxLength: 5 }), (points) => {
        const body = Buffer.from(points.map((point) => `${encodeMetricLine(point)}\n`).join(''))
        expect(decodeMetricLines(body)).toEqual({ points, bad: [] })
      }),
    )
  })

  test('the tags are written in code-point order', () => {
    const tags = { '\u{10000}': '1', '\uffff': '2', b: '3', '10': '4', '9': '5' }
    const line = encodeMetricLine({ ...counter, series: { ...counter.series, tags } })
    expect(line).toContain('{"10":"4","9":"5","b":"3","\uffff":"2","\u{10000}":"1"}')
  })

  const long = 'x'.repeat(201)
  const distribution = (sketch: string) => `["a","d",{},0,1000,1,1,1,1,1${sketch}]`
  test.each([
    { name: 'no JSON', line: '["a"', problem: 'not JSON' },
    { name: 'an object', line: '{}', problem: 'not an array' },
    { name: 'null', line: 'null', problem: 'not an array' },
    { name: 'no name', line: '["","c",{},0,1000,1,1,1,1,1]', problem: 'name' },
    { name: 'a number as name', line: '[1,"c",{},0,1000,1,1,1,1,1]', problem: 'name' },
    { name: 'a long name', line: `["${long}","c",{},0,1000,1,1,1,1,1]`, problem: 'name' },
    { name: 'half a surrogate pair', line: '["\\ud800","c",{},0,1000,1,1,1,1,1]', problem: 'name' },
    { name: 'an unknown kind', line: '["a","x",{},0,1000,1,1,1,1,1]', problem: 'kind' },
    { name: 'a list of tags', line: '["a","c",[],0,1000,1,1,1,1,1]', problem: 'no object' },
    { name: 'tags that are null', line: '["a","c",null,0,1000,1,1,1,1,1]', problem: 'no object' },
    { name: 'a tag that is a number', line: '["a","c",{"a":1},0,1000,1,1,1,1,1]', problem: 'tag' },
    { name: 'a tag without a name', line: '["a","c",{"":"1"},0,1000,1,1,1,1,1]', problem: 'tag' },
    { name: 'a long tag', line: `["a","c",{"a":"${long}"},0,1000,1,1,1,1,1]`, problem: 'tag' },
    { name: 'a text as count', line: '["a","c",{},0,1000,"1",1,1,1,1]', problem: 'element 5' },
    { name: 'an infinite sum', line: '["a","c",{},0,1000,1,1e999,1,1,1]', problem: 'element 6' },
    { name: 'a number too few', line: '["a","c",{},0,1000,1,1,1,1]', problem: 'element 9' },
    { name: 'an element too many', line: '["a","c",{},0,1000,1,1,1,1,1,"AA=="]', problem: '11 elements' },
    { name: 'a negative time', line: '["a","c",{},-1000,1000,1,1,1,1,1]', problem: 'startMs' },
    { name: 'a time between steps', line: '["a","c",{},500,1000,1,1,1,1,1]', problem: 'multiple' },
    { name: 'a step that no minute is made of', line: '["a","c",{},0,7000,1,1,1,1,1]', problem: 'stepMs' },
    { name: 'a step of 0', line: '["a","c",{},0,0,1,1,1,1,1]', problem: 'stepMs' },
    { name: 'a negative count', line: '["a","c",{},0,1000,-1,1,1,1,1]', problem: 'count' },
    { name: 'min above max', line: '["a","c",{},0,1000,1,1,2,1,1]', problem: 'min' },
    { name: 'a distribution without a sketch', line: distribution(''), problem: '10 elements' },
    { name: 'a sketch that is a number', line: distribution(',1'), problem: 'no text' },
    { name: 'a sketch that is none', line: distribution(',"////"'), problem: 'not a sketch' },
  ])('$name is refused, and its neighbours are kept', ({ line, problem }) => {
    const { points, bad } = decodeMetricLines(Buffer.from(`${LINE}\n${line}\n${LINE}\n`))
    expect(points).toEqual([counter, counter])
    expect(bad).toEqual([{ line, problem: expect.stringContaining(problem) as string }])
  })

  test('the bounds themselves are kept', () => {
    const tags = Object.fromEntries(
      Array.from({ length: TAGS_MAX }, (_, at) => [
        `${at}`.padEnd(TAG_CHARS_MAX, 't'),
        'v'.repeat(TAG_CHARS_MAX),
      ]),
    )
    const point = { ...counter, series: { ...counter.series, name: 'n'.repeat(METRIC_NAME_CHARS_MAX), tags } }
    expect(decodeMetricLines(Buffer.from(encodeMetricLine(point))).points).toEqual([point])
    const more = { ...point, series: { ...point.series, tags: { ...tags, more: '' } } }
    expect(decodeMetricLines(Buffer.from(encodeMetricLine(more))).points).toEqual([])
  })

  test('it makes no difference what was decoded before', () => {
    const heads = fc.constantFrom(
      '["a","c",{"t":"x},',
      '["a","c",{"t":"x"}',
      '["a","c",{"t":"x"} ',
      '["a","c",{}',
      '{"a":{}',
    )
    const rests = fc.constantFrom(
      ',0,1000,1,1,1,1,1]',
      '"},0,1000,1,1,1,1,1]',
      ',z"} ,0,1000,1,1,1,1,1]',
      ',0]',
      ']',
    )
    const weird = fc.tuple(heads, rests).map(([head, rest]) => head + rest)
    const good = pointArbitrary.map(encodeMetricLine)
    fc.assert(
      fc.property(fc.array(fc.oneof(weird, good), { maxLength: 20 }), (lines) => {
        const known = new Map<string, Series>()
        const remember = (head: string, series: Series) => known.set(head, series) && series
        const body = Buffer.from(lines.join('\n'))
        const cached = { find: (head: string) => known.get(head), add: remember }
        expect(decodeMetricLines(body, cached)).toEqual(decodeMetricLines(body))
        expect(decodeMetricLines(body, cached)).toEqual(decodeMetricLines(body))
      }),
    )
  })

  test('no bytes make it throw', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.uint8Array(),
          fc.json().map((json) => Buffer.from(json)),
        ),
        (bytes) => {
          decodeMetricLines(Buffer.from(bytes))
        },
      ),
    )
  })
})

describe('keys of series', () => {
  test('differ where the series differ, and only there', () => {
    fc.assert(
      fc.property(seriesArbitrary, seriesArbitrary, (one, other) => {
        const shuffled = { ...one, tags: Object.fromEntries(Object.entries(one.tags).toReversed()) }
        expect(seriesKey(shuffled)).toBe(seriesKey(one))
        expect(seriesOfKey(seriesKey(one))).toEqual(one)
        const same =
          JSON.stringify(seriesOfKey(seriesKey(one))) === JSON.stringify(seriesOfKey(seriesKey(other)))
        expect(seriesKey(one) === seriesKey(other)).toBe(same)
      }),
    )
  })

  test('code points have the order of UTF-8 bytes', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.string({ unit: 'binary' }), (one, other) => {
        expect(Math.sign(compareCodePoints(one, other))).toBe(
          Buffer.compare(Buffer.from(one), Buffer.from(other)),
        )
      }),
    )
  })
})
