import { describe, expect, test } from 'vitest'
import {
  createAggregation,
  GAUGE_IDLE_MS,
  SERIES_IDLE_MS,
  type AggregationOptions,
  type StatsdEvent,
  type StatsdServiceCheck,
} from '../../../../collectors/statsd/aggregation.ts'
import { CHUNK_BYTES_MAX, CHUNK_LINES_MAX } from '../../../../collectors/statsd/line-writer.ts'
import { decodeMetricLines } from '../../../../core/metrics/wire.ts'
import { LOST_METRIC, type MetricPoint } from '../../../../core/metrics/types.ts'
import { createDistribution } from '../../../../core/sketch/distribution.ts'
import { createMembers } from '../../../../core/sketch/members.ts'

const FLUSH_MS = 10_000
const START_MS = 1_700_000_000_000

function start(options: Partial<AggregationOptions> = {}) {
  const events: StatsdEvent[] = []
  const checks: StatsdServiceCheck[] = []
  const target = createAggregation({
    flushMs: FLUSH_MS,
    seriesMax: 1_000,
    seriesPerNameMax: 100,
    lateMaxMs: 60_000,
    tags: {},
    nowMs: () => START_MS + 1_000,
    onEvent: (event) => events.push(event),
    onServiceCheck: (check) => checks.push(check),
    ...options,
  })
  let boundaryMs = START_MS
  const send = (text: string | Buffer) => {
    const bytes = Buffer.from(text)
    target.take(bytes, 0, bytes.length)
  }
  const flush = (steps = 1): MetricPoint[] => {
    boundaryMs += steps * FLUSH_MS
    const bodies = [...target.flush(boundaryMs)].map(({ bytes }) => Buffer.from(bytes))
    const { points, bad } = decodeMetricLines(Buffer.concat(bodies))
    expect(bad).toEqual([])
    return points
  }
  return { target, send, flush, events, checks, boundaryMs: () => boundaryMs }
}

const numbers = ({ count, sum, min, max, last }: MetricPoint) => [count, sum, min, max, last]
const only = (points: readonly MetricPoint[]): MetricPoint => {
  expect(points).toHaveLength(1)
  const [point] = points
  if (point === undefined) throw new Error('no point')
  return point
}

describe('one interval', () => {
  test.each([
    { name: 'counters add up', lines: ['a:1|c', 'a:2|c'], want: [2, 3, 1, 2, 2] },
    { name: 'a sample rate scales counters', lines: ['a:3|c|@0.1'], want: [10, 30, 3, 3, 3] },
    { name: 'counters go down, too', lines: ['a:5|c', 'a:-7|c'], want: [2, -2, -7, 5, -7] },
    { name: 'a gauge keeps the last value', lines: ['a:5|g', 'a:3|g'], want: [2, 8, 3, 5, 3] },
    { name: 'a gauge ignores a sample rate', lines: ['a:5|g|@0.5'], want: [1, 5, 5, 5, 5] },
    { name: 'a gauge takes deltas', lines: ['a:5|g', 'a:+3|g', 'a:-10|g'], want: [3, 11, -2, 8, -2] },
    {
      name: 'timers, histograms and distributions are one',
      lines: ['a:1|ms', 'a:2|h', 'a:3|d'],
      want: [3, 6, 1, 3, 3],
    },
    { name: 'values are packed in a line', lines: ['a:1:2:3|d|@0.5'], want: [6, 12, 1, 3, 3] },
    { name: 'sets count values', lines: ['a:x|s', 'a:y|s', 'a:x:1|s'], want: [3, 0, 0, 0, 0] },
  ])('$name', ({ lines, want }) => {
    const { send, flush } = start()
    send(lines.join('\n'))
    expect(numbers(only(flush()))).toEqual(want)
  })

  test('a point has the start, the width and the stamped tags', () => {
    const { send, flush } = start({ tags: { host: 'web-1', team: 'shop' } })
    send('a:1|c|#host:x,b')
    expect(only(flush())).toMatchObject({
      startMs: START_MS,
      stepMs: FLUSH_MS,
      series: {
        name: 'a',
        kind: 'counter',
        tags: { b: '', exported_host: 'x', host: 'web-1', team: 'shop' },
      },
    })
  })

  test('a chain of the first statsd is a line for each of its values', () => {
    const { target, send, flush } = start()
    send('a:1|c:320|ms|@0.5:5|g\nb:x|s:y|s\nc:1|c:2|d|#x:y\nd:1|c:|c')
    expect(
      flush().map(({ series, ...point }) => [series.name, series.kind, ...numbers({ series, ...point })]),
    ).toEqual([
      ['a', 'counter', 1, 1, 1, 1, 1],
      ['a', 'distribution', 2, 640, 320, 320, 320],
      ['a', 'gauge', 1, 5, 5, 5, 5],
      ['b', 'set', 2, 0, 0, 0, 0],
      ['noctule.statsd.lost', 'counter', 2, 2, 1, 1, 1],
    ])
    expect(target.stats().lost).toEqual({ malformed: 2 })
  })

  test('three styles and any order of tags are one series', () => {
    const { send, flush } = start()
    send('a:1|c|#x:1,y:2\na:1|c|#y:2,x:1\na,x=1,y=2:1|c\na[y=2,x=1]:1|c\na,y=2:1|c|#x:1|c:in-7')
    expect(only(flush()).count).toBe(5)
  })

  test('the same name of two kinds is two series', () => {
    const { send, flush } = start()
    send('a:1|c\na:2|g\na:3|ms\na:4|s')
    expect(flush().map(({ series }) => series.kind)).toEqual(['counter', 'gauge', 'distribution', 'set'])
  })

  test('a set of many values is an estimate, a distribution of many values keeps its percentiles', () => {
    const { send, flush } = start()
    for (let i = 1; i <= 5_000; i++) send(`users:u${i}|s\ntime:${i}|ms|@${i % 2 === 0 ? 1 : 0.5}`)
    const [users, time] = flush()
    expect(createMembers(users?.sketch ?? undefined).estimate()).toBeCloseTo(5_000, -3)
    expect(
      Math.abs((createDistribution(time?.sketch ?? undefined).quantile(0.95) ?? 0) / 4750 - 1),
    ).toBeLessThan(0.011)
    expect(time?.count).toBe(7_500)
    expect(time?.series.name).toBe('time')
  })

  test('sample rates that are not the inverse of a whole number scale a distribution, too', () => {
    const { send, flush } = start()
    send('a:10:20:30|ms|@0.3')
    const point = only(flush())
    expect(createDistribution(point.sketch ?? undefined).count).toBeCloseTo(10, 9)
    expect(point.count).toBeCloseTo(10, 9)
  })
})

