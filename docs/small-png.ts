import { crc32, deflateSync, inflateSync } from 'node:zlib'

const SIGNATURE = Buffer.from('\x89PNG\r\n\x1a\n', 'latin1')
const COLOURS_MAX = 256
/** So many colours are taken for being frequent, the rest for being far from all others. */
const FREQUENT = 128
const RGB = 2
const PALETTE = 3

/** The same picture in at most 256 colours: a third of the bytes, with no difference that is seen. For 8-bit RGB without alpha. */
export function smallPng(png: Buffer): Buffer {
  const { width, height, pixels } = decode(png)
  const counts = new Map<number, number>()
  for (const pixel of pixels) counts.set(pixel, (counts.get(pixel) ?? 0) + 1)
  const palette = paletteOf(counts)
  const indexes = new Map([...counts.keys()].map((colour) => [colour, nearest(palette, colour).index]))
  const rows = Buffer.alloc((width + 1) * height)
  pixels.forEach((pixel, at) => {
    rows[at + Math.floor(at / width) + 1] = indexes.get(pixel) ?? 0
  })
  const head = Buffer.alloc(13)
  head.writeUInt32BE(width, 0)
  head.writeUInt32BE(height, 4)
  head.set([8, PALETTE, 0, 0, 0], 8)
  return Buffer.concat([
    SIGNATURE,
    chunk('IHDR', head),
    chunk('PLTE', Buffer.from(palette.flatMap(partsOf))),
    chunk('IDAT', deflateSync(rows, { level: 9 })),
    chunk('IEND', Buffer.alloc(0)),
  ])
}

const partsOf = (colour: number) => [colour >> 16, (colour >> 8) & 255, colour & 255] as const

function distance(one: number, other: number): number {
  const [red, green, blue] = partsOf(one)
  const [otherRed, otherGreen, otherBlue] = partsOf(other)
  return (red - otherRed) ** 2 + (green - otherGreen) ** 2 + (blue - otherBlue) ** 2
}

function nearest(palette: readonly number[], colour: number): { index: number; away: number } {
  let found = { index: 0, away: Infinity }
  for (const [index, known] of palette.entries()) {
    const away = distance(known, colour)
    if (away < found.away) found = { index, away }
  }
  return found
}

function paletteOf(counts: ReadonlyMap<number, number>): readonly number[] {
  const byCount = [...counts].toSorted(([, one], [, other]) => other - one)
  const palette = byCount.slice(0, FREQUENT).map(([colour]) => colour)
  const rest = byCount.slice(FREQUENT).map(([colour, count]) => {
    return { colour, weight: Math.sqrt(count), away: nearest(palette, colour).away }
  })
  while (palette.length < COLOURS_MAX && rest.length > 0) {
    const next = rest.reduce((best, one) => (one.away * one.weight > best.away * best.weight ? one : best))
    if (next.away === 0) break
    palette.push(next.colour)
    for (const one of rest) one.away = Math.min(one.away, distance(one.colour, next.colour))
  }
  return palette
}

function chunk(type: string, data: Buffer): Buffer {
  const body = Buffer.concat([Buffer.from(type, 'latin1'), data])
  const frame = Buffer.alloc(body.length + 8)
  frame.writeUInt32BE(data.length, 0)
  body.copy(frame, 4)
  frame.writeUInt32BE(crc32(body), body.length + 4)
  return frame
}

function decode(png: Buffer): { width: number; height: number; pixels: readonly number[] } {
  const data: Buffer[] = []
  let head = Buffer.alloc(13)
  for (let at = SIGNATURE.length; at < png.length; at += png.readUInt32BE(at) + 12) {
    const type = png.toString('latin1', at + 4, at + 8)
    const content = png.subarray(at + 8, at + 8 + png.readUInt32BE(at))
    if (type === 'IHDR') head = Buffer.from(content)
    if (type === 'IDAT') data.push(content)
  }
  if (head[8] !== 8 || head[9] !== RGB) throw new Error('the picture is not 8-bit RGB')
  const [width, height] = [head.readUInt32BE(0), head.readUInt32BE(4)]
  const bytes = unfiltered(inflateSync(Buffer.concat(data)), { rowBytes: width * 3, height })
  return {
    width,
    height,
    pixels: Array.from({ length: width * height }, (_, at) => bytes.readUIntBE(at * 3, 3)),
  }
}

/** Undoes the filter of each row, which stands in its first byte: none, left, up, average, Paeth. */
function unfiltered(rows: Buffer, { rowBytes, height }: { rowBytes: number; height: number }): Buffer {
  const out = Buffer.alloc(rowBytes * height)
  for (let row = 0; row < height; row++) {
    const filter = rows[row * (rowBytes + 1)] ?? 0
    for (let column = 0; column < rowBytes; column++) {
      const at = row * rowBytes + column
      const left = column < 3 ? 0 : (out[at - 3] ?? 0)
      const up = row === 0 ? 0 : (out[at - rowBytes] ?? 0)
      const corner = column < 3 || row === 0 ? 0 : (out[at - rowBytes - 3] ?? 0)
      const guess = [0, left, up, (left + up) >> 1, paeth(left, up, corner)][filter] ?? 0
      out[at] = (rows[at + row + 1] ?? 0) + guess
    }
  }
  return out
}

function paeth(left: number, up: number, corner: number): number {
  const [toLeft, toUp, toCorner] = [left, up, corner].map((near) => Math.abs(left + up - corner - near)) as [
    number,
    number,
    number,
  ]
  if (toLeft <= toUp && toLeft <= toCorner) return left
  return toUp <= toCorner ? up : corner
}
