import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { shardOf } from '../../../core/shard.ts'

test('a key stays where it is', () => {
  expect(['eu/web-1', 'eu/web-2', 'us/web-1', ''].map((key) => shardOf(key, 64))).toMatchInlineSnapshot(`
    [
      55,
      44,
      55,
      2,
    ]
  `)
})

test('keys of one shard of 64 are in one shard of 8', () => {
  fc.assert(
    fc.property(fc.string(), (key) => {
      expect(shardOf(key, 64) % 8).toBe(shardOf(key, 8))
      expect(shardOf(key, 1)).toBe(0)
    }),
  )
})