describe('intervals', () => {
  test('a series without news has no point, and a gauge goes on from its last value', () => {
    const { send, flush } = start()
    send('a:5|g')
    expect(flush()).toHaveLength(1)
    expect(flush()).toEqual([])
    send('a:+1|g')
    expect(only(flush()).last).toBe(6)
  })

  test('what comes while a flush is read counts for the next interval', () => {
    const { target, send, flush } = start({ seriesPerNameMax: 10_000, seriesMax: 10_000 })
    for (let i = 0; i < 3_000; i++) send(`a:1|c|#n:${i}\nt:${i}|ms|#n:${i}`)
    let points = 0
    for (const chunk of target.flush(START_MS + FLUSH_MS)) {
      expect(chunk.points).toBeLessThanOrEqual(CHUNK_LINES_MAX)
      expect(chunk.bytes.length).toBeLessThanOrEqual(CHUNK_BYTES_MAX)
      points += chunk.points
      send('a:1|c|#n:2999\nt:7|ms|#n:2999\nb:1|c')
    }
    expect(points).toBe(6_000)
    const next = flush(2)
    expect(next.map(({ series, count }) => [series.name, count])).toEqual([
      ['a', 6],
      ['t', 6],
      ['b', 6],
    ])
    expect(next.map(({ startMs }) => startMs)).toEqual([1, 1, 1].map((step) => START_MS + step * FLUSH_MS))
  })

  test('the longest series fit into chunks', () => {
    const { target, send } = start()
    const tags = Array.from({ length: 40 }, (_, i) => `${i}${'日'.repeat(200)}:${'"'.repeat(250)}`)
    for (let i = 0; i < 50; i++) send(`${i}${'語'.repeat(300)}:1|c|#${tags.join()}`)
    const chunks = [...target.flush(START_MS + FLUSH_MS)]
    expect(chunks.length).toBeGreaterThan(1)
    expect(Math.max(...chunks.map(({ bytes }) => bytes.length))).toBeLessThanOrEqual(CHUNK_BYTES_MAX)
    expect(target.stats().cut).toBeGreaterThan(0)
  })
})

