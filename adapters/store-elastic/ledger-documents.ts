import type { BatchFate } from '../../core/ledger/apply.ts'
import type { BatchFacts, LedgerDocument, LedgerNote } from '../../core/ledger/types.ts'
import type { Clock, Logger } from '../../core/ports.ts'
import { shardOf } from '../../core/shard.ts'
import type { Purged } from '../store-purged.ts'
import { createCasDocuments } from './cas-documents.ts'
import type { Change } from './cas-documents.ts'
import type { Elastic } from './elastic.ts'
import { EMPTY_CONTENT, withAttempt, withNotes, withStored, withoutAttempted } from './ledger-content.ts'
import type { Attempt, Judged, LedgerContent, Stored } from './ledger-content.ts'
import type { Names } from './names.ts'
import { positionAt } from './positions.ts'

/** Documents that the ledger is spread over, by host. */
const LEDGER_DOCUMENTS = 64
/** A tail does not wait longer for a batch that somebody began to write. */
const ATTEMPT_HOLDS_MS = 60_000
/** While somebody else wrote so recently, a tail waits for as much as clocks may differ. */
const OTHERS_WRITE_MS = 600_000
const CLOCKS_DIFFER_MS = 1_000

/** The ledger of the store, shared with the other processes that write to it. */
export interface LedgerDocuments {
  /** Reads what others have written. */
  sync(): Promise<void>
  /** As of the last sync and of everything written here since. */
  snapshot(): LedgerDocument
  /** Says that the batch is going to be written, if it is new: durable when it resolves. */
  attempt(facts: BatchFacts, attempt: Attempt): Promise<Judged>
  /** Says that its records are searchable. Not 'new': somebody else stored a batch under its number meanwhile. */
  stored(stored: Stored): Promise<BatchFate>
  /** Says that nothing of it is there. */
  abandon(facts: BatchFacts, batch: string): Promise<void>
  note(notes: readonly LedgerNote[]): Promise<void>
  /** Every arrival position at or below is searchable, and none comes at or below it any more. As of the last sync. */
  horizon(): number
  /** Highest position that is known to be given out. */
  top(): number
  expired(): readonly Purged[]
  /** Tells the others that they need not wait for this process any more. */
  leave(): Promise<void>
  close(): void
}

export interface LedgerDocumentsOptions {
  readonly elastic: Elastic
  readonly names: Names
  readonly clock: Clock
  readonly log: Logger
  /** Names this process among the writers. */
  readonly writer: string
  readonly prepare: () => Promise<void>
  readonly writeEveryMs?: number
}

type Place = Pick<BatchFacts, 'site' | 'collector' | 'host'>

export function createLedgerDocuments(options: LedgerDocumentsOptions): LedgerDocuments {
  const { names, clock, writer } = options
  const documents = createCasDocuments<LedgerContent>({
    ...options,
    index: names.ledger,
    ids: Array.from({ length: LEDGER_DOCUMENTS }, (_, index) => `ledger-${String(index).padStart(2, '0')}`),
    empty: EMPTY_CONTENT,
  })

  /** A change, signed by this process. */
  function change<T>(at: number, make: Change<LedgerContent, T>, by = writer): Promise<T> {
    return documents.change(at, (before) => {
      const { content, result } = make(before)
      return {
        content: content === before ? before : { ...content, writer: by, atMs: clock.nowMs() },
        result,
      }
    })
  }

  function find({ site, collector }: Pick<Place, 'site' | 'collector'>): number {
    const key = `${site}/${collector}`
    return documents.contents().findIndex(({ ledger }) => Object.hasOwn(ledger.collectors, key))
  }

  /** A collector stays where it was first seen, also when its host is called something else. */
  async function documentOf(place: Place): Promise<number> {
    if (find(place) < 0) await documents.sync()
    const found = find(place)
    return found < 0 ? shardOf(`${place.site}/${place.host}`, LEDGER_DOCUMENTS) : found
  }

  return {
    sync: () => documents.sync(),
    snapshot: () => ({
      v: 1,
      collectors: Object.assign({}, ...collectorsOf(documents.contents())) as Collectors,
    }),
    async attempt(facts, attempt) {
      return await change(await documentOf(facts), (content) => withAttempt(content, facts, attempt))
    },
    async stored(stored) {
      return await change(await documentOf(stored.facts), (content) => withStored(content, stored))
    },
    async abandon(facts, batch) {
      await change(await documentOf(facts), (content) => ({
        content: withoutAttempted(content, batch),
        result: undefined,
      }))
    },
    async note(notes) {
      const placed = await Promise.all(notes.map(async (note) => ({ note, at: await documentOfNote(note) })))
      const changes = [...Map.groupBy(placed, ({ at }) => at)].map(([at, of]) =>
        change(at, (content) => ({
          content: withNotes(
            content,
            of.map(({ note }) => note),
          ),
          result: undefined,
        })),
      )
      await Promise.all(changes)
    },
    horizon: () => horizonOf(documents.contents(), { writer, nowMs: clock.nowMs() }),
    top: () => Math.max(...documents.contents().map(({ top }) => top)),
    expired: () => documents.contents().flatMap(({ expired }) => expired),
    async leave() {
      const mine = documents.contents().flatMap((content, at) => (content.writer === writer ? at : []))
      const left = (content: LedgerContent) => ({ content: { ...content }, result: undefined })
      await Promise.all(mine.map((at) => change(at, left, '')))
    },
    close: () => documents.close(),
  }

  function documentOfNote(note: LedgerNote): Promise<number> {
    const { site } = note
    if (note.type === 'mark') return documentOf({ site, ...note.mark })
    return documentOf({ site, collector: note.collector, host: '' })
  }
}

type Collectors = LedgerDocument['collectors']

function collectorsOf(contents: readonly LedgerContent[]): Collectors[] {
  return contents.map(({ ledger }) => ledger.collectors)
}

/** What `LedgerDocuments.horizon` promises. */
export function horizonOf(
  contents: readonly LedgerContent[],
  { writer, nowMs }: { writer: string; nowMs: number },
): number {
  let horizon = 0
  for (const { top } of contents) horizon = Math.max(horizon, top)
  for (const { attempts } of contents)
    for (const { floor, atMs } of attempts)
      if (nowMs - atMs < ATTEMPT_HOLDS_MS) horizon = Math.min(horizon, floor)
  const others = contents.some(
    (one) => one.writer !== writer && one.writer !== '' && nowMs - one.atMs < OTHERS_WRITE_MS,
  )
  return others ? Math.min(horizon, positionAt(nowMs - CLOCKS_DIFFER_MS)) : horizon
}
