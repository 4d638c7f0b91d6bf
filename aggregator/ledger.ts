import { ServiceError, messageOf } from '../core/errors.ts'
import { createLedger, type BatchFate, type Ledger } from '../core/ledger/apply.ts'
import { hasLeft, judge, type JudgeOptions } from '../core/ledger/judge.ts'
import type { BatchFacts, BatchKey, CollectorLedger, LedgerNote } from '../core/ledger/types.ts'
import type { Clock, Completeness, Logger, Origin, Store } from '../core/ports.ts'
import type { Mark } from '../core/wire.ts'

/** Marks are kept this often, the latest of each collector: losing a second of them makes the ledger stale, not wrong. */
const NOTE_EVERY_MS = 1_000

export interface LedgerServiceOptions {
  readonly store: Pick<Store, 'ledger' | 'note'>
  /** The site of this node: meant first when two sites have a collector of the same name. */
  readonly site: string
  /** How often the store's ledger is read again, because other processes write to it, too; null: nobody else does. */
  readonly followMs: number | null
  readonly clock: Clock
  readonly log: Logger
  readonly settleMs: number
  readonly silentAfterMs: number
}

/** The store's ledger, mirrored in memory so that every answer can carry its word at no cost. */
export interface LedgerService extends Completeness {
  /** Loads the store's ledger; nothing is known before. One that is followed may come later: until then it is stale. */
  start(): Promise<void>
  find(key: BatchKey, digest: string): BatchFate
  /** The store holds this batch. */
  stored(facts: BatchFacts): void
  /** The store holds another batch under this number. */
  conflict(key: BatchKey): Promise<void>
  mark(mark: Mark, origin: Pick<Origin, 'site' | 'arrivedAtMs'>): Promise<void>
  /** Keeps the marks that are not kept yet. */
  stop(): Promise<void>
}

export function createLedgerService(options: LedgerServiceOptions): LedgerService {
  const { store, site, followMs, clock, log, settleMs, silentAfterMs } = options
  let ledger: Ledger = createLedger()
  let startedAtMs = Infinity
  let unkept = new Map<string, LedgerNote>()
  let beingKept: ReadonlyMap<string, LedgerNote> = new Map()
  /** What a ledger that is being read may not know yet; null: none is. */
  let recent: { readonly notes: LedgerNote[]; readonly batches: BatchFacts[] } | null = null
  /** When the followed ledger was last read. */
  let readAtMs = -Infinity
  /** Why the followed ledger could not be read; null: it could. */
  let unreadable: string | null = null
  let cancelTick = () => {}
  let cancelFollow = () => {}
  let keeping = Promise.resolve()

  function judgeOptions(): JudgeOptions {
    const options = { nowMs: clock.nowMs(), startedAtMs, settleMs, silentAfterMs }
    return followMs === null ? options : { ...options, readAtMs }
  }

  async function read() {
    const { notes, batches } = (recent = { notes: [...beingKept.values(), ...unkept.values()], batches: [] })
    try {
      const read = createLedger(await store.ledger())
      for (const facts of batches) read.applyBatch(facts)
      for (const note of notes) read.applyNote(note)
      ledger = read
      readAtMs = clock.nowMs()
    } finally {
      recent = null
    }
  }

  /** Logged when it begins and when it ends, not at each of two attempts a second. */
  function readable(problem: string | null) {
    if ((problem === null) === (unreadable === null)) return
    unreadable = problem
    if (problem === null) log.info({}, 'the ledger is read again')
    else log.warn({ problem }, 'the ledger cannot be read: answers are incomplete until it can')
  }

  async function follow(everyMs: number) {
    try {
      await read()
      readable(null)
    } catch (error) {
      readable(messageOf(error))
    }
    cancelFollow = clock.after(everyMs, () => void follow(everyMs))
  }

  /** Calls follow each other, so that an older mark never replaces a newer one. */
  function keep(): Promise<void> {
    keeping = keeping.then(async () => {
      const notes = unkept
      if (notes.size === 0) return
      beingKept = notes
      unkept = new Map()
      try {
        await store.note([...notes.values()])
      } catch (error) {
        unkept = new Map([...notes, ...unkept])
        log.warn({ err: error, notes: notes.size }, 'marks could not be kept')
      }
      beingKept = new Map()
    })
    return keeping
  }

  function apply(note: LedgerNote) {
    ledger.applyNote(note)
    recent?.notes.push(note)
    const key =
      note.type === 'mark' ? `${note.mark.collector}/${note.mark.epoch}` : `${note.collector}/${note.type}`
    unkept.delete(`${note.site}/${key}`)
    unkept.set(`${note.site}/${key}`, note)
  }

  function dismissSilent() {
    for (const collector of ledger.collectors()) {
      if (!hasLeft(collector, judgeOptions())) continue
      const { site, collector: name, host, markAtMs } = collector
      apply({ type: 'retire', site, collector: name, atMs: clock.nowMs() })
      log.warn(
        { site, collector: name, host, markAtMs },
        'collector was silent for too long and is not expected any more',
      )
    }
  }

  function tick() {
    dismissSilent()
    void keep()
    cancelTick = clock.after(NOTE_EVERY_MS, tick)
  }

  return {
    async start() {
      if (followMs === null) await read()
      else await follow(followMs)
      startedAtMs = clock.nowMs()
      cancelTick = clock.after(NOTE_EVERY_MS, tick)
    },
    find: (key, digest) => ledger.find(key, digest),
    stored(facts) {
      ledger.applyBatch(facts)
      recent?.batches.push(facts)
    },
    async conflict({ site, collector, epoch, seq }) {
      log.warn({ site, collector, epoch, seq }, 'another batch was stored under this number')
      // Kept before the collector hears of it: a restart in between must not forget that its numbers are in doubt.
      apply({ type: 'conflict', site, collector, atMs: clock.nowMs() })
      await keep()
    },
    async mark(mark, { site, arrivedAtMs = clock.nowMs() }) {
      const before = ledger.collector(site, mark.collector)
      apply({ type: 'mark', site, arrivedAtMs, mark })
      const after = ledger.collector(site, mark.collector)
      if (after !== undefined && changesWho(before, after)) await keep()
      if (after?.clonedAtMs !== (before?.clonedAtMs ?? null)) {
        log.warn({ site, collector: mark.collector, host: mark.host }, 'two collectors use the same id')
      }
    },
    judge: (range, site) => judge(ledger.collectors(), site, range, judgeOptions()),
    collectors: () => [...ledger.collectors()],
    async retire(name) {
      const found = [...ledger.collectors()].filter(({ collector }) => collector === name)
      const collector = found.find((of) => of.site === site) ?? found[0]
      if (collector === undefined)
        throw new ServiceError('NOT_FOUND', 'no such collector', { collector: name })
      const note: LedgerNote = { type: 'retire', site: collector.site, collector: name, atMs: clock.nowMs() }
      await store.note([note])
      ledger.applyNote(note)
    },
    async stop() {
      cancelTick()
      cancelFollow()
      await keep()
    },
  }
}

/** Whether a mark changed who is expected: that must not be forgotten by a crash within the next second. */
function changesWho(before: CollectorLedger | undefined, after: CollectorLedger): boolean {
  return (
    before?.markAtMs === undefined ||
    before.markAtMs === null ||
    before.leftAtMs !== after.leftAtMs ||
    before.liveEpoch !== after.liveEpoch
  )
}
