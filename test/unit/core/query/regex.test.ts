import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { asServiceError } from '../../../../core/errors.ts'
import { fastestMs } from '../../../support/fastest.ts'
import {
  EXPANSIONS_MAX,
  compileRegex,
  escapeRegex,
  parseRegex,
  renderRegex,
} from '../../../../core/query/regex.ts'

const canonical = (source: string, options = {}) => renderRegex(parseRegex(source, options))

test.each([
  { name: 'literals', source: 'abc', yes: ['abc'], no: ['abcd', 'ab', 'ABC'] },
  {
    name: 'the dot is any one character, also a newline',
    source: 'a.c',
    yes: ['abc', 'a\nc', 'a🦇c'],
    no: ['ac'],
  },
  { name: 'star, plus, question mark', source: 'a*b+c?', yes: ['b', 'aabbc'], no: ['a', 'ac'] },
  { name: 'counts', source: 'a{2}b{1,2}c{2,}', yes: ['aabcc', 'aabbcccc'], no: ['abcc', 'aabc'] },
  { name: 'groups and alternatives', source: 'x(ab|c)+y', yes: ['xaby', 'xabccy'], no: ['xy'] },
  { name: 'alternatives cover the whole', source: 'ab|cd', yes: ['ab', 'cd'], no: ['abd', 'acd'] },
  { name: 'classes', source: '[a-c_][^0-9-]', yes: ['ab', '_z'], no: ['a1', 'a-', 'db'] },
  { name: 'a hyphen at an edge of a class is itself', source: '[a-][-b]', yes: ['--', 'ab'], no: ['b-'] },
  { name: 'digits, words, blanks', source: String.raw`\d\w\s`, yes: ['1a ', '9_\t'], no: ['aa ', '1a_'] },
  { name: 'short classes inside a class', source: String.raw`[\d.]+`, yes: ['10.0.0.1'], no: ['a'] },
  { name: 'escapes', source: String.raw`\(\.\*\\\n\/`, yes: ['(.*\\\n/'], no: ['(.*\\n/'] },
])('regex: $name', ({ source, yes, no }) => {
  const test = compileRegex(canonical(source))
  for (const text of yes) expect({ text, found: test(text) }).toEqual({ text, found: true })
  for (const text of no) expect({ text, found: test(text) }).toEqual({ text, found: false })
})

test.each([
  { source: 'abc.*', yes: ['abc', 'abcd'], no: ['xabc'] },
  { source: '.*abc', yes: ['abc', 'xabc'], no: ['abcd'] },
  { source: '.*abc.*', yes: ['abc', 'xabcx'], no: ['acb'] },
  { source: '.*', yes: ['', 'x'], no: [] },
  { source: 'a.*b', yes: ['ab', 'axb'], no: ['axbx'] },
])('the short ways mean the same: $source', ({ source, yes, no }) => {
  for (const text of yes) expect(compileRegex(source)(text)).toBe(true)
  for (const text of no) expect(compileRegex(source)(text)).toBe(false)
})

test.each([
  { name: 'letters', source: 'TimeOut', becomes: 'timeout' },
  { name: 'a range of capitals gains the small ones', source: '[A-F]', becomes: '[A-Fa-f]' },
  { name: 'beyond ASCII', source: '[À-Þ]', becomes: '[À-Þà-þ]' },
])('for tokens a regex is lower-cased: $name', ({ source, becomes }) => {
  expect(canonical(source, { tokens: true })).toBe(becomes)
})

test.each([
  { source: '', column: 1, expected: 'a character, a class or a group' },
  { source: 'a|', column: 3, expected: 'a character' },
  { source: '()', column: 2, expected: 'a character' },
  { source: '(a', column: 1, expected: '")" at its end' },
  { source: 'a)', column: 2, expected: 'literal ")"' },
  { source: '[a', column: 1, expected: '"]" at its end' },
  { source: '[]', column: 2, expected: 'a character in the class' },
  { source: '[b-a]', column: 5, expected: 'end is not before' },
  { source: 'a]', column: 2, expected: '\\]' },
  { source: '*a', column: 1, expected: 'something to repeat' },
  { source: 'a**', column: 3, expected: 'no second repetition' },
  { source: 'a*?', column: 3, expected: 'no second repetition' },
  { source: 'a{', column: 2, expected: '{m,n}' },
  { source: 'a{,3}', column: 2, expected: '{m,n}' },
  { source: 'a{3,2}', column: 2, expected: 'm ≤ n' },
  { source: '^a$', column: 1, expected: 'no anchor' },
  { source: '(?:a)', column: 2, expected: 'a plain group' },
  { source: String.raw`\b`, column: 1, expected: String.raw`\d, \w, \s` },
  { source: String.raw`(a)\1`, column: 4, expected: String.raw`\d, \w, \s` },
  { source: String.raw`a\ `.trim(), column: 2, expected: String.raw`\d, \w, \s` },
])('regex: $source is refused at column $column', ({ source, column, expected }) => {
  expect(() => parseRegex(source)).toThrow(
    expect.objectContaining({
      code: 'QUERY_SYNTAX',
      details: { column, expected: expect.stringContaining(expected) as unknown },
    }),
  )
})

