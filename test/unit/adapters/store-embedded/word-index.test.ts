import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { createWordIndexBuilder, openWordIndex } from '../../../../adapters/store-embedded/word-index.ts'
import type { Span, WordIndex } from '../../../../adapters/store-embedded/word-index.ts'
import { heldRecord } from '../../../../adapters/store-record.ts'
import { searchedTexts } from '../../../../core/query/matches.ts'
import { tokenize } from '../../../../core/query/tokenize.ts'
import type { LogRecord } from '../../../../core/record.ts'
import { recordFields } from '../../../support/record-arbitraries.ts'
import { EMPTY_RECORD } from '../../../support/records.ts'

/** From so many records on a word of one pattern must be listed. */
const LISTED_RECORDS = 16
const LISTED_WHOLE_PATTERN = 4

const builder = createWordIndexBuilder()

function record(fields: Partial<LogRecord>): LogRecord {
  return heldRecord({ ...EMPTY_RECORD, id: '', ...fields })
}

function spanOf(records: readonly LogRecord[]): Span {
  const times = records.map(({ timeMs }) => timeMs)
  return { minMs: Math.min(...times), maxMs: Math.max(...times) }
}

function isWithin({ timeMs }: LogRecord, span: Span | null): boolean {
  return span !== null && timeMs >= span.minMs && timeMs <= span.maxMs
}

function indexOf(records: readonly LogRecord[], pairsMax?: number): WordIndex {
  const used = pairsMax === undefined ? builder : createWordIndexBuilder(pairsMax)
  used.begin(spanOf(records))
  for (const { timeMs, message, attrs, pattern, trace } of records) {
    const json = JSON.stringify(attrs)
    used.add(timeMs, message, json === '{}' ? '' : json, pattern, trace)
  }
  return openWordIndex(used.finish())
}

/** Token → pattern → records that have it, found without any cleverness. */
function countTokens(records: readonly LogRecord[]): Map<string, Map<string, number>> {
  const counts = new Map<string, Map<string, number>>()
  for (const one of records) {
    for (const token of new Set(searchedTexts(one).flatMap(tokenize))) {
      const byPattern = counts.get(token) ?? new Map<string, number>()
      counts.set(token, byPattern.set(one.pattern, (byPattern.get(one.pattern) ?? 0) + 1))
    }
  }
  return counts
}

function countPatterns(records: readonly LogRecord[]): Map<string, number> {
  const counts = new Map<string, number>()
  for (const { pattern } of records) counts.set(pattern, (counts.get(pattern) ?? 0) + 1)
  return counts
}

interface Truth {
  readonly token: string
  readonly always: string[]
  readonly some: string[]
  /** Enough records of one pattern have it. */
  readonly isCommon: boolean
}

function truthsOf(records: readonly LogRecord[]): Truth[] {
  const totals = countPatterns(records)
  return [...countTokens(records)].map(([token, counts]) => {
    const isWhole = ([id, count]: [string, number]) => count === totals.get(id)
    const patterns = (whole: boolean) => [...counts].filter((of) => isWhole(of) === whole).map(([id]) => id)
    const isCommon = [...counts].some(
      (of) => of[1] >= LISTED_RECORDS || (of[1] >= LISTED_WHOLE_PATTERN && isWhole(of)),
    )
    return { token, always: patterns(true).toSorted(), some: patterns(false).toSorted(), isCommon }
  })
}

function expectTruth(index: WordIndex, records: readonly LogRecord[]): void {
  expect(index.patterns.toSorted()).toEqual([...countPatterns(records).keys()].toSorted())
  for (const { token, isCommon, ...patterns } of truthsOf(records)) {
    const { always, some, rare } = index.word(token)
    const expected = isCommon ? { ...patterns, rare: false } : { always: [], some: [], rare: true }
    const found = { always: always.toSorted(), some: some.toSorted(), rare: rare !== null }
    expect(found, token).toEqual(expected)
  }
}

const patterned = fc
  .record({ fields: recordFields, pattern: fc.constantFrom('', 'a', 'b', 'größe', 'c"\\') })
  .map(({ fields, pattern }) => record({ ...fields, pattern }))
/** Some records come often, so that words are listed. */
const block = fc
  .array(fc.record({ one: patterned, times: fc.constantFrom(1, 1, 2, 5, 20) }), { maxLength: 12 })
  .map((runs) => runs.flatMap(({ one, times }) => Array.from({ length: times }, () => one)))

