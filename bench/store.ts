/**
 * The embedded store through its port, against the targets: a day of `RECORDS` (5000000) is stored, asked for, gone on with under
 * queries, opened again and purged. See README.md for the environment variables.
 */
import { mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { openEmbeddedStore } from '../adapters/store-embedded/store.ts'
import { messageOf } from '../core/errors.ts'
import type { Logger, Store } from '../core/ports.ts'
import { KEEP_ALL, type Retention } from '../core/retention.ts'
import { ingest, sizes } from './store-ingest.ts'
import { killMeasure } from './store-kill.ts'
import { mixed, MIXED_SECONDS } from './store-mixed.ts'
import { DAY, FIRST_HOUR, PLANS, RECORDS } from './store-plans.ts'
import { askEverything } from './store-queries.ts'
import { printTable, type Row } from './store-table.ts'
import { createTruth } from './store-truth.ts'
import { rssPeakMib } from './support.ts'

const HOUR_MS = 3_600_000
/** Its slots are an hour wide, and the whole day is younger. */
const MAX_AGE_MS = 11 * HOUR_MS
/** From opening the store until the oldest hour is due. */
const DUE_MS = 10_000
const KEEPS_ALL = process.env['KEEP'] === 'all'
const STORE = {
  segmentRecords: Number(process.env['SEGMENT_RECORDS'] ?? 131_072),
  segmentAgeMsMax: HOUR_MS,
  memoryMbMax: Number(process.env['MEMORY_MB'] ?? 384),
  threads: 2,
}
const never = new AbortController().signal
const log: Logger = { debug() {}, info() {}, warn: console.warn, error: console.error, child: () => log }

function retention(maxAgeMs: number): Retention {
  if (KEEPS_ALL) return KEEP_ALL
  return { classes: [{ name: 'all', maxAgeMs, bytesMax: null, match: {} }], bytesMax: null }
}

const open = (dir: string, maxAgeMs: number) =>
  openEmbeddedStore({ ...STORE, dir, retention: retention(maxAgeMs), log })

function diskBytes(dir: string): number {
  return readdirSync(dir, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .reduce((bytes, entry) => bytes + statSync(join(entry.parentPath, entry.name)).size, 0)
}

async function countOf(store: Store): Promise<number> {
  const request = { plan: PLANS.everything, range: DAY, intervalMs: HOUR_MS }
  const { buckets } = await store.histogram(request, never)
  return buckets.reduce((sum, { total }) => sum + total, 0)
}

/** A measure that fails is a row that says why; the others go on. */
async function rowsOf(what: string, measure: () => Promise<readonly Row[]>): Promise<readonly Row[]> {
  try {
    return await measure()
  } catch (error) {
    return [{ what, result: 'failed', problem: messageOf(error) }]
  }
}

async function openAgain(dir: string, expected: number): Promise<readonly Row[]> {
  const startMs = performance.now()
  const store = await open(dir, MAX_AGE_MS)
  const openMs = performance.now() - startMs
  const found = await countOf(store)
  await store.close()
  const wrong = found === expected ? {} : { problem: `${found} records instead of ${expected}` }
  return [{ what: 'time to open again', unit: 'ms', result: openMs, ...wrong }]
}

/** Opens the store with a policy by which the oldest hour is due soon, and purges it then. */
async function purgeOldestHour(dir: string, expected: number, records: number): Promise<readonly Row[]> {
  const dueMs = Date.now() + DUE_MS
  const store = await open(dir, dueMs - FIRST_HOUR.fromMs)
  try {
    await sleep(dueMs - Date.now() + 1)
    const startMs = performance.now()
    await store.purge()
    const purgeMs = performance.now() - startMs
    const { purged } = await store.stats()
    const left = await countOf(store)
    const isRight = purged.records === expected && left === records - expected
    return [
      {
        what: 'purge of the oldest hour',
        unit: 'ms',
        result: purgeMs,
        target: { atMost: 10 },
        note: `${purged.records} records in ${purged.partitions} partitions`,
        ...(isRight ? {} : { problem: `${expected} of ${records} expected to go, ${left} are left` }),
      },
    ]
  } finally {
    await store.close()
  }
}

async function main(dir: string): Promise<void> {
  const truth = createTruth()
  const rows: Row[] = []
  const store = await open(dir, MAX_AGE_MS)
  const ingested = await ingest(store, truth)
  rows.push(...ingested.rows, ...(await sizes(store, ingested, diskBytes(dir))))
  rows.push(...(await askEverything(store, truth)))
  if (MIXED_SECONDS > 0) rows.push(...(await rowsOf('mixed', async () => (await mixed(store)).rows)))
  rows.push({ what: 'RSS peak', unit: 'MiB', result: rssPeakMib(process.pid) })
  await store.close()
  const { records, firstHour } = truth.counts
  rows.push(...(await rowsOf('time to open again', () => openAgain(dir, records))))
  if (!KEEPS_ALL)
    rows.push(...(await rowsOf('purge of the oldest hour', () => purgeOldestHour(dir, firstHour, records))))
  rows.push(...(await rowsOf('killed -9', killMeasure)))
  printTable(`store ${RECORDS}`, rows)
  if (rows.some(({ problem }) => problem !== undefined)) process.exitCode = 1
}

const dir = mkdtempSync(join(process.env['BENCH_DIR'] ?? tmpdir(), 'noctule-bench-'))
try {
  await main(dir)
} finally {
  rmSync(dir, { recursive: true, force: true })
}
