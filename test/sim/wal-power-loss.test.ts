import { expect, test } from 'vitest'
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
const BATCHES = 8
const BATCHES_PER_GENERATION = 3
const RECORDS = 3
const SEEDS = 6

/** A batch whose one chunk names it. The journal never looks inside. */
function entryOf(seq: number): Extract<WalEntry, { type: 'batch' }> {
  const { facts } = storedBatch(
    Array.from({ length: RECORDS }, () => ({ timeMs: seq })),
    { seq },
  )
  const chunks = [Buffer.from(`chunk of batch ${seq}`)]
  return { type: 'batch', firstPosition: (seq - 1) * RECORDS + 1, batch: { facts, records: RECORDS, chunks } }
}

async function writeDraft(fs: Fs, journal: Journal, gen: number, seqs: readonly number[]): Promise<void> {
  const file = await fs.openAppend(journal.draftPath(gen))
  await file.write(Buffer.from(JSON.stringify(seqs)))
  await file.close()
}

async function seal(
  fs: Fs,
  journal: Journal,
  gen: number,
  seqs: readonly number[],
  ledger: Ledger,
): Promise<void> {
  const [first = 0, last = 0] = [seqs[0], seqs.at(-1)]
  await writeDraft(fs, journal, gen, seqs)
  const facts = {
    gen,
    records: seqs.length * RECORDS,
    firstPosition: (first - 1) * RECORDS + 1,
    lastPosition: last * RECORDS,
    minMs: first,
    maxMs: last,
    levels: [],
    services: [],
  }
  await journal.commit(facts, { gen, position: facts.lastPosition, ledger: ledger.snapshot() })
  await journal.removeWal(gen)
}

interface Restored {
  readonly journal: Journal
  readonly ledger: Ledger
  /** Batches in segments and in WALs, in no order. */
  readonly seqs: readonly number[]
  readonly wal: Wal
  readonly gen: number
  readonly unsealedSeqs: readonly number[]
}

/** What an engine does at start, without its tables: the newest unsealed generation goes on, older ones are sealed. */
async function restore(fs: Fs): Promise<Restored> {
  const journal = await openJournal(fs, DIR)
  expect(journal.setAside).toEqual([])
  const ledger = createLedger(journal.snapshot.ledger)
  const seqs: number[] = []
  for (const { gen } of journal.segments)
    seqs.push(...(JSON.parse((await fs.readFile(journal.segmentPath(gen))).toString()) as number[]))
  let open = { gen: journal.nextGen, seqs: [] as number[], walBytes: 0 }
  for (const [index, { gen, entries, walBytes }] of journal.unsealed.entries()) {
    const batches = entries.filter((entry) => entry.type === 'batch')
    const inWal = batches.map(({ batch }) => batch.facts.seq)
    for (const { batch } of batches) {
      expect(Buffer.from(batch.chunks[0] ?? []).toString()).toBe(`chunk of batch ${batch.facts.seq}`)
      if (gen > journal.snapshot.gen) ledger.applyBatch(batch.facts)
    }
    seqs.push(...inWal)
    if (index < journal.unsealed.length - 1) await seal(fs, journal, gen, inWal, ledger)
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
      await seal(fs, journal, sealing.gen, sealing.seqs, ledger)
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