describe('word index', () => {
  test('says of every word of a block in which patterns it is, or that it may be anywhere', () => {
    fc.assert(
      fc.property(block, (records) => {
        expectTruth(indexOf(records), records)
      }),
      { numRuns: 200 },
    )
  })

  test('says of a rare word and of a trace id between which times they are', () => {
    const times = fc.constantFrom(-8.64e15, -5, 0, 1, 2, 1_000, 1_001, 86_400_000, 8.64e15)
    const timed = fc.tuple(patterned, times).map(([one, timeMs]) => ({ ...one, timeMs }))
    fc.assert(
      fc.property(fc.array(timed, { maxLength: 8 }), (records) => {
        const index = indexOf(records)
        const whole = { rare: index.span }
        for (const one of records) {
          for (const token of searchedTexts(one).flatMap(tokenize)) {
            const { always, some, rare } = index.word(token)
            const { rare: span } = always.length + some.length > 0 ? whole : { rare }
            expect(isWithin(one, span), token).toBe(true)
          }
          expect(one.trace === '' || isWithin(one, index.traceTimes(one.trace))).toBe(true)
        }
      }),
      { numRuns: 200 },
    )
  })

  test('a word that is once in a block is found in a small part of its time', () => {
    const records = Array.from({ length: 5_000 }, (_, n) =>
      record({ timeMs: n * 10, message: `order ${n} done`, pattern: 'p', trace: `t${n}` }),
    )
    const index = indexOf(records)
    for (const [n, one] of records.entries()) {
      for (const span of [index.word(`${n}`).rare, index.traceTimes(`t${n}`)]) {
        expect(isWithin(one, span)).toBe(true)
        expect((span?.maxMs ?? 0) - (span?.minMs ?? 0)).toBeLessThan(50_000 / 14)
      }
    }
  })

  test('of more pairs than are counted, what it lists is right and every word is rare', () => {
    fc.assert(
      fc.property(block, fc.integer({ min: 0, max: 12 }), (records, pairsMax) => {
        const pairs = [...countTokens(records).values()].reduce((sum, { size }) => sum + size, 0)
        fc.pre(pairs > pairsMax)
        const index = indexOf(records, pairsMax)
        for (const { token, always, some } of truthsOf(records)) {
          const facts = index.word(token)
          expect(facts.rare, token).toEqual(spanOf(records))
          expect(always, token).toEqual(expect.arrayContaining([...facts.always]))
          expect(some, token).toEqual(expect.arrayContaining([...facts.some]))
        }
        expect(records.every(({ trace }) => trace === '' || index.traceTimes(trace) !== null)).toBe(true)
      }),
      { numRuns: 100 },
    )
  })

  test('knows every trace id', () => {
    fc.assert(
      fc.property(block, (records) => {
        const index = indexOf(records)
        expect(records.every(({ trace }) => trace === '' || index.traceTimes(trace) !== null)).toBe(true)
        expect(index.traceTimes('')).toBeNull()
      }),
      { numRuns: 50 },
    )
  })

  test('excludes nearly all words and trace ids that no record has', () => {
    const records = Array.from({ length: 5_000 }, (_, n) =>
      record({ message: `order ${n} of user ${n * 7} took ${n % 50} ms`, pattern: 'p', trace: `t${n}` }),
    )
    const index = indexOf(records)
    const absent = Array.from({ length: 20_000 }, (_, n) => `x${n}`)
    expect(absent.flatMap((word) => index.word(word).always)).toEqual([])
    expect(absent.flatMap((word) => index.word(word).some)).toEqual([])
    expect(absent.filter((word) => index.word(word).rare !== null).length).toBeLessThan(0.01 * absent.length)
    expect(absent.filter((id) => index.traceTimes(id) !== null).length).toBeLessThan(0.01 * absent.length)
    expectTruth(index, records)
  })

  test('looks up each of many listed words', () => {
    const words = Array.from({ length: 1_000 }, (_, n) => `w${n}`)
    const records = Array.from({ length: LISTED_RECORDS }, () => record({ message: words.join(' ') }))
    expectTruth(indexOf(records), records)
  })

  test('lists a word with all of its patterns, also those where it is seldom', () => {
    const patterns = Array.from({ length: 300 }, (_, n) => `pattern-${n}`)
    const records = [
      ...patterns.map((pattern) => record({ message: 'shared', pattern })),
      ...Array.from({ length: 20 }, (_, n) =>
        record({ message: n > 0 ? 'shared' : 'other', pattern: 'pattern-7' }),
      ),
    ]
    const { always, some, rare } = indexOf(records).word('shared')
    expect({ always: new Set(always), some, rare }).toEqual({
      always: new Set(patterns.filter((id) => id !== 'pattern-7')),
      some: ['pattern-7'],
      rare: null,
    })
  })

  test.each([
    { name: 'a long token is cut as everywhere', text: `x ${'ab'.repeat(400)} y` },
    { name: 'a long token of other letters', text: `${'größe'.repeat(120)} end` },
    { name: 'a token of exactly the longest size', text: 'a'.repeat(255) },
    { name: 'one unit more', text: 'a'.repeat(256) },
    { name: 'a text that is larger than the scratch', text: 'word '.repeat(40_000) },
  ])('$name', ({ text }) => {
    const records = Array.from({ length: LISTED_RECORDS }, () =>
      record({ message: text, attrs: { a: text } }),
    )
    expectTruth(indexOf(records), records)
  })

  test('a block without records has nothing', () => {
    const index = indexOf([])
    expect(index.patterns).toEqual([])
    expect(index.word('error')).toEqual({ always: [], some: [], rare: null })
    expect(index.traceTimes('t')).toBeNull()
  })

  test('a block knows nothing of the one before', () => {
    indexOf(Array.from({ length: 50 }, () => record({ message: 'before', pattern: 'old', trace: 'old' })))
    const index = indexOf([record({ message: 'after', pattern: 'new' })])
    expect(index.patterns).toEqual(['new'])
    expect(index.word('before')).toEqual({ always: [], some: [], rare: null })
    expect(index.traceTimes('old')).toBeNull()
  })
})
