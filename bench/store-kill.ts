import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { openEmbeddedStore } from '../adapters/store-embedded/store.ts'
import type { SearchAfter, Store } from '../core/ports.ts'
import { KEEP_ALL } from '../core/retention.ts'
import { quietLog } from '../test/support/quiet-log.ts'
import { BATCH, DAY, PLANS } from './store-plans.ts'
import type { Row } from './store-table.ts'

/** Acknowledged before the kill. */
export const KILL_RECORDS = Number(process.env['KILL_RECORDS'] ?? 200_000)
const INDEX_CHARS = 4
const PAGE = 10_000
const never = new AbortController().signal

/** Small segments, so that the kill comes in the middle of sealing too. */
export function killStoreOptions(dir: string) {
  return {
    dir,
    segmentRecords: 30_000,
    segmentAgeMsMax: 3_600_000,
    memoryMbMax: 384,
    threads: 2,
    retention: KEEP_ALL,
  }
}

/** A process that stores batches is killed right after an acknowledgement; then what it acknowledged is looked for. */
export async function killMeasure(): Promise<Row[]> {
  const dir = await mkdtemp(join(tmpdir(), 'noctule-bench-kill-'))
  try {
    const acknowledged = await ingestUntilKilled(dir)
    const startMs = performance.now()
    const store = await openEmbeddedStore({ ...killStoreOptions(dir), log: quietLog })
    const openMs = performance.now() - startMs
    const kept = await recordsPerBatch(store)
    await store.close()
    let missing = 0
    let records = 0
    for (const [batch, count] of acknowledged) {
      records += count
      missing += count - (kept.get(batch) ?? 0)
    }
    const wrong = missing === 0 ? {} : { problem: 'acknowledged records are gone, or there twice' }
    return [
      {
        what: 'killed -9: acknowledged and lost',
        unit: 'records',
        result: missing,
        target: { atMost: 0 },
        rival: '981761 of 3000000',
        note: `${records} acknowledged`,
        ...wrong,
      },
      { what: 'killed -9: time to open', unit: 'ms', result: openMs },
    ]
  } finally {
    await rm(dir, { recursive: true, force: true })
  }
}

/** Id without the index of the record → records, of every batch that was acknowledged. */
async function ingestUntilKilled(dir: string): Promise<Map<string, number>> {
  const script = join(import.meta.dirname, 'store-kill-child.ts')
  const child = spawn(process.execPath, [script, dir], { stdio: ['ignore', 'pipe', 'inherit'] })
  const exited = once(child, 'exit')
  const acknowledged = new Map<string, number>()
  for await (const line of createInterface({ input: child.stdout })) {
    const [id = '', count] = line.split(' ')
    acknowledged.set(batchOf(id), Number(count))
    if (acknowledged.size * BATCH >= KILL_RECORDS && child.signalCode === null) child.kill('SIGKILL')
  }
  await exited
  return acknowledged
}

const batchOf = (id: string) => id.slice(0, -INDEX_CHARS)

async function recordsPerBatch(store: Store): Promise<Map<string, number>> {
  const counts = new Map<string, number>()
  let after: SearchAfter | undefined
  for (;;) {
    const page = await store.search({ plan: PLANS.everything, range: DAY, limit: PAGE, after }, never)
    for (const { id } of page.records) counts.set(batchOf(id), (counts.get(batchOf(id)) ?? 0) + 1)
    after = page.records.at(-1)
    if (!page.more) return counts
  }
}
