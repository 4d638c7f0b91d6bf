import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { writeNumber } from '../../../../collectors/statsd/line-writer.ts'
import { parseDecimal, VALUE_MAX } from '../../../../collectors/statsd/parse-decimal.ts'
import { createLine, parseLine } from '../../../../collectors/statsd/parse-line.ts'

const decimals = fc.oneof(
  fc.double({ min: -VALUE_MAX, max: VALUE_MAX, noNaN: true }).map(String),
  fc.double({ min: -1e6, max: 1e6, noNaN: true }).map(String),
  fc.integer().map(String),
  fc
    .tuple(fc.constantFrom('', '-', '+'), fc.stringMatching(/^\d{0,20}$/), fc.stringMatching(/^\d{0,20}$/))
    .filter(([, whole, part]) => whole !== '' || part !== '')
    .map(([sign, whole, part]) => `${sign}${whole}.${part}`),
)

function parsed(text: string): number {
  const bytes = Buffer.from(`9${text}9`)
  return parseDecimal(bytes, 1, bytes.length - 1)
}

function written(value: number): string {
  const out = Buffer.alloc(40)
  return out.toString('latin1', 0, writeNumber(out, 0, value))
}

test('a decimal is read exactly as Number() reads it', () => {
  fc.assert(
    fc.property(decimals, (text) => {
      expect(parsed(text)).toBe(Number(text) + 0)
    }),
    { numRuns: 2_000 },
  )
})

test('a line gives the same value, or leaves it to parseDecimal', () => {
  const line = createLine(1)
  fc.assert(
    fc.property(decimals, (text) => {
      const bytes = Buffer.from(`a:${text}|c`)
      expect(parseLine(bytes, 0, bytes.length, line)).toBe(bytes.length)
      expect(Number.isNaN(line.value) || line.value === Number(text)).toBe(true)
      expect(bytes.toString('latin1', line.valuesStart, line.valuesEnd)).toBe(text)
    }),
    { numRuns: 2_000 },
  )
})

test.each([
  '',
  '+',
  '-',
  '.',
  '-.',
  '1.2.3',
  '1,5',
  ' 1',
  '1 ',
  '0x1',
  '1e',
  'e5',
  '1e5.5',
  '--1',
  'NaN',
  'Infinity',
  '1e201',
  '-1e201',
  '1_0',
  '١',
])('"%s" is no decimal', (text) => {
  expect(parsed(text)).toBeNaN()
})

test('any number is written as String() writes it', () => {
  const numbers = fc.oneof(
    fc.double({ noNaN: true, noDefaultInfinity: true }),
    fc.double({ min: -1e6, max: 1e6, noNaN: true }),
    fc.integer(),
    fc.integer({ min: -100_000_000, max: 100_000_000 }).map((value) => value / 1000),
    fc.maxSafeInteger(),
    fc.maxSafeInteger().map((value) => value / 1000),
    fc.constantFrom(
      0,
      -0,
      2 ** 31 - 1,
      2 ** 31,
      -(2 ** 31),
      1e9,
      999_999_999.999,
      0.001,
      0.0005,
      1e-7,
      1e21,
      0.1 + 0.2,
      5e-324,
    ),
  )
  fc.assert(
    fc.property(numbers, (value) => {
      expect(written(value)).toBe(String(value))
    }),
    { numRuns: 5_000 },
  )
})
