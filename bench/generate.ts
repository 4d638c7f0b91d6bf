/** Writes log lines in the shapes of real systems to a file: `generate.ts <file> [lines] [seed]`; `MARKER=1` gives each an `id=<n>`. */
import { open } from 'node:fs/promises'
import { zstdCompressSync } from 'node:zlib'
import { generateLines } from '../test/support/generator.ts'
import { rounded } from './support.ts'

const LINES_DEFAULT = 1_000_000
/** Written at once; also about the size of a full batch, so that the ratio printed is the one on the wire. */
const CHUNK_CHARS = 512 << 10

const [path, lines = String(LINES_DEFAULT), seed = '1'] = process.argv.slice(2)
const total = Number(lines)
if (path === undefined || !Number.isSafeInteger(total) || !Number.isSafeInteger(Number(seed))) {
  console.error('usage: generate.ts <file> [lines] [seed]')
  process.exit(2)
}

const source = generateLines({ seed: Number(seed), marker: process.env['MARKER'] === '1' })
const file = await open(path, 'w')
const startMs = performance.now()
let bytes = 0
let ratio = 0
let chunk = ''
for (let n = 0; n < total; n++) {
  chunk += `${source.next().value}\n`
  if (chunk.length < CHUNK_CHARS && n < total - 1) continue
  const buffer = Buffer.from(chunk)
  if (ratio === 0) ratio = buffer.length / zstdCompressSync(buffer).length
  await file.writeFile(buffer)
  bytes += buffer.length
  chunk = ''
}
await file.close()
const seconds = (performance.now() - startMs) / 1_000
console.log(
  `${total} lines, ${bytes} bytes, ${rounded(seconds)} s (${Math.round(total / seconds)} lines/s), zstd ratio ${rounded(ratio)}`,
)
