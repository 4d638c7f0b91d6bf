import { expect, test } from 'vitest'
import { createFrameCache } from '../../../../collectors/spool/frame-cache.ts'

test('the oldest frames leave when the cache is full, and what was deleted makes room', () => {
  const cache = createFrameCache(10)
  const present = () => [1, 2, 3, 4, 5].filter((ref) => cache.get(ref) !== undefined)
  for (const ref of [1, 2, 3]) cache.add(ref, Buffer.alloc(4))
  expect(present()).toEqual([2, 3])
  cache.delete(2)
  cache.delete(2)
  cache.add(4, Buffer.alloc(4))
  expect(present()).toEqual([3, 4])
  cache.add(5, Buffer.alloc(11))
  expect(present()).toEqual([])
})
