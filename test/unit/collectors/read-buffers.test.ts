import { expect, test } from 'vitest'
import { createReadBuffers } from '../../../collectors/read-buffers.ts'

test('a buffer is taken again only after the last who held it', () => {
  const buffers = createReadBuffers(16)
  const first = buffers.take()
  first.hold()
  first.release()
  expect(buffers.take().bytes).not.toBe(first.bytes)
  first.release()
  expect(buffers.take().bytes).toBe(first.bytes)
})

test('only a few are kept', () => {
  const buffers = createReadBuffers(16)
  const many = Array.from({ length: 20 }, () => buffers.take())
  for (const buffer of many) buffer.release()
  const known = new Set(many.map(({ bytes }) => bytes))
  const again = many.filter(() => known.has(buffers.take().bytes))
  expect(again).toHaveLength(8)
})
