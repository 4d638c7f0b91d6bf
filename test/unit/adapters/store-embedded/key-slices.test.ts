import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { createKeySlices, sliceOfKey } from '../../../../adapters/store-embedded/key-slices.ts'

type Key = readonly [low: number, high: number, slice: number]

function tableOf(keys: readonly Key[]): Uint8Array {
  return createKeySlices({ size: keys.length, forEach: (visit) => keys.forEach((key) => visit(...key)) })
}

const hash = fc.oneof(fc.integer({ min: -3, max: 3 }), fc.integer())
const keys = fc.uniqueArray(fc.tuple(hash, hash, fc.nat({ max: 15 })), {
  selector: ([low, high]) => `${low} ${high}`,
  maxLength: 200,
})

test('every key is found with its slice', () => {
  fc.assert(
    fc.property(keys, (all) => {
      const table = tableOf(all)
      const larger = Buffer.concat([Buffer.alloc(1), table, Buffer.alloc(2)])
      const inside = larger.subarray(1, 1 + table.length)
      for (const [low, high, slice] of all) expect(sliceOfKey(inside, low, high)).toBe(slice)
    }),
  )
})

test('of other keys one in 256 is found, whatever the seed', () => {
  const mixed = (n: number) => Math.imul(n ^ (n >>> 7), 0x9e3779b1)
  const all = Array.from({ length: 40_000 }, (_, n): Key => [mixed(n), mixed(n + 99), n % 16])
  const table = tableOf(all)
  expect(all.filter(([low, high, slice]) => sliceOfKey(table, low, high) !== slice)).toEqual([])
  const others = Array.from({ length: 40_000 }, (_, n) => sliceOfKey(table, mixed(n), mixed(n - 50_000)))
  const found = others.filter((slice) => slice !== null).length
  expect(found).toBeGreaterThan(80)
  expect(found).toBeLessThan(260)
  expect((table.length * 8) / all.length).toBeLessThan(15)
})

test('a table without keys finds none', () => {
  expect(tableOf([])).toHaveLength(0)
  expect(sliceOfKey(new Uint8Array(), 1, 2)).toBeNull()
})
