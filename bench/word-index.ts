/**
 * The word index of `BLOCKS` (8) blocks of 65,536 records: generated lines through enrichment (as stored), and the whole lines as
 * messages beside the attrs (long records). Processor time, size, and what look-ups cost and get wrong. `node bench/word-index.ts`
 */
import { enrichBatch } from '../aggregator/enrich/enrich.ts'
import { createWordIndexBuilder, openWordIndex } from '../adapters/store-embedded/word-index.ts'
import type { WordIndex } from '../adapters/store-embedded/word-index.ts'
import type { LogRecord } from '../core/record.ts'
import { generateLines } from '../test/support/generator.ts'
import { report, rounded } from './support.ts'

const BLOCKS = Number(process.env['BLOCKS'] ?? 8)
const BLOCK_RECORDS = 65_536
const READ_AT_MS = Date.UTC(2026, 0, 2)
const LOOK_UPS = 200_000

/** What a builder takes of a record. */
type Row = readonly [message: string, attrs: string, pattern: string, trace: string]

const lines = generateLines({ seed: 1 })
const builder = createWordIndexBuilder()

async function enriched(texts: readonly string[]): Promise<readonly LogRecord[]> {
  const body = Buffer.from(`${texts.join('\n')}\n`)
  const run = { source: 0, offset: 0, bytes: body.length, lines: texts.length, readAtMs: READ_AT_MS }
  const header = {
    v: 1 as const,
    kind: 'lines' as const,
    collector: 'bench',
    host: 'web-1',
    epoch: '0'.repeat(32),
    seq: 1,
    createdAtMs: 0,
    utcOffsetMin: 0,
    fromMs: 0,
    toMs: 0,
    records: texts.length,
    bodyBytes: body.length,
    sources: [{ path: '/var/log/shop.log' }],
    runs: [run],
    drops: [],
    tombstones: [],
  }
  const batch = { header, digest: '', body }
  return enrichBatch(batch, {
    site: 'eu',
    ingestedMs: READ_AT_MS,
    yieldNow: async () => undefined,
  })
}

/** Both kinds of rows of one block. */
async function makeBlock(): Promise<{ stored: Row[]; long: Row[] }> {
  const texts = Array.from({ length: BLOCK_RECORDS }, () => lines.next().value)
  const records = await enriched(texts)
  const stored = records.map(({ message, attrs, pattern, trace }): Row => {
    const json = JSON.stringify(attrs)
    return [message, json === '{}' ? '' : json, pattern, trace]
  })
  const long = stored.map(([, ...rest], at): Row => [texts[at] ?? '', ...rest])
  return asRead({ stored, long })
}

/** Every string in one piece, as a database gives it. */
function asRead<T>(value: T): T {
  return JSON.parse(JSON.stringify(value)) as T
}

function threadUs(since?: NodeJS.CpuUsage): number {
  const { user, system } = process.threadCpuUsage(since)
  return user + system
}

function measure(name: string, blocks: readonly Row[][]): void {
  const build = (rows: readonly Row[]) => {
    builder.begin({ minMs: 0, maxMs: rows.length - 1 })
    for (const [timeMs, [message, attrs, pattern, trace]] of rows.entries())
      builder.add(timeMs, message, attrs, pattern, trace)
    return builder.finish()
  }
  build(blocks[0] ?? [])
  const before = process.threadCpuUsage()
  const built = blocks.map(build)
  const buildUs = threadUs(before)
  const records = blocks.length * BLOCK_RECORDS
  const chars = (part: number) =>
    blocks.flat().reduce((sum, row) => sum + (row[part]?.length ?? 0), 0) / records
  const indexes = built.map(openWordIndex)
  report(`word-index ${name}`, {
    'chars of a message': rounded(chars(0)),
    'chars of attrs': rounded(chars(1)),
    'µs a record': rounded(buildUs / records, 3),
    'bytes a record': rounded(built.reduce((sum, { length }) => sum + length, 0) / records, 2),
    'patterns of a block': indexes[0]?.patterns.length ?? 0,
    ...lookUps(indexes),
  })
}

/** Words and trace ids that no record has; then a word that is everywhere. */
function lookUps(indexes: readonly WordIndex[]): Record<string, number> {
  let wrong = 0
  let wrongTraces = 0
  const before = process.threadCpuUsage()
  for (let n = 0; n < LOOK_UPS; n++) if (at(indexes, n).word(`nowhere${n}`).rare !== null) wrong++
  const absentUs = threadUs(before)
  for (let n = 0; n < LOOK_UPS; n++) if (at(indexes, n).traceTimes(`trace${n}`) !== null) wrongTraces++
  const again = process.threadCpuUsage()
  for (let n = 0; n < LOOK_UPS; n++) at(indexes, n).word('order')
  return {
    'absent words not excluded, %': rounded((100 * wrong) / LOOK_UPS, 2),
    'absent traces not excluded, %': rounded((100 * wrongTraces) / LOOK_UPS, 2),
    'look-up of an absent word, µs': rounded(absentUs / LOOK_UPS, 2),
    'look-up of a common word, µs': rounded(threadUs(again) / LOOK_UPS, 2),
  }
}

const at = (indexes: readonly WordIndex[], n: number) => indexes[n % indexes.length] as WordIndex

const blocks: { stored: Row[]; long: Row[] }[] = []
for (let n = 0; n < BLOCKS; n++) blocks.push(await makeBlock())
measure(
  'as stored',
  blocks.map(({ stored }) => stored),
)
measure(
  'of long records',
  blocks.map(({ long }) => long),
)
