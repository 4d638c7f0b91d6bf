import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { asServiceError, ServiceError } from '../../../../core/errors.ts'
import { createMembers, EXACT_MAX, MEMBERS_BYTES_MAX } from '../../../../core/sketch/members.ts'

function membersOf(values: Iterable<string>) {
  const members = createMembers()
  for (const value of values) members.add(value)
  return members
}

/** What `ask` gives, or the code of its ServiceError. */
function outcome(ask: () => unknown): unknown {
  try {
    return ask()
  } catch (error) {
    return asServiceError(error)?.code
  }
}

function numbered(from: number, to: number): string[] {
  return Array.from({ length: to - from }, (_, i) => `user-${from + i}`)
}

function merged(...parts: Uint8Array[]): Uint8Array {
  const all = createMembers()
  for (const part of parts) all.merge(part)
  return all.encode()
}

test('few values are counted exactly, however often they came', () => {
  fc.assert(
    fc.property(fc.array(fc.string({ unit: 'binary', maxLength: 12 }), { maxLength: 200 }), (values) => {
      const different = new Set(values.map((value) => value.toWellFormed())).size
      expect(membersOf([...values, ...values]).estimate()).toBe(different)
    }),
  )
})

test('bytes are the same member as the text they encode', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme', maxLength: 20 }), (value) => {
      const members = membersOf([value])
      const bytes = Buffer.from(`<${value}>`)
      members.addBytes(bytes, 1, bytes.length - 1)
      expect(members.estimate()).toBe(1)
    }),
  )
})

test('values that differ in one character, in length, or in order are different', () => {
  const values = [
    '',
    '\0',
    '\0\0',
    'a',
    'a\0',
    'b',
    'ab',
    'ba',
    'abcd',
    'abcde',
    'bcda',
    'abc\0',
    '1',
    '01',
    '10',
  ]
  expect(membersOf(values).estimate()).toBe(values.length)
})

test.each([EXACT_MAX, EXACT_MAX + 1, 5_000, 20_000, 45_000, 100_000, 400_000])(
  '%d values are estimated within four standard errors',
  (count) => {
    const members = membersOf(numbered(0, count))
    const bound = count <= EXACT_MAX ? 0 : count * 0.008 * 4
    expect(Math.abs(members.estimate() - count)).toBeLessThanOrEqual(bound)
    expect(members.encode().length).toBeLessThanOrEqual(MEMBERS_BYTES_MAX)
    expect(createMembers(members.encode()).estimate()).toBe(members.estimate())
  },
)

test('the standard error over many sets is at most 1 %', () => {
  const errors = Array.from({ length: 60 }, (_, run) => {
    return membersOf(numbered(run * 100_000, run * 100_000 + 8_000)).estimate() / 8_000 - 1
  })
  const mean = errors.reduce((sum, error) => sum + error, 0) / errors.length
  const deviation = Math.sqrt(errors.reduce((sum, error) => sum + error ** 2, 0) / errors.length)
  expect(deviation).toBeLessThanOrEqual(0.01)
  expect(Math.abs(mean)).toBeLessThanOrEqual(0.005)
})

describe('merging', () => {
  const range = fc.tuple(fc.nat(3_000), fc.nat(2_000)).map(([from, length]) => numbered(from, from + length))

  test('in any order and grouping gives the same bytes as adding everything to one: exact, estimated and mixed', () => {
    fc.assert(
      fc.property(range, range, range, (a, b, c) => {
        const [x, y, z] = [membersOf(a).encode(), membersOf(b).encode(), membersOf(c).encode()]
        const all = membersOf([...a, ...b, ...c]).encode()
        expect(merged(x, y, z)).toEqual(all)
        expect(merged(z, x, y)).toEqual(all)
        expect(merged(merged(y, z), x)).toEqual(all)
        expect(merged(all, x)).toEqual(all)
      }),
      { numRuns: 30 },
    )
  })
})

describe('bytes that are no encoding', () => {
  const exact = membersOf(['a', 'b', 'c']).encode()
  const estimated = membersOf(numbered(0, 2_000)).encode()
  const swapped = Uint8Array.from([1, ...exact.subarray(9, 17), ...exact.subarray(1, 9)])
  const highRegister = estimated.with(1, 0xff)

  test.each([
    { name: 'nothing', bytes: new Uint8Array(0) },
    { name: 'an unknown kind', bytes: Uint8Array.of(3) },
    { name: 'half a hash', bytes: exact.subarray(0, 5) },
    { name: 'hashes that are not sorted', bytes: swapped },
    { name: 'a hash that comes twice', bytes: Uint8Array.from([...exact, ...exact.subarray(-8)]) },
    { name: 'the hash that none has', bytes: Uint8Array.of(1, 0, 0, 0, 0, 0, 0, 0, 0) },
    { name: 'more hashes than are kept', bytes: new Uint8Array(1 + 8 * (EXACT_MAX + 1)).fill(1) },
    { name: 'registers cut off', bytes: estimated.subarray(0, 100) },
    { name: 'a register that no hash sets', bytes: highRegister },
  ])('are refused: $name', ({ bytes }) => {
    const members = membersOf(['a'])
    expect(() => members.merge(bytes)).toThrow(ServiceError)
    expect(() => createMembers(bytes)).toThrow(expect.objectContaining({ code: 'BATCH_MALFORMED' }))
    expect(members.estimate()).toBe(1)
  })

  test('are refused with the right code, whatever they are', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
        const answer = outcome(() => createMembers(bytes).estimate())
        expect([(bytes.length - 1) / 8, 'BATCH_MALFORMED']).toContain(answer)
      }),
    )
  })
})

test('the encoding stays what it is: bytes written once are merged with new ones for years', () => {
  expect(Buffer.from(membersOf(['a', 'user-1']).encode()).toString('hex')).toBe(GOLDEN)
})

const GOLDEN = '019ae79ad2a4026a54f5b953fba1a52e80'
