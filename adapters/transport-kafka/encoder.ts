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

/** Room that is left in front of what is put together: what the outer layers write before it fits there. */
const ROOM_BYTES = 1 << 10
/** Of buffers that were put together here: how much of that room is free. */
const rooms = new WeakMap<Buffer, number>()

/** Asked for twice, it is put together once. */
function whole(encoder: LibraryEncoder): Buffer {
  if (encoder.parts === undefined) return encoder.buf.subarray(0, encoder.offset)
  endPart(encoder)
  const bytes = joined(encoder.parts)
  encoder.parts = [bytes]
  return bytes
}

function joined(parts: readonly Buffer[]): Buffer {
  const before = parts.slice(0, -1)
  const last = parts.at(-1) ?? Buffer.alloc(0)
  const bytesBefore = before.reduce((bytes, part) => bytes + part.length, 0)
  if (bytesBefore === 0) return last
  const room = rooms.get(last) ?? 0
  if (bytesBefore <= room) {
    rooms.delete(last) // Nobody else may write there.
    const whole = Buffer.from(last.buffer, last.byteOffset - bytesBefore, bytesBefore + last.length)
    copyInto(whole, before)
    rooms.set(whole, room - bytesBefore)
    return whole
  }
  const whole = Buffer.allocUnsafeSlow(ROOM_BYTES + bytesBefore + last.length).subarray(ROOM_BYTES)
  copyInto(whole, parts)
  rooms.set(whole, ROOM_BYTES)
  return whole
}

function copyInto(target: Buffer, parts: readonly Buffer[]): void {
  let at = 0
  for (const part of parts) at += part.copy(target, at)
}
