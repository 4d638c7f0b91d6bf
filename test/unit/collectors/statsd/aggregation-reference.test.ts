import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { createAggregation, type Aggregation } from '../../../../collectors/statsd/aggregation.ts'
import { decodeMetricLines, encodeMetricLine } from '../../../../core/metrics/wire.ts'
import { LOST_METRIC } from '../../../../core/metrics/types.ts'
import { statsdLine } from '../../../support/statsd-lines.ts'
import { createStatsdReference } from '../../../support/statsd-reference.ts'

const FLUSH_MS = 10_000
const START_MS = 1_700_000_000_000
const TAGS = { host: 'web-1', tier: 'webhead' }
const OPTIONS = { flushMs: FLUSH_MS, lateMaxMs: 600_000, tags: TAGS, nowMs: () => START_MS + 5_000 }

function aggregation(seed = 7): Aggregation {
  return createAggregation({
    ...OPTIONS,
    seriesMax: 100_000,
    seriesPerNameMax: 100_000,
    seed,
    onEvent: () => undefined,
    onServiceCheck: () => undefined,
  })
}

function take(target: Aggregation, datagram: Buffer): void {
  const room = Buffer.concat([Buffer.from('|#x'), datagram, Buffer.from('5|c')])
  target.take(room, 3, 3 + datagram.length)
}

/** What a flush gives, sorted, without the lines of losses. */
function flushed(target: Aggregation, boundaryMs: number): string[] {
  const bodies = [...target.flush(boundaryMs)].map(({ bytes }) => Buffer.from(bytes).toString('utf8'))
  return bodies
    .flatMap((body) => body.split('\n').slice(0, -1))
    .filter((line) => !line.includes(LOST_METRIC))
    .toSorted()
}

/** Lines in datagrams of one to five; one more flush after every so many. */
const traffic = fc.record({
  lines: fc.array(statsdLine(START_MS / 1000), { maxLength: 60 }),
  sizes: fc.array(fc.integer({ min: 1, max: 5 }), { minLength: 1, maxLength: 5 }),
  flushAt: fc.nat(60),
})

function packed(lines: readonly string[], sizes: readonly number[]): Buffer[] {
  const datagrams: Buffer[] = []
  for (let at = 0, turn = 0; at < lines.length; turn++) {
    const size = sizes[turn % sizes.length] ?? 1
    datagrams.push(Buffer.from(lines.slice(at, at + size).join('\n')))
    at += size
  }
  return datagrams
}

describe('the aggregation equals its reference', () => {
  test('for all types, styles of tags, rates, times and packings, over two intervals', () => {
    fc.assert(
      fc.property(traffic, ({ lines, sizes, flushAt }) => {
        const target = aggregation()
        const reference = createStatsdReference(OPTIONS)
        const parts = [lines.slice(0, flushAt), lines.slice(flushAt)]
        parts.forEach((part, i) => {
          for (const datagram of packed(part, sizes)) {
            take(target, datagram)
            reference.take(datagram)
          }
          const boundaryMs = START_MS + (i + 1) * FLUSH_MS
          expect(flushed(target, boundaryMs)).toEqual(reference.flush(boundaryMs))
        })
        const { malformed = 0, late = 0 } = target.stats().lost
        expect({ malformed, late }).toEqual(reference.lost)
      }),
      { numRuns: 400 },
    )
  })

  test('for lines with changed, lost and strange bytes', () => {
    const change = fc.record({
      at: fc.nat(400),
      byte: fc.nat(255),
      how: fc.constantFrom('set', 'cut', 'add'),
    })
    const body = fc.tuple(
      fc.array(statsdLine(START_MS / 1000), { minLength: 1, maxLength: 8 }),
      fc.array(change, { maxLength: 4 }),
    )
    fc.assert(
      fc.property(body, ([lines, changes]) => {
        let datagram: Buffer = Buffer.from(lines.join('\n'))
        for (const { at, byte, how } of changes) {
          const place = at % (datagram.length + 1)
          const kept = datagram.subarray(how === 'add' ? place : place + 1)
          datagram = Buffer.concat([
            datagram.subarray(0, place),
            how === 'cut' ? Buffer.alloc(0) : Buffer.of(byte),
            kept,
          ])
        }
        const target = aggregation()
        const reference = createStatsdReference(OPTIONS)
        take(target, datagram)
        reference.take(datagram)
        expect(flushed(target, START_MS + FLUSH_MS)).toEqual(reference.flush(START_MS + FLUSH_MS))
        expect(target.stats().lost.malformed ?? 0).toBe(reference.lost.malformed)
      }),
      { numRuns: 600 },
    )
  })

  test('whatever the seed of its hashes', () => {
    fc.assert(
      fc.property(traffic, fc.integer(), ({ lines, sizes }, seed) => {
        const results = [aggregation(1), aggregation(seed)].map((target) => {
          for (const datagram of packed(lines, sizes)) take(target, datagram)
          return flushed(target, START_MS + FLUSH_MS)
        })
        expect(results[0]).toEqual(results[1])
      }),
      { numRuns: 50 },
    )
  })
})

test('every line can be decoded, and encodes to the same bytes', () => {
  fc.assert(
    fc.property(fc.array(statsdLine(START_MS / 1000), { maxLength: 30 }), (lines) => {
      const target = aggregation()
      take(target, Buffer.from(lines.join('\n')))
      const given = [...target.flush(START_MS + FLUSH_MS)].map(({ bytes }) => Buffer.from(bytes))
      const { points, bad } = decodeMetricLines(Buffer.concat(given))
      expect(bad).toEqual([])
      expect(points.map((point) => `${encodeMetricLine(point)}\n`).join('')).toBe(
        Buffer.concat(given).toString(),
      )
    }),
  )
})

test('any bytes at all are taken, and the good line behind them counts', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
      const target = aggregation()
      take(target, Buffer.concat([bytes, Buffer.from('\ngood:1|c')]))
      expect(flushed(target, START_MS + FLUSH_MS).some((line) => line.startsWith('["good","c"'))).toBe(true)
    }),
    { numRuns: 1000 },
  )
})