describe('times', () => {
  test.each([
    { name: 'of this interval', line: `a:1|c|T${START_MS / 1000 + 3}`, startMs: START_MS },
    { name: 'of an older one', line: `a:1|c|T${START_MS / 1000 - 25}`, startMs: START_MS - 30_000 },
    { name: 'of the next one', line: `a:1|g|T${START_MS / 1000 + 12}`, startMs: START_MS + 10_000 },
  ])('$name: the point is of that time', ({ line, startMs }) => {
    const { send, flush } = start()
    send(line)
    expect(only(flush())).toMatchObject({ startMs, count: 1 })
  })

  test.each([
    { name: 'too old', line: `a:1:1|c|T${START_MS / 1000 - 60}` },
    { name: 'of the future', line: `a:1:1|c|T${START_MS / 1000 + 20}` },
  ])('$name: it is counted as late', ({ line }) => {
    const { target, send, flush } = start()
    send(line)
    expect(target.stats().lost).toEqual({ late: 2 })
    expect(only(flush())).toMatchObject({ series: { name: LOST_METRIC, tags: { reason: 'late' } }, sum: 2 })
  })

  test('an older value of a gauge is not its last one', () => {
    const { send, flush } = start()
    send(`a:5|g\na:100|g|T${START_MS / 1000 - 20}\na:+1|g`)
    expect(flush().map(({ startMs, last }) => [startMs, last])).toEqual([
      [START_MS, 6],
      [START_MS - 20_000, 100],
    ])
  })
})

describe('limits', () => {
  test('a name that explodes loses its own series only, and is named', () => {
    const { target, send, flush } = start({ seriesPerNameMax: 3 })
    for (let i = 0; i < 10; i++) send(`bad:1:1|d|#id:${i}\ngood:1|c|#id:${i % 3}`)
    expect(target.stats()).toMatchObject({
      series: 6,
      lost: { name_series: 14 },
      overflowing: [{ name: 'bad', refused: 14 }],
    })
    const points = flush()
    const good = points.filter(({ series }) => series.name === 'good')
    expect(good.reduce((sum, point) => sum + point.count, 0)).toBe(10)
    expect(points.at(-1)).toMatchObject({
      series: { name: LOST_METRIC, tags: { reason: 'name_series' } },
      sum: 14,
    })
    expect(flush()).toEqual([])
  })

  test('series over the limit of all are counted; those that live go on, in any spelling', () => {
    const { target, send } = start({ seriesMax: 2 })
    send('a:1|c|#x,y\nb:1|c\nc:1|c\na:1|c|#y,x\nc:1|c')
    expect(target.stats()).toMatchObject({ series: 2, metrics: 3, lost: { series: 2 } })
  })

  test('idle series leave, gauges later, and what comes then is a new series', () => {
    const { target, send, flush } = start({ seriesMax: 2 })
    send('a:1|c\ng:5|g')
    flush()
    flush(SERIES_IDLE_MS / FLUSH_MS)
    expect(target.stats().series).toBe(1)
    send('b:2|c\na:7|c')
    expect(flush().map(({ series, sum }) => [series.name, sum])).toEqual([
      ['b', 2],
      [LOST_METRIC, 1],
    ])
    flush(GAUGE_IDLE_MS / FLUSH_MS)
    expect(target.stats().series).toBe(0)
    send('g:+1|g')
    expect(only(flush()).last).toBe(1)
  })

  test('a client that spells its tags in a new order every time is counted right', () => {
    const { target, send, flush } = start({ seriesMax: 2 })
    const tags = ['a', 'b', 'c', 'd', 'e', 'f', 'g']
    for (let i = 0; i < 2_000; i++) {
      const turned = tags.map((_, at) => tags[(at * (1 + (i % 6)) + i) % 7])
      send(`x:1|c|#${turned.join()}${','.repeat(i)}`)
    }
    expect(only(flush()).count).toBe(2_000)
    expect(target.stats().series).toBe(1)
  })

  test('more stamped tags than a series may have are a mistake of the configuration', () => {
    const tags = Object.fromEntries(Array.from({ length: 33 }, (_, i) => [`t${i}`, 'x']))
    expect(() => start({ tags })).toThrow(expect.objectContaining({ code: 'BAD_CONFIG' }))
  })

  test('the tags of a client are cut so that the stamped ones fit', () => {
    const { send, flush } = start({ tags: { host: 'h' } })
    send(`a:1|c|#${Array.from({ length: 50 }, (_, i) => `t${10 + i}:v`).join()}`)
    const { tags } = only(flush()).series
    expect(Object.keys(tags)).toHaveLength(32)
    expect(tags).toMatchObject({ host: 'h', t10: 'v', t40: 'v' })
  })
})

