/** What the library writes its requests with, as far as it is changed here. */
export interface LibraryEncoder {
  /** What is being written, up to `offset`. */
  buf: Buffer
  offset: number
  /** What is complete, in order; it stands before `buf`. */
  parts?: Buffer[]
  readonly buffer: Buffer
  size(): number
  writeInt32(value: number): LibraryEncoder
  writeBytes(value: unknown): LibraryEncoder
  writeBufferInternal(bytes: Buffer): void
  writeEncoder(value: LibraryEncoder): LibraryEncoder
  writeEncoderArray(values: readonly LibraryEncoder[]): LibraryEncoder
}

/** Smaller ones are cheaper to copy than to keep apart. */
const APART_BYTES_MIN = 4 << 10

/**
 * Each of the nine layers of a produce request copies the message into a zeroed buffer of twice its size: of a batch of 80 KB, a
 * megabyte becomes garbage, and collecting that costs more than compressing the batch. From now on, large buffers are kept as they
 * are until somebody asks for the bytes of the whole. What goes over the wire is the same.
 */
export function keepLargeBuffersApart(encoder: LibraryEncoder): void {
  const copyBuffer = Reflect.get(encoder, 'writeBufferInternal')
  const writeBytes = Reflect.get(encoder, 'writeBytes')
  Object.assign(encoder, {
    writeBufferInternal(this: LibraryEncoder, bytes: Buffer) {
      if (bytes.length < APART_BYTES_MIN) return Reflect.apply(copyBuffer, this, [bytes])
      endPart(this)
      this.parts?.push(bytes)
    },
    writeBytes(this: LibraryEncoder, value: unknown) {
      if (!Buffer.isBuffer(value)) return Reflect.apply(writeBytes, this, [value])
      this.writeInt32(value.length).writeBufferInternal(value)
      return this
    },
    writeEncoder(this: LibraryEncoder, value: LibraryEncoder) {
      append(this, value)
      return this
    },
    writeEncoderArray(this: LibraryEncoder, values: readonly LibraryEncoder[]) {
      for (const value of values) append(this, value)
      return this
    },
    size(this: LibraryEncoder) {
      return (this.parts ?? []).reduce((bytes, part) => bytes + part.length, this.offset)
    },
  })
  Object.defineProperty(encoder, 'buffer', {
    get(this: LibraryEncoder) {
      return whole(this)
    },
  })
}

/** What was written becomes a part; the rest of the buffer is written on. */
function endPart(encoder: LibraryEncoder): void {
  encoder.parts ??= []
  if (encoder.offset > 0) encoder.parts.push(encoder.buf.subarray(0, encoder.offset))
  encoder.buf = encoder.buf.subarray(encoder.offset)
  encoder.offset = 0
}

function append(encoder: LibraryEncoder, { parts = [], buf, offset }: LibraryEncoder): void {
  for (const part of parts) encoder.writeBufferInternal(part)
  encoder.writeBufferInternal(buf.subarray(0, offset))
}

/** Asked for twice, it is put together once. */
function whole(encoder: LibraryEncoder): Buffer {
  if (encoder.parts === undefined) return encoder.buf.subarray(0, encoder.offset)
  endPart(encoder)
  const [first, ...more] = encoder.parts
  const bytes = first !== undefined && more.length === 0 ? first : Buffer.concat(encoder.parts)
  encoder.parts = [bytes]
  return bytes
}