test('a separator in a regex for tokens is refused, as it could never match', () => {
  expect(() => parseRegex(String.raw`10\.0`, { tokens: true })).toThrow(/a part of one word/)
})

test.each([
  { name: 'a count', source: 'a{256}' },
  { name: 'counts inside counts', source: '(a{100}){100}' },
  { name: 'groups inside groups', source: `${'('.repeat(40)}a${')'.repeat(40)}` },
  { name: 'characters', source: 'a'.repeat(1_001) },
  { name: 'alternatives in a row', source: Array.from({ length: EXPANSIONS_MAX + 1 }, () => 'a').join('|') },
  { name: 'alternatives that multiply', source: '(a|b)(c|d|e)(f|g|h)(i|j|k)(l|m|n)' },
  { name: 'alternatives that are repeated', source: '(a|b){8}' },
])('a regex that costs too much is refused: $name', ({ source }) => {
  expect(() => parseRegex(source)).toThrow(expect.objectContaining({ code: 'QUERY_TOO_BROAD' }))
})

test.each(['(a|b){7}', '(a|b)+(c|d)*', '[a-z]{200}', 'a?'.repeat(200), '(a{200}|b){3}'])(
  'a regex within the bounds is taken: %s',
  (source) => {
    expect(() => parseRegex(source)).not.toThrow()
  },
)

test('the canonical form of a regex at the bound of groups compiles', () => {
  const source = `a|${'(a|'.repeat(32)}b${')'.repeat(32)}`
  expect(compileRegex(canonical(source))('b')).toBe(true)
})

test.each(['(a+)+b', '(a|a)*b', '(a*)*(a*)*b', '.*.*.*.*.*.*b', '(a|b)*a(a|b){60}c', '(x+x+)+y'])(
  'no regex runs away: %s',
  (source) => {
    const test = compileRegex(source)
    expect(test('a'.repeat(8_000))).toBe(false)
    expect(fastestMs(() => test('a'.repeat(8_000)), 2)).toBeLessThan(1_000)
  },
)

const atom: fc.Arbitrary<string> = fc.oneof(
  fc.constantFrom('a', 'b', '.', '[ab]', '[^a]', String.raw`\d`, '-', 'É', '🦇'),
  fc
    .string({ unit: fc.constantFrom('a', 'b', '1', '-', '.', '(', '['), minLength: 1, maxLength: 3 })
    .map(escapeRegex),
)
const regex = fc
  .letrec<{ node: string; sequence: string }>((tie) => ({
    node: fc.oneof(
      { maxDepth: 3 },
      atom,
      fc.tuple(tie('sequence'), tie('sequence')).map(([a, b]) => `(${a}|${b})`),
      fc
        .tuple(tie('node'), fc.constantFrom('*', '+', '?', '{2}', '{1,2}', '{2,}'))
        .map(([a, count]) => `(${a})${count}`),
    ),
    sequence: fc.array(tie('node'), { minLength: 1, maxLength: 3 }).map((nodes) => nodes.join('')),
  }))
  .sequence.filter((source) => !isTooBroad(source))

function isTooBroad(source: string): boolean {
  try {
    parseRegex(source)
    return false
  } catch (error) {
    if (asServiceError(error)?.code === 'QUERY_TOO_BROAD') return true
    throw error
  }
}

test('a regex means what it means in JavaScript', () => {
  const text = fc.string({ unit: fc.constantFrom('a', 'b', '1', '-', '\n', 'É', '🦇'), maxLength: 6 })
  fc.assert(
    fc.property(regex, fc.array(text, { minLength: 5, maxLength: 5 }), (source, texts) => {
      const oracle = new RegExp(`^(?:${source})$`, 'su')
      const test = compileRegex(canonical(source))
      for (const text of texts)
        expect({ text, found: test(text) }).toEqual({ text, found: oracle.test(text) })
    }),
    { numRuns: 500 },
  )
})

test('the canonical form is its own canonical form', () => {
  fc.assert(
    fc.property(regex, (source) => {
      expect(canonical(canonical(source))).toBe(canonical(source))
    }),
  )
})

test('an escaped text matches itself', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme', minLength: 1, maxLength: 20 }), (text) => {
      expect(compileRegex(canonical(escapeRegex(text)))(text)).toBe(true)
    }),
  )
})
