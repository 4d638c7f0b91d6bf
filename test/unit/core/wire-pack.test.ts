import { randomBytes } from 'node:crypto'
import { zstdDecompressSync } from 'node:zlib'
import { expect, test } from 'vitest'
import { packBody } from '../../../core/wire.ts'

test('bodies of any size and kind are packed at once and one after the other, each as a whole', async () => {
  const sizes = [0, 1, 1_000, 100_000, 700_000, 5_000_000]
  const bodies = sizes.flatMap((size) => [Buffer.alloc(size, 'a line\n'), randomBytes(size)])
  for (let round = 0; round < 2; round++) {
    const packed = await Promise.all(bodies.map(packBody))
    for (const [index, body] of bodies.entries())
      expect(zstdDecompressSync(packed[index] ?? Buffer.alloc(0)).equals(body)).toBe(true)
  }
})
