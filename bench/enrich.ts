/** Lines of the generator through enrichBatch: `LINES` (400000) in batches of `BATCH` (5000), after one warm-up. */
import { setImmediate as yieldNow } from 'node:timers/promises'
import { enrichBatch } from '../aggregator/enrich/enrich.ts'
import type { DecodedBatch } from '../core/wire.ts'
import { generateLines } from '../test/support/generator.ts'
import { quantile, report, rounded } from './support.ts'

const LINES = Number(process.env['LINES'] ?? 400_000)
const BATCH = Number(process.env['BATCH'] ?? 5_000)
const WARM_UP = 50_000
const READ_AT_MS = Date.UTC(2026, 0, 2)

const lines = generateLines({ seed: 1 })
let seq = 0

function makeBatch(): DecodedBatch {
  const texts = Array.from({ length: BATCH }, () => lines.next().value)
  const body = Buffer.from(`${texts.join('\n')}\n`)
  const run = { source: 0, offset: 0, bytes: body.length, lines: BATCH, readAtMs: READ_AT_MS }
  seq += 1
  const header = {
    v: 1,
    kind: 'lines',
    collector: 'bench',
    host: 'web-1',
    epoch: '0'.repeat(32),
    seq,
    createdAtMs: 0,
    utcOffsetMin: 0,
    fromMs: 0,
    toMs: 0,
    records: BATCH,
    bodyBytes: body.length,
    sources: [{ path: '/var/log/shop.log' }],
    runs: [run],
    drops: [],
    tombstones: [],
  } as const
  return {
    header: { ...header, sources: [...header.sources], runs: [run], drops: [], tombstones: [] },
    digest: '',
    body,
  }
}

const blocksMs: number[] = []
let sinceMs = 0

/** CPU time of this thread: what another process takes from a busy machine does not count. */
function threadMs(): number {
  const { user, system } = process.threadCpuUsage()
  return (user + system) / 1_000
}

/** Measures what passes between two turns of the event loop. */
async function turn(): Promise<void> {
  blocksMs.push(threadMs() - sinceMs)
  await yieldNow()
  sinceMs = threadMs()
}

async function enrichAll(batches: readonly DecodedBatch[]): Promise<void> {
  for (const batch of batches) {
    sinceMs = threadMs()
    await enrichBatch(batch, { site: 'eu', ingestedMs: READ_AT_MS, yieldNow: turn })
    await turn()
  }
}

const batches = Array.from({ length: Math.ceil(LINES / BATCH) }, makeBatch)
await enrichAll(batches.slice(0, Math.ceil(WARM_UP / BATCH)))
blocksMs.length = 0
const before = process.cpuUsage()
await enrichAll(batches)
const { user, system } = process.cpuUsage(before)
report('enrich', {
  linesPerCpuSecond: Math.round((batches.length * BATCH) / ((user + system) / 1e6)),
  blockMsP99: rounded(quantile(blocksMs, 0.99)),
  blockMsMax: rounded(quantile(blocksMs, 1)),
})
