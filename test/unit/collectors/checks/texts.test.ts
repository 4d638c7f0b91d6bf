import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { harmless } from '../../../../collectors/checks/message.ts'
import { parsePerfValues, PERF_VALUES_MAX } from '../../../../collectors/checks/perf-values.ts'
import { CHECK_MESSAGE_CHARS_MAX } from '../../../../core/health.ts'

test.each([
  { name: 'control characters', text: 'a\u001b[31mred\u0007\r\nb', is: 'a [31mred b' },
  { name: 'turned text', text: 'user \u202Egnp.exe', is: 'user  gnp.exe' },
  { name: 'half of a character', text: 'a\ud800b', is: 'a\ufffdb' },
  { name: 'no half at the end', text: '💡'.repeat(300), is: `${'💡'.repeat(249)}…` },
])('harmless: $name', ({ text, is }) => {
  expect(harmless(text)).toBe(is)
})

test('harmless: whatever comes is short, one line and well-formed', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 3_000, size: 'max' }), (text) => {
      const plain = harmless(text)
      expect(plain.length).toBeLessThanOrEqual(CHECK_MESSAGE_CHARS_MAX)
      expect(plain).not.toMatch(/[\p{Cc}\u2028\u2029\u202a-\u202e]/u)
      expect(plain.isWellFormed()).toBe(true)
    }),
    { numRuns: 20 },
  )
})

test.each([
  { name: 'one', text: 'time=0.5s;1;2;0;10', is: [['time', 0.5, 's']] },
  {
    name: 'several',
    text: "'used space'=12%;80 free=-3.25 n=7c",
    is: [
      ['used space', 12, '%'],
      ['free', -3.25, ''],
      ['n', 7, 'c'],
    ],
  },
  { name: 'an unknown one', text: 'a=U;1 b=2', is: [['b', 2, '']] },
  { name: 'nonsense', text: '= =5 a= a=b x=1.2.3', is: [] },
])('parsePerfValues: $name', ({ text, is }) => {
  expect(parsePerfValues(text).map(({ label, value, unit }) => [label, value, unit])).toEqual(is)
})

test('parsePerfValues takes a bounded number, in bounded time, and only finite ones', () => {
  expect(parsePerfValues(Array.from({ length: 99 }, (_, at) => `a${at}=1`).join(' '))).toHaveLength(
    PERF_VALUES_MAX,
  )
  const startMs = performance.now()
  for (const text of ['a'.repeat(8_192), "'".repeat(8_192), 'a='.repeat(4_096), `a=${'9'.repeat(8_000)}`])
    expect(parsePerfValues(text).length).toBeLessThan(2)
  expect(performance.now() - startMs).toBeLessThan(1_000)
  fc.assert(
    fc.property(fc.string(), (text) => {
      expect(parsePerfValues(text).every(({ value }) => Number.isFinite(value))).toBe(true)
    }),
  )
})
