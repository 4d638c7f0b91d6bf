import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  SERVICES_LISTED_MAX,
  decodeSegmentIndex,
  encodeSegmentIndex,
} from '../../../../adapters/store-embedded/segment-index.ts'
import { blockMinutes, eachMinute } from '../../../../adapters/store-embedded/block-minutes.ts'
import type { BlockFacts } from '../../../../adapters/store-embedded/segment-index.ts'
import { createWordIndexBuilder } from '../../../../adapters/store-embedded/word-index.ts'

const CORRUPT = expect.objectContaining({ code: 'DATA_CORRUPT' })
const builder = createWordIndexBuilder()
const SPAN = { minMs: 5, maxMs: 5 }

function wordsOf(word: string): Uint8Array {
  builder.begin(SPAN)
  for (let n = 0; n < 20; n++)
    builder.add(SPAN.minMs, `${word} ${n}`, '', `pattern of ${word}`, `trace of ${word}`)
  return builder.finish()
}

const counts = fc.array(fc.tuple(fc.string({ unit: 'grapheme' }), fc.array(fc.nat(), { maxLength: 4 })), {
  maxLength: 3,
})
const facts = fc.record<BlockFacts>({
  records: fc.nat(),
  minMs: fc.integer({ min: -8.64e15, max: 0 }),
  maxMs: fc.integer({ min: 0, max: 8.64e15 }),
  levels: fc.array(fc.constantFrom('', 'error', 'info')),
  services: fc.option(fc.array(fc.string({ unit: 'grapheme' }), { maxLength: 5 })),
  plain: fc.boolean(),
  tallies: fc.constant([null, { names: ['a', 'b'], rows: [0, 1], fromMs: 7 }]),
  minutes: fc.option(fc.record({ firstMs: fc.integer(), level: counts, service: counts })),
})

const EXAMPLE: BlockFacts = {
  records: 20,
  minMs: 1,
  maxMs: 2,
  levels: ['info'],
  services: ['web'],
  plain: true,
  tallies: [null, null],
  minutes: null,
}
const good = encodeSegmentIndex([
  { ...EXAMPLE, words: wordsOf('one') },
  { ...EXAMPLE, minMs: 3, maxMs: 4, words: wordsOf('two') },
])

test('counts by minute are given back per level and per service', () => {
  const group = fc.record({
    minuteMs: fc.integer({ min: -50, max: 50 }).map((minute) => minute * 60_000),
    level: fc.constantFrom('', 'error', 'info'),
    service: fc.constantFrom('', 'shop', '__proto__'),
    records: fc.integer({ min: 1, max: 1_000 }),
  })
  fc.assert(
    fc.property(fc.array(group), (groups) => {
      const minutes = blockMinutes(groups)
      for (const field of ['level', 'service'] as const) {
        const found: unknown[] = []
        if (minutes !== null)
          eachMinute(minutes, field, (minuteMs, value, records) => found.push([minuteMs, value, records]))
        const cells = Map.groupBy(groups, (one) => JSON.stringify([one.minuteMs, one[field]]))
        const expected = [...cells.values()].map((cell) => {
          const [first] = cell
          return [first?.minuteMs, first?.[field], cell.reduce((sum, { records }) => sum + records, 0)]
        })
        expect(new Set(found.map((one) => JSON.stringify(one)))).toEqual(
          new Set(expected.map((one) => JSON.stringify(one))),
        )
        expect(found).toHaveLength(expected.length)
      }
    }),
  )
})

test('a block with too many minutes does not list them', () => {
  const groups = Array.from({ length: 5_000 }, (_, n) => ({
    minuteMs: n * 60_000,
    level: 'info',
    service: 'shop',
    records: 1,
  }))
  expect(blockMinutes(groups)).toBeNull()
  expect(blockMinutes(groups.slice(0, 2_000))).not.toBeNull()
})

describe('segment index', () => {
  test('gives back the facts and words of every block', () => {
    fc.assert(
      fc.property(fc.array(facts, { maxLength: 4 }), (all) => {
        const blocks = all.map((one, nth) => ({ ...one, words: wordsOf(`word${nth}`) }))
        const decoded = decodeSegmentIndex(encodeSegmentIndex(blocks))
        expect(decoded).toEqual(all.map((one) => ({ ...one, words: expect.anything() })))
        decoded.forEach(({ words }, nth) => {
          const word = `word${nth}`
          expect(words.word(word)).toEqual({ always: [`pattern of ${word}`], some: [], rare: null })
          expect(words.traceTimes(`trace of ${word}`)).toEqual(SPAN)
        })
      }),
    )
  })

  test('a place in the middle of a larger buffer is as good', () => {
    const larger = Buffer.concat([Buffer.alloc(3), good, Buffer.alloc(5)])
    const [, second] = decodeSegmentIndex(larger.subarray(3, 3 + good.length))
    expect(second?.words.word('two').always).toEqual(['pattern of two'])
  })

  test('does not list too many services', () => {
    const services = Array.from({ length: SERVICES_LISTED_MAX + 1 }, (_, n) => `s${n}`)
    const words = wordsOf('x')
    const blocks = [
      { ...EXAMPLE, services, words },
      { ...EXAMPLE, services: services.slice(1), words },
    ]
    const decoded = decodeSegmentIndex(encodeSegmentIndex(blocks))
    expect(decoded.map((block) => block.services)).toEqual([null, services.slice(1)])
  })

  test('any changed bit is noticed', () => {
    fc.assert(
      fc.property(fc.nat({ max: good.length - 1 }), fc.nat({ max: 7 }), (at, bit) => {
        const bad = Uint8Array.from(good)
        bad[at] = (bad[at] ?? 0) ^ (1 << bit)
        expect(() => decodeSegmentIndex(bad)).toThrow(CORRUPT)
      }),
    )
  })

  test('a cut or longer file is noticed', () => {
    for (let length = 0; length < good.length; length++)
      expect(() => decodeSegmentIndex(good.subarray(0, length))).toThrow(CORRUPT)
    expect(() => decodeSegmentIndex(Buffer.concat([good, Buffer.alloc(1)]))).toThrow(CORRUPT)
  })
})
