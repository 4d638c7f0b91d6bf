const NEWLINE = 0x0a

export interface Line {
  /** Counts from 1. */
  readonly number: number
  /** Without its newline. */
  readonly bytes: number
  /** null: longer than `bytesMax`, and thrown away. */
  readonly text: string | null
}

/** The lines of a byte stream. Never holds more than a chunk and `bytesMax`. */
export async function* linesOf(chunks: AsyncIterable<Uint8Array>, bytesMax: number): AsyncGenerator<Line> {
  let number = 0
  let bytes = 0
  let parts: Buffer[] = []

  function add(part: Buffer) {
    bytes += part.length
    if (bytes <= bytesMax) parts.push(part)
    else parts = []
  }

  function end(): Line {
    number += 1
    const line = { number, bytes, text: bytes > bytesMax ? null : Buffer.concat(parts).toString('utf8') }
    bytes = 0
    parts = []
    return line
  }

  for await (const chunk of chunks) {
    const buffer = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength)
    let from = 0
    for (let at = buffer.indexOf(NEWLINE); at >= 0; at = buffer.indexOf(NEWLINE, from)) {
      add(buffer.subarray(from, at))
      yield end()
      from = at + 1
    }
    if (from < buffer.length) add(Buffer.from(buffer.subarray(from)))
  }
  if (bytes > 0) yield end()
}
