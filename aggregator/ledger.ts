import { ServiceError } from '../core/errors.ts'
import { createLedger, type BatchFate, type Ledger } from '../core/ledger/apply.ts'
import { hasLeft, judge, type JudgeOptions } from '../core/ledger/judge.ts'
import type { BatchFacts, BatchKey, CollectorLedger, LedgerNote } from '../core/ledger/types.ts'
import type { Clock, Completeness, Logger, Origin, Store } from '../core/ports.ts'
import type { Mark } from '../core/wire.ts'

/** Marks are kept this often, the latest of each collector: losing a second of them makes the ledger stale, not wrong. */
const NOTE_EVERY_MS = 1_000

export interface LedgerServiceOptions {
  readonly store: Pick<Store, 'ledger' | 'note'>
  /** The site that `judge` speaks of. */
  readonly site: string
  readonly clock: Clock
  readonly log: Logger
  readonly settleMs: number
  readonly silentAfterMs: number
}

/** The store's ledger, mirrored in memory so that every answer can carry its word at no cost. */
export interface LedgerService extends Completeness {
  /** Loads the store's ledger; nothing is known before. */
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
  const { store, site, clock, log, settleMs, silentAfterMs } = options
  let ledger: Ledger = createLedger()
  let startedAtMs = Infinity
  let unkept = new Map<string, LedgerNote>()
  let cancelTick = () => {}
  let keeping = Promise.resolve()

  const judgeOptions = (): JudgeOptions => ({ nowMs: clock.nowMs(), startedAtMs, settleMs, silentAfterMs })

  /** Calls follow each other, so that an older mark never replaces a newer one. */
  function keep(): Promise<void> {
    keeping = keeping.then(async () => {
      const notes = unkept
      unkept = new Map()
      if (notes.size === 0) return
      try {
        await store.note([...notes.values()])
      } catch (error) {
        unkept = new Map([...notes, ...unkept])
        log.warn({ err: error, notes: notes.size }, 'marks could not be kept')
      }
    })
    return keeping
  }

  function apply(note: LedgerNote) {
    ledger.applyNote(note)
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
      ledger = createLedger(await store.ledger())
      startedAtMs = clock.nowMs()
      cancelTick = clock.after(NOTE_EVERY_MS, tick)
    },
    find: (key, digest) => ledger.find(key, digest),
    stored: (facts) => ledger.applyBatch(facts),
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
    judge: (range) => judge(ledger.collectors(), site, range, judgeOptions()),
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
