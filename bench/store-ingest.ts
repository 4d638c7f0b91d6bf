import { readFileSync, readdirSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Store } from '../core/ports.ts'
import { toPublicRecord } from '../core/record.ts'
import { generateBatches, type GeneratedBatch } from '../test/support/generator-batches.ts'
import { BATCH, BODIES, DAY, DAY_HOURS, IN_FLIGHT, NEEDLES, RARE_WORD, RECORDS } from './store-plans.ts'
import type { Row } from './store-table.ts'
import type { Truth } from './store-truth.ts'
import { quantile, rssPeakMib } from './support.ts'

/** Records made ahead, then stored. V8 keeps the memory that it needed once, so these count in every RSS. */
const CHUNK_RECORDS = 10_000
/** NDJSON is made of each so many-th batch only, and scaled. */
const NDJSON_EVERY = 10
/** Sealing goes on without a pause until all is sealed. */
const SEALED_MS = 1_500
/** Longer than the store leaves between two looks for something to compact. */
const SETTLED_MS = Number(process.env['SETTLE_SECONDS'] ?? 65) * 1_000
const SETTLE_MS_MAX = 600_000
const LOOK_MS = 500
/** Sealing and compaction keep a core busy; less than this part of one is timers and garbage collection. */
const IDLE_CORES = 0.3
const MIB = 1 << 20
const never = new AbortController().signal

/** CPU seconds of the whole process. */
export function processCpuS(): number {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1e6
}

/** CPU seconds of this thread and of the helpers of its garbage collector: what making batches costs while no batch is stored. */
function makerCpuS(): number {
  const { user, system } = process.threadCpuUsage()
  let helpersNs = 0
  for (const task of readdirSync('/proc/self/task')) {
    const name = readFileSync(`/proc/self/task/${task}/comm`, 'utf8').trim()
    if (name !== 'V8Worker') continue
    helpersNs += Number(readFileSync(`/proc/self/task/${task}/schedstat`, 'utf8').split(' ')[0])
  }
  return (user + system) / 1e6 + helpersNs / 1e9
}

export interface Ingested {
  readonly rows: readonly Row[]
  readonly rawBytes: number
  readonly ndjsonBytes: number
}

/** Stores the day: chunks of batches are made ahead, then stored, so that one does not disturb the other. */
export async function ingest(store: Store, truth: Truth): Promise<Ingested> {
  const maker = createMaker(truth)
  const appendMs: number[] = []
  const startCpuS = processCpuS()
  let storingMs = 0
  let makingCpuS = 0
  for (;;) {
    const before = makerCpuS()
    const chunk = await maker.next()
    makingCpuS += makerCpuS() - before
    if (chunk.length === 0) break
    const startMs = performance.now()
    await storeAll(store, chunk, appendMs)
    storingMs += performance.now() - startMs
  }
  const rssMib = rssPeakMib(process.pid)
  const sealed = await settle(store, SEALED_MS)
  const cpuS = sealed.cpuS - startCpuS - makingCpuS
  const settled = await settle(store, SETTLED_MS)
  const { records } = truth.counts
  return {
    ...maker.bytes(),
    rows: [
      {
        what: 'ingest, records per CPU-second',
        result: records / cpuS,
        target: { atLeast: 90_000 },
        rival: 121_000,
        note: `aim 120000; ${cpuS.toFixed(1)} CPU s with sealing and what was compacted meanwhile; making the batches: ${makingCpuS.toFixed(1)} CPU s, taken off`,
      },
      { what: 'ingest, records/s', result: records / (storingMs / 1_000), note: 'while batches are given' },
      { what: 'append p50', unit: 'ms', result: quantile(appendMs, 0.5) },
      { what: 'append p99', unit: 'ms', result: quantile(appendMs, 0.99) },
      { what: 'sealing settled after', unit: 's', result: sealed.seconds },
      {
        what: 'compaction afterwards',
        unit: 'CPU s',
        result: settled.cpuS - sealed.cpuS,
        note: `over after ${settled.seconds.toFixed(0)} s`,
      },
      {
        what: 'RSS peak of ingest',
        unit: 'MiB',
        result: rssMib,
        note: `holds ${CHUNK_RECORDS} records made ahead`,
      },
    ],
  }
}