describe('bad lines', () => {
  test.each([
    { line: 'nothing', problem: 'it has no value' },
    { line: ':1|c', problem: 'it has no name' },
    { line: ',a=b:1|c', problem: 'it has no name' },
    { line: 'a:1', problem: 'it has no type' },
    { line: 'a:|c', problem: 'it has no value' },
    { line: 'a:1|x', problem: 'its type is unknown' },
    { line: 'a:1|', problem: 'its type is unknown' },
    { line: 'a:1|m', problem: 'its type is unknown' },
    { line: 'a:NaN|c', problem: 'a value is no number' },
    { line: 'a:Infinity|g', problem: 'a value is no number' },
    { line: 'a:1e201|c', problem: 'a value is no number' },
    { line: 'a:0x10|c', problem: 'a value is no number' },
    { line: 'a:1::2|d', problem: 'a value is no number' },
    { line: 'a:1:x|d', problem: 'a value is no number' },
    { line: 'a:1|c|@0', problem: 'its sample rate is not between 0 and 1' },
    { line: 'a:1|c|@2', problem: 'its sample rate is not between 0 and 1' },
    { line: 'a:1|c|Tx', problem: 'its time is not in seconds since 1970' },
    { line: '_e{1,1}', problem: 'the event has no lengths' },
    { line: '_e{5,5}:a|b', problem: 'the lengths of the event are wrong' },
    { line: '_sc|a|7', problem: 'the status of the service check is not 0 to 3' },
    { line: '_sc||0', problem: 'the service check has no name' },
  ])('$line: $problem, and its neighbours count', ({ line, problem }) => {
    const { target, send, flush } = start()
    send(`good:1|c\n${line}\ngood:1|c\n`)
    expect(target.stats()).toMatchObject({
      lost: { malformed: 1 },
      badLines: [{ line, problem }],
      metrics: 2,
    })
    expect(flush().map(({ series, count }) => [series.name, count])).toEqual([
      ['good', 2],
      [LOST_METRIC, 1],
    ])
  })

  test('samples are short, few and without control characters', () => {
    const { target, send } = start()
    for (let i = 0; i < 500; i++) send(`${'x'.repeat(i * 100)}\u001b[31m`)
    const { badLines, lost } = target.stats()
    expect(lost).toEqual({ malformed: 500 })
    expect(badLines).toHaveLength(20)
    expect(badLines[0]?.line).toBe('_[31m')
    expect(Math.max(...badLines.map(({ line }) => line.length))).toBe(200)
  })

  test('names and tags cannot smuggle anything into a terminal, and bytes that are no text are replaced', () => {
    const { send, flush } = start()
    send(Buffer.from('a\u001b]0;x\u0007:1|c|#k\u202e:\u0000', 'utf8'))
    send(Buffer.concat([Buffer.from('b'), Buffer.of(0xff), Buffer.from(':1|c')]))
    expect(flush().map(({ series }) => [series.name, series.tags])).toEqual([
      ['a_]0;x_', { k_: '_' }],
      ['b\ufffd', {}],
    ])
  })

  test('a datagram of 64 KiB is taken like any other', () => {
    const { target, send } = start()
    send('x'.repeat(65_000))
    send(`${'y'.repeat(60_000)}:1|c`)
    send('a:1|c\n'.repeat(10_000))
    send(`d:${'1:'.repeat(30_000)}1|d`)
    expect(target.stats()).toMatchObject({ metrics: 40_002, series: 3, packets: 4, lost: { malformed: 1 } })
  })

  test('empty lines and datagrams, and lines that end with \\r\\n', () => {
    const { target, send, flush } = start()
    send('')
    send('\n\na:1|c\r\n\na:1|c|#x:y\r\na:1|c|@0.5\r')
    expect(target.stats().lost).toEqual({})
    expect(flush().map(({ series, count }) => [series.tags, count])).toEqual([
      [{}, 3],
      [{ x: 'y' }, 1],
    ])
  })

  test('losses found elsewhere are in the same series', () => {
    const { target, flush } = start({ tags: { host: 'h' } })
    target.lost('kernel', 12)
    target.lost('kernel', 3)
    expect(only(flush())).toMatchObject({
      series: { name: LOST_METRIC, kind: 'counter', tags: { host: 'h', reason: 'kernel' } },
      count: 15,
      sum: 15,
    })
    expect(target.stats().lost).toEqual({ kernel: 15 })
  })
})

describe('events and service checks', () => {
  test('are handed on, and the metrics around them count', () => {
    const { target, send, events, checks } = start()
    send('a:1|c\n_e{2,2}:ab|cd\r\n_sc|db|2\n_events:1|c\n_scans:1|c')
    expect(events.map(({ title, text }) => [title, text])).toEqual([['ab', 'cd']])
    expect(checks.map(({ name, status }) => [name, status])).toEqual([['db', 2]])
    expect(target.stats()).toMatchObject({ metrics: 3, lost: {} })
  })
})
