import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { createTokenScanner, hashToken } from '../../../../adapters/store-embedded/token-hash.ts'
import type { TextSpan, TokenScanner } from '../../../../adapters/store-embedded/token-hash.ts'
import { heldAttrs } from '../../../../adapters/store-record.ts'
import { searchedTexts } from '../../../../core/query/matches.ts'
import { tokenize } from '../../../../core/query/tokenize.ts'
import type { Attrs } from '../../../../core/record.ts'
import { EMPTY_RECORD } from '../../../support/records.ts'

const CORRUPT = expect.objectContaining({ code: 'DATA_CORRUPT' })
const SEED = { low: 7, high: -8 }

/** The different tokens that a scan tells of. Each must have the hash of its text. */
function tokensOf(scan: (scanner: TokenScanner) => void): string[] {
  const found = new Set<string>()
  const scanner = createTokenScanner(SEED, (low, high, start, end) => {
    const text = scanner.textOf(start, end)
    expect({ low, high }, text).toEqual(hashToken(text, SEED))
    found.add(text)
  })
  scan(scanner)
  return [...found].toSorted()
}

const sorted = (tokens: readonly string[]) => [...new Set(tokens)].toSorted()
const tokensOfAttrs = (attrs: Attrs) =>
  sorted(searchedTexts({ ...EMPTY_RECORD, id: '', attrs }).flatMap(tokenize))

const text = fc
  .oneof(
    fc.string({ maxLength: 40 }),
    fc.string({ unit: 'binary', maxLength: 12 }),
    fc.constantFrom(
      'a\\"b',
      'a\nb c',
      'ERROR: x_1',
      '{"in":[1]}',
      ']',
      ',',
      'ẞ',
      'K',
      'İx',
      '😀b',
      'é'.repeat(300),
    ),
    fc.string({ unit: fc.constantFrom('a', 'Z', '_', '9', ' '), maxLength: 600 }),
  )
  .map((value) => value.toWellFormed())
const scalar = fc.oneof(text, fc.double(), fc.integer(), fc.boolean(), fc.constantFrom(1e21, 1e-7, -0, 0.1))
const attrs = fc
  .dictionary(text, fc.oneof(scalar, fc.array(scalar, { maxLength: 4 })), { maxKeys: 5 })
  .map(heldAttrs)

describe('token scanner', () => {
  test('finds the tokens of a text that tokenize finds', () => {
    fc.assert(
      fc.property(text, (value) => {
        expect(tokensOf((scanner) => scanner.scanText(value))).toEqual(sorted(tokenize(value)))
      }),
      { numRuns: 1_000 },
    )
  })

  test('finds the tokens of all leaf values of attrs, and none of keys', () => {
    fc.assert(
      fc.property(attrs, (value) => {
        const json = JSON.stringify(value)
        expect(tokensOf((scanner) => scanner.scanAttrs(json))).toEqual(tokensOfAttrs(value))
      }),
      { numRuns: 1_000 },
    )
  })

  test('finds the same in texts among others, and leaves them as they are', () => {
    fc.assert(
      fc.property(text, attrs, text, (before, value, behind) => {
        const texts = [before, JSON.stringify(value), behind]
        const bytes = Buffer.from(texts.join(''))
        const [first = 0, second = 0] = texts.map((part) => Buffer.byteLength(part))
        const spans = [0, first, first + second, bytes.length].map((start, at, ends) => ({
          bytes,
          start,
          end: ends[at + 1] ?? start,
        }))
        const [one, json, last] = spans as [TextSpan, TextSpan, TextSpan]
        expect(tokensOf((scanner) => scanner.scanTextIn(one))).toEqual(sorted(tokenize(before)))
        expect(tokensOf((scanner) => scanner.scanAttrsIn(json))).toEqual(tokensOfAttrs(value))
        expect(tokensOf((scanner) => scanner.scanTextIn(last))).toEqual(sorted(tokenize(behind)))
        expect(bytes.toString()).toBe(texts.join(''))
      }),
      { numRuns: 500 },
    )
  })

  test.each<{ name: string; attrs: Attrs; tokens: string[] }>([
    { name: 'numbers as they are printed', attrs: { a: 1e21, b: -1.5 }, tokens: ['1', '1e', '21', '5'] },
    { name: 'truth values', attrs: { yes: true, no: [false, true] }, tokens: ['false', 'true'] },
    { name: 'an escaped blank parts words', attrs: { k: 'One\ttwo' }, tokens: ['one', 'two'] },
    { name: 'an escaped key', attrs: { 'a"b\\': 'c' }, tokens: ['c'] },
    {
      name: 'a key of other letters before a plain value',
      attrs: { größe: 'x', é: ['y'] },
      tokens: ['x', 'y'],
    },
    { name: 'what looks like structure', attrs: { k: '"],}', l: ['[', ','] }, tokens: [] },
    { name: 'empty values', attrs: { a: '', b: [], c: ['', 'z'] }, tokens: ['z'] },
    { name: 'no attrs', attrs: {}, tokens: [] },
  ])('$name', ({ attrs, tokens }) => {
    expect(tokensOf((scanner) => scanner.scanAttrs(JSON.stringify(attrs)))).toEqual(tokens)
  })

  test.each(['{"a":{"b":1}}', '{"a":[1', '{"a":"x', '{"a', '[1]', '{"a":1}}', '{"a":"\\'])(
    'what is no flat object is refused: %s',
    (json) => {
      expect(() => tokensOf((scanner) => scanner.scanAttrs(json))).toThrow(CORRUPT)
    },
  )

  test('another seed gives another hash', () => {
    expect(hashToken('error', SEED)).not.toEqual(hashToken('error', { low: 8, high: -8 }))
    expect(hashToken('error', SEED)).not.toEqual(hashToken('error', { low: 7, high: 8 }))
  })

  test('numbers do not collide', () => {
    const hashes = new Set<string>()
    for (let n = 0; n < 100_000; n++) {
      const { low, high } = hashToken(String(n), SEED)
      hashes.add(`${low} ${high}`)
    }
    expect(hashes.size).toBe(100_000)
  })
})