/** Makes the batches of the day, puts the rare word in and counts the truth. */
function createMaker(truth: Truth) {
  const source = generateBatches({
    seed: 1,
    records: RECORDS,
    batch: BATCH,
    fromMs: DAY.fromMs,
    hours: DAY_HOURS,
    bodies: BODIES,
  })
  const needleEvery = Math.floor(RECORDS / NEEDLES)
  let made = 0
  let batches = 0
  let rawBytes = 0
  let ndjsonBytes = 0
  let ndjsonRecords = 0

  function withNeedle(batch: GeneratedBatch): GeneratedBatch {
    const at = Math.floor(needleEvery / 2) - (made % needleEvery)
    const record = batch.records[at]
    if (record === undefined) return batch
    return {
      ...batch,
      records: batch.records.with(at, { ...record, message: `${record.message} ${RARE_WORD}` }),
    }
  }

  function count({ records, rawBytes: bytes }: GeneratedBatch): void {
    for (const record of records) truth.see(record)
    made += records.length
    rawBytes += bytes
    if (batches++ % NDJSON_EVERY !== 0) return
    ndjsonRecords += records.length
    for (const record of records) ndjsonBytes += Buffer.byteLength(JSON.stringify(toPublicRecord(record))) + 1
  }

  return {
    /** The next chunk; empty at the end. */
    async next(): Promise<GeneratedBatch[]> {
      const chunk: GeneratedBatch[] = []
      for (let records = 0; records < CHUNK_RECORDS;) {
        const { value, done } = await source.next()
        if (done === true) break
        const batch = withNeedle(value)
        count(batch)
        chunk.push(batch)
        records += batch.records.length
      }
      return chunk
    },
    bytes: () => ({ rawBytes, ndjsonBytes: (ndjsonBytes / ndjsonRecords) * made }),
  }
}

async function storeAll(store: Store, chunk: readonly GeneratedBatch[], tookMs: number[]): Promise<void> {
  let next = 0
  const sender = async () => {
    for (let batch = chunk[next++]; batch !== undefined; batch = chunk[next++]) {
      const startMs = performance.now()
      await store.append(batch, never)
      tookMs.push(performance.now() - startMs)
    }
  }
  await Promise.all(Array.from({ length: IN_FLIGHT }, sender))
}

/** Waits until the store does nothing of its own any more; seconds until then, and the CPU of the process at that time. */
async function settle(store: Store, quietMs: number): Promise<{ seconds: number; cpuS: number }> {
  const startMs = performance.now()
  let rest = { sinceMs: startMs, cpuS: processCpuS() }
  let last = ''
  while (performance.now() - rest.sinceMs < quietMs && performance.now() - startMs < SETTLE_MS_MAX) {
    const { segments, bytesOnDisk } = await store.stats()
    const before = processCpuS()
    await sleep(LOOK_MS)
    const now = `${segments} ${bytesOnDisk}`
    const isBusy = processCpuS() - before > (IDLE_CORES * LOOK_MS) / 1_000
    if (now !== last || isBusy) rest = { sinceMs: performance.now(), cpuS: processCpuS() }
    last = now
  }
  return { seconds: (rest.sinceMs - startMs) / 1_000, cpuS: rest.cpuS }
}

/** What the day takes on disk, beside its lines and the same as NDJSON. */
export async function sizes(
  store: Store,
  { rawBytes, ndjsonBytes }: Ingested,
  diskBytes: number,
): Promise<Row[]> {
  const { segments, records, bytesOnDisk, partitions } = await store.stats()
  return [
    {
      what: 'raw lines',
      unit: 'MiB',
      result: rawBytes / MIB,
      note: `${(rawBytes / records).toFixed(0)} bytes each`,
    },
    { what: 'NDJSON', unit: 'MiB', result: ndjsonBytes / MIB },
    {
      what: 'on disk',
      unit: 'MiB',
      result: diskBytes / MIB,
      note: `${(diskBytes / records).toFixed(1)} bytes a record; the store says ${(bytesOnDisk / MIB).toFixed(0)} MiB in ${segments} segments, ${partitions.length} partitions`,
    },
    { what: 'smaller than raw, times', result: rawBytes / diskBytes, target: { atLeast: 5.5 } },
    {
      what: 'smaller than NDJSON, times',
      result: ndjsonBytes / diskBytes,
      target: { atLeast: 7 },
      rival: 6.6,
    },
  ]
}
