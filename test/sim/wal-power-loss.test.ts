import { expect, test } from 'vitest'
import type { SegmentEntry, SegmentFacts } from '../../adapters/store-embedded/catalog.ts'
import { SEGMENT_FILES } from '../../adapters/store-embedded/files.ts'
import { openJournal } from '../../adapters/store-embedded/journal.ts'
import type { Journal, Wal } from '../../adapters/store-embedded/journal.ts'
import type { WalEntry } from '../../adapters/store-embedded/wal-entry.ts'
import { createLedger } from '../../core/ledger/apply.ts'
import type { Ledger } from '../../core/ledger/apply.ts'
import type { Fs } from '../../core/ports.ts'
import { createPowerLossFs } from '../support/power-loss-fs.ts'
import { seededRandom } from '../support/random.ts'
import type { PowerLossFs } from '../support/power-loss-fs.ts'
import { KEY, storedBatch } from '../support/records.ts'

const DIR = '/data/store'
const BATCHES = 11
const BATCHES_PER_GENERATION = 3
/** A segment with so many batches is purged. */
const PURGED_BATCHES = 9
const RECORDS = 3
const SEEDS = 4

/** A batch whose one chunk names it. The journal never looks inside. */
function entryOf(seq: number): Extract<WalEntry, { type: 'batch' }> {
  const { facts } = storedBatch(
    Array.from({ length: RECORDS }, () => ({ timeMs: seq })),
    { seq },
  )
  const chunks = [Buffer.from(`chunk of batch ${seq}`)]
  const batch = { facts, records: RECORDS, chunks, expired: [] }
  return { type: 'batch', firstPosition: (seq - 1) * RECORDS + 1, batch }
}

/** Drafts of a segment whose files say which batches are in it. */
async function writeDrafts(journal: Journal, seqs: readonly number[]): Promise<SegmentFacts> {
  const id = journal.newSegment()
  for (const file of SEGMENT_FILES) await journal.writeDraft(id, file, Buffer.from(JSON.stringify(seqs)))
  const [first = 0, last = 0] = [seqs[0], seqs.at(-1)]
  return {
    id,
    class: 'all',
    slotMs: 0,
    slotEndMs: 1_000,
    records: seqs.length * RECORDS,
    firstPosition: (first - 1) * RECORDS + 1,
    lastPosition: last * RECORDS,
    minMs: first,
    maxMs: last,
    levels: [],
    services: [],
    rollups: ['counts'],
  }
}

async function seqsIn(fs: Fs, journal: Journal, { id }: SegmentEntry): Promise<number[]> {
  const texts = await Promise.all(SEGMENT_FILES.map((file) => fs.readFile(journal.path(id, file))))
  expect(new Set(texts.map(String)).size).toBe(1)
  return JSON.parse(String(texts[0])) as number[]
}

interface Sealing {
  readonly gen: number
  readonly seqs: readonly number[]
  readonly ledger: Ledger
}

/** Seals, then makes one segment of two, and purges it when it has grown large. */
async function seal(fs: Fs, journal: Journal, { gen, seqs, ledger }: Sealing): Promise<void> {
  const made = await writeDrafts(journal, seqs)
  const snapshot = { gen, position: made.lastPosition, ledger: ledger.snapshot() }
  await journal.seal(gen, { segments: [made], expired: [] }, snapshot)
  await journal.removeWal(gen)
  const inputs = journal.state.segments
  if (inputs.length > 1) await compact(fs, journal, inputs)
  await purge(fs, journal)
}

async function compact(fs: Fs, journal: Journal, inputs: readonly SegmentEntry[]): Promise<void> {
  const seqs = (await Promise.all(inputs.map((input) => seqsIn(fs, journal, input)))).flat()
  await journal.compact(inputs, await writeDrafts(journal, seqs))
  await journal.removeFiles(inputs.map(({ id }) => id))
}

async function purge(fs: Fs, journal: Journal): Promise<void> {
  for (const segment of journal.state.segments) {
    const seqs = await seqsIn(fs, journal, segment)
    if (seqs.length < PURGED_BATCHES) continue
    const { records, bytes, minMs, maxMs, levels, services } = segment
    const range = { class: 'all', reason: 'age' as const, fromMs: minMs, toMs: maxMs + 1, records, atMs: 0 }
    const entry = {
      removed: [segment.id],
      purged: { ...range, levels, services },
      partitions: 1 as const,
      bytes,
    }
    await journal.purge(() => [entry])
    await journal.removeFiles([segment.id])
  }
}

interface Restored {
  readonly journal: Journal
  readonly ledger: Ledger
  /** Batches in segments and in WALs, and those that were purged, in no order. */
  readonly seqs: readonly number[]
  readonly wal: Wal
  readonly gen: number
  readonly unsealedSeqs: readonly number[]
}

