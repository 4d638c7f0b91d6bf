import { createRequire } from 'node:module'
import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { keepLargeBuffersApart, type LibraryEncoder } from '../../../../adapters/transport-kafka/encoder.ts'

type EncoderClass = new () => LibraryEncoder
const Library = createRequire(import.meta.url)('kafkajs/src/protocol/encoder') as EncoderClass
const Ours = class extends Library {}
keepLargeBuffersApart(Ours.prototype)

type Write = { readonly large: number } | { readonly small: number } | { readonly inner: readonly Write[] }

const { write } = fc.letrec<{ write: Write }>((tie) => ({
  write: fc.oneof(
    { depthSize: 'small' },
    fc.record({ small: fc.nat({ max: 600 }) }),
    fc.record({ large: fc.integer({ min: 4_000, max: 20_000 }) }),
    fc.record({ inner: fc.array(tie('write'), { maxLength: 4 }) }),
  ),
}))

/** Writes in every way that takes other bytes, and looks at what stands there in between. */
function written(writes: readonly Write[], make: EncoderClass): LibraryEncoder {
  const encoder = new make()
  for (const [index, write] of writes.entries()) {
    if ('inner' in write) {
      const inner = written(write.inner, make)
      encoder.writeInt32(inner.size()).writeEncoder(inner).writeEncoderArray([inner, inner])
      encoder.writeBytes(inner.buffer)
    } else {
      const bytes = Buffer.alloc('large' in write ? write.large : write.small, index + 1)
      encoder.writeBytes(bytes).writeBytes('text').writeBytes(null).writeInt32(encoder.buffer.length)
    }
  }
  return encoder
}

test('a request has the same bytes as the library writes', () => {
  fc.assert(
    fc.property(fc.array(write, { maxLength: 6 }), (writes) => {
      const ours = written(writes, Ours)
      const library = written(writes, Library)
      expect(ours.size()).toBe(library.size())
      expect(ours.buffer.equals(library.buffer)).toBe(true)
      expect(ours.buffer.equals(library.buffer)).toBe(true) // Also the second time, …
      ours.writeInt32(7)
      library.writeInt32(7)
      expect(ours.buffer.equals(library.buffer)).toBe(true) // … and after more was written.
    }),
  )
})

test('a large message is not copied before the whole is asked for', () => {
  const message = Buffer.alloc(80_000, 1)
  const record = new Ours().writeInt32(1).writeBytes(message)
  const request = new Ours().writeInt32(record.size()).writeEncoder(record)
  expect(request.parts).toContain(message)
  expect(request.buf.length).toBeLessThan(1_000)
})
