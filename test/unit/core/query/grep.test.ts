import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { ServiceError } from '../../../../core/errors.ts'
import { GREP_CHARS_MAX, compileGrep } from '../../../../core/query/grep.ts'
import { fastestMs } from '../../../support/fastest.ts'
import { EMPTY_RECORD } from '../../../support/records.ts'

const record = {
  ...EMPTY_RECORD,
  id: 'x',
  host: 'web-1',
  message: 'GET /api/v1/users took 12.5 ms\nuser=ada',
  attrs: { agent: 'curl/8.1', codes: [200, 'E-17'], ok: true, note: 'Größe 🦇!' },
}

test.each([
  { grep: 'v1/users took', found: true },
  { grep: 'V1/USERS', found: false },
  { grep: '(?i)V1/USERS', found: true },
  { grep: String.raw`took \d+\.\d+ ms`, found: true },
  { grep: '^GET', found: true },
  { grep: '^user=', found: false },
  { grep: '(?m)^user=', found: true },
  { grep: 'ms.user', found: false },
  { grep: '(?s)ms.user', found: true },
  { grep: 'curl/[0-9.]+$', found: true },
  { grep: '^200$', found: true },
  { grep: '^E-17$', found: true },
  { grep: '^true$', found: true },
  { grep: 'Größe 🦇', found: true },
  { grep: '🦇.$', found: true },
  { grep: 'web-1', found: false },
  { grep: 'ada.*curl', found: false },
  { grep: '(?s)ada.*curl', found: false },
  { grep: 'a**'.slice(0, 2), found: true },
  { grep: String.raw`\x{1F987}`, found: true },
  { grep: String.raw`\Q12.5 ms\E`, found: true },
  { grep: '[])]', found: false },
])('grep: $grep is $found', ({ grep, found }) => {
  expect(compileGrep(grep)(record)).toBe(found)
})

test.each([
  { grep: '', column: 1, expected: 'a regular expression' },
  { grep: 'a(b', column: 2, expected: '")" at its end' },
  { grep: '(a)(b', column: 4, expected: '")" at its end' },
  { grep: 'a)b', column: 2, expected: '"(" before it' },
  { grep: '[)]a)', column: 5, expected: '"(" before it' },
  { grep: 'a[b', column: 2, expected: '"]" at the end' },
  { grep: '*a', column: 1, expected: 'something to repeat' },
  { grep: 'ba**', column: 3, expected: 'no second repetition' },
  { grep: 'a{3,2}', column: 2, expected: 'm ≤ n' },
  { grep: 'a(?=b)', column: 2, expected: 'no look-around' },
  { grep: 'a(?q)', column: 2, expected: 'no look-around' },
  { grep: String.raw`(a)\1`, column: 4, expected: 'escaped punctuation' },
  { grep: 'ab\\', column: 4, expected: 'makes literal' },
  { grep: 'x[b-a]', column: 3, expected: 'end is not before' },
  { grep: String.raw`x\pX`, column: 2, expected: 'that RE2 knows' },
  { grep: '(?P<n>a)(?P<n', column: 9, expected: 'a plain group' },
  { grep: '(?P<n>a)(?P<n>b)', column: 5, expected: 'a plain group' },
])('grep: $grep is refused at column $column', ({ grep, column, expected }) => {
  expect(() => compileGrep(grep)).toThrow(
    expect.objectContaining({
      code: 'QUERY_SYNTAX',
      message: expect.stringMatching(new RegExp(`^column ${column}: found .*; expected `, 's')) as unknown,
      details: { column, expected: expect.stringContaining(expected) as unknown },
    }),
  )
})

test.each([
  { name: 'too long', grep: 'a'.repeat(GREP_CHARS_MAX + 1) },
  { name: 'a count', grep: 'a{1001}' },
  { name: 'counts inside counts', grep: '((a{100}){100}){100}' },
  { name: 'a long group, often', grep: `(?:${'ab'.repeat(480)}){1000}` },
  { name: 'many counts', grep: String.raw`\pL{1000}`.repeat(100) },
  { name: 'a long quotation, often', grep: `(\\Q${'{'.repeat(100)}\\E){11}` },
])('grep refuses quickly what would cost too much: $name', ({ grep }) => {
  const refuse = () => {
    expect(() => compileGrep(grep)).toThrow(expect.objectContaining({ code: 'QUERY_TOO_BROAD' }))
  }
  expect(fastestMs(refuse)).toBeLessThan(50)
})

test('the bounds of grep are allowed', () => {
  expect(compileGrep('a'.repeat(GREP_CHARS_MAX))(record)).toBe(false)
  expect(compileGrep('(?:a{10}){90}')(record)).toBe(false)
})

test.each(['(a+)+b', '(a|a)*b', '(.*)*(.*)*b', '(?s).*.*.*.*.*=b', '(x+x+)+y', '(a?){300}a{300}b'])(
  'no grep runs away: %s',
  (grep) => {
    const found = compileGrep(grep)
    const long = { ...record, message: 'a'.repeat(5_000) }
    expect(found(long)).toBe(false)
    expect(fastestMs(() => found(long), 2)).toBeLessThan(2_000)
  },
)

test('any text is a test or a ServiceError that points into it', () => {
  const piece = fc.constantFrom(
    ...'a 🦇 ( ) [ ] { } {2} {1,900} * + ? | \\ \\d \\p (?i) (?P<n> ^ $ . - \\Q \\E , [:x:] \\x{'.split(' '),
  )
  const text = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.array(piece, { maxLength: 12 }).map((all) => all.join('')),
  )
  fc.assert(
    fc.property(text, (text) => {
      expect(outcome(text)).toSatisfy(
        (result) =>
          typeof result === 'boolean' || (result instanceof ServiceError && pointsInto(text, result)),
      )
    }),
    { numRuns: 1_000 },
  )
})

test('a plain text is found where JavaScript finds it', () => {
  const text = fc.string({ unit: fc.constantFrom('a', 'B', ' ', '.', '\n', 'ß', '🦇'), maxLength: 8 })
  fc.assert(
    fc.property(text, text, fc.array(text, { maxLength: 2 }), (needle, message, values) => {
      fc.pre(needle !== '')
      const found = compileGrep(needle.replaceAll('.', String.raw`\.`))({
        ...record,
        message,
        attrs: { values },
      })
      expect(found).toBe([message, ...values].some((value) => value.includes(needle)))
    }),
  )
})

function outcome(grep: string): unknown {
  try {
    return compileGrep(grep)(record)
  } catch (error) {
    return error
  }
}

function pointsInto(text: string, { code, details }: ServiceError): boolean {
  const column = Number(details['column'])
  return /^QUERY_(SYNTAX|TOO_BROAD)$/.test(code) && column >= 1 && column <= text.length + 1
}