/** What an engine does at start, without its tables: the newest unsealed generation goes on, older ones are sealed. */
async function restore(fs: Fs): Promise<Restored> {
  const journal = await openJournal(fs, DIR, () => 0)
  expect(journal.state.setAside).toEqual([])
  const ledger = createLedger(journal.snapshot.ledger)
  const purged = journal.state.purgedTotal.records / RECORDS
  const seqs = Array.from({ length: purged }, (_, i) => i + 1)
  for (const segment of journal.state.segments) seqs.push(...(await seqsIn(fs, journal, segment)))
  const files = (await fs.list(`${DIR}/seg`)).filter((name) => !name.endsWith('.tmp'))
  expect(files).toHaveLength(journal.state.segments.length * SEGMENT_FILES.length)
  let open = { gen: journal.nextGen, seqs: [] as number[], walBytes: 0 }
  for (const [index, { gen, entries, walBytes }] of journal.unsealed.entries()) {
    const batches = entries.filter((entry) => entry.type === 'batch')
    const inWal = batches.map(({ batch }) => batch.facts.seq)
    for (const { batch } of batches) {
      expect(Buffer.from(batch.chunks[0] ?? []).toString()).toBe(`chunk of batch ${batch.facts.seq}`)
      if (gen > journal.snapshot.gen) ledger.applyBatch(batch.facts)
    }
    seqs.push(...inWal)
    if (index < journal.unsealed.length - 1) await seal(fs, journal, { gen, seqs: inWal, ledger })
    else open = { gen, seqs: inWal, walBytes }
  }
  const wal = await journal.openWal(open.gen, open.walBytes)
  return { journal, ledger, seqs, wal, gen: open.gen, unsealedSeqs: open.seqs }
}

/** Restores, then appends what the ledger does not know and seals full generations. Calls `acked` for each durable batch. */
async function run(fs: Fs, acked: (seq: number) => void): Promise<void> {
  const restored = await restore(fs)
  const { journal, ledger } = restored
  let { wal, gen } = restored
  let inGeneration = [...restored.unsealedSeqs]
  const missing = Array.from({ length: BATCHES }, (_, i) => entryOf(i + 1)).filter(
    ({ batch }) => ledger.find(batch.facts, batch.facts.digest) === 'new',
  )
  while (missing.length > 0) {
    if (inGeneration.length >= BATCHES_PER_GENERATION) {
      const sealing = { gen, seqs: inGeneration }
      gen += 1
      wal = await journal.openWal(gen)
      inGeneration = []
      await seal(fs, journal, { ...sealing, ledger })
    }
    const group = missing.splice(0, 1 + (inGeneration.length % 2))
    await wal.append(group)
    for (const { batch } of group) {
      ledger.applyBatch(batch.facts)
      inGeneration.push(batch.facts.seq)
      acked(batch.facts.seq)
    }
  }
}

/** After a cut: what was acknowledged is there, nothing is there twice, and the ledger knows exactly what is there. */
async function check(fs: PowerLossFs, acked: ReadonlySet<number>): Promise<void> {
  const { ledger, seqs } = await restore(fs)
  expect(new Set(seqs).size).toBe(seqs.length)
  for (const seq of acked) expect(seqs).toContain(seq)
  for (let seq = 1; seq <= BATCHES; seq++) {
    const fate = ledger.find({ ...KEY, seq }, entryOf(seq).batch.facts.digest)
    expect(fate, `batch ${seq}`).toBe(seqs.includes(seq) ? 'duplicate' : 'new')
  }
}

async function operationsOf(): Promise<number> {
  const fs = createPowerLossFs()
  await run(fs, () => undefined)
  return fs.operations
}

test('power cut at any operation, twice: no acknowledged batch is lost, none is kept twice', async () => {
  const operations = await operationsOf()
  expect(operations).toBeGreaterThan(50)
  for (let cut = 1; cut <= operations; cut++) {
    for (let seed = 0; seed < SEEDS; seed++) {
      const random = seed === 0 ? undefined : seededRandom(cut * SEEDS + seed)
      const acked = new Set<number>()
      let fs = createPowerLossFs({ random })
      for (const boot of ['first', 'second']) {
        fs.crashAt(boot === 'first' ? cut : 1 + Math.floor(cut / 2))
        await run(fs, (seq) => acked.add(seq)).catch(() => undefined)
        fs = fs.crash(random)
      }
      await check(fs, acked).catch((error: unknown) => {
        throw new Error(`cut at operation ${cut}, seed ${seed}`, { cause: error })
      })
    }
  }
})

test('kill -9 at any operation: the same', async () => {
  const operations = await operationsOf()
  for (let cut = 1; cut <= operations; cut++) {
    const acked = new Set<number>()
    const fs = createPowerLossFs()
    fs.crashAt(cut)
    await run(fs, (seq) => acked.add(seq)).catch(() => undefined)
    await check(fs.kill(), acked)
  }
})
