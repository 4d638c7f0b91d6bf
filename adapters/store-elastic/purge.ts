import { messageOf } from '../../core/errors.ts'
import type { Clock, ExplainRequest, Logger, PurgedRange, StoreStats } from '../../core/ports.ts'
import { listPurged, publicRange, withPurged } from '../store-purged.ts'
import type { Purged } from '../store-purged.ts'
import { createCasDocuments } from './cas-documents.ts'
import type { Elastic } from './elastic.ts'
import type { Names } from './names.ts'
import type { Policies, Slots } from './slots.ts'
import { heldIn, indexSizes } from './stats.ts'
import type { IndexSize } from './stats.ts'

/** Indices are looked for at least so often, and every quarter of the shortest maxAge. */
const PURGE_EVERY_MS_MAX = 60_000
const PURGE_EVERY_MS_MIN = 1_000

/** Deletes indices whose time is over, or that do not fit any more. What went stands in a document of its own. */
export interface Purger {
  /** Purges what is due now. Resolves with what went, by this call. */
  run(): Promise<readonly PurgedRange[]>
  /** What went, what is hidden already because it has to, and what came too late (`expired`). */
  list(request: ExplainRequest, expired: readonly Purged[]): Promise<readonly PurgedRange[]>
  /** Reads what other processes purged. */
  sync(): Promise<void>
  /** As of the last `sync`. */
  total(): StoreStats['purged']
  /** Does nothing by itself any more. */
  stop(): void
  close(): void
}

interface PurgerParts {
  readonly elastic: Elastic
  readonly names: Names
  readonly slots: Slots
  readonly policies: Policies
  readonly clock: Clock
  readonly log: Logger
  readonly prepare: () => Promise<void>
}

/** An index that is being deleted: said before it is done, so that a crash in between forgets nothing. */
interface Going {
  /** null: it was empty. */
  readonly purged: Purged | null
  readonly bytes: number
}

interface PurgeContent {
  readonly v: 1
  readonly list: readonly Purged[]
  readonly total: StoreStats['purged']
  readonly going: Readonly<Record<string, Going>>
}

const NOTHING: PurgeContent = { v: 1, list: [], total: { partitions: 0, records: 0, bytes: 0 }, going: {} }

export function createPurger(parts: PurgerParts): Purger {
  const { elastic, names, slots, policies, clock, log } = parts
  const documents = createCasDocuments<PurgeContent>({
    ...parts,
    index: names.ledger,
    ids: ['purged'],
    empty: NOTHING,
  })
  /** What hidden indices hold: nothing is added to them any more. */
  const held = new Map<string, Promise<Purged | null>>()
  let cancel = clock.after(everyMs(policies), tick)

  function tick(): void {
    cancel = clock.after(everyMs(policies), tick)
    run().catch((error: unknown) => {
      log.error({ problem: messageOf(error) }, 'purging failed, it is tried again in a minute')
    })
  }

  async function purgedOf(index: string, reason: 'age' | 'size'): Promise<Purged | null> {
    const found = await heldIn(elastic, index)
    if (found === null) return null
    const { minMs, maxMs, records, levels, services } = found
    const { site, class: its } = names.parse(index) ?? { site: '', class: '' }
    return {
      site,
      class: its,
      reason,
      fromMs: minMs,
      toMs: maxMs + 1,
      records,
      atMs: clock.nowMs(),
      levels,
      services,
    }
  }

  function hiddenHeld(index: string): Promise<Purged | null> {
    const known = held.get(index)
    if (known !== undefined) return known
    const asked = purgedOf(index, 'age')
    held.set(index, asked)
    asked.catch(() => held.delete(index))
    return asked
  }

  async function run(): Promise<readonly PurgedRange[]> {
    const indices = await slots.list()
    await documents.sync()
    const due = new Set(slots.hidden())
    const sizes = await indexSizes(elastic, names)
    const large = tooMuch(
      sizes.filter(({ index }) => !due.has(index)),
      names,
      policies,
    )
    const wanted = indices.filter((index) => due.has(index) || large.has(index))
    const going = await Promise.all(
      wanted.map(async (index) => {
        await elastic.request({
          method: 'POST',
          path: `/${index}/_refresh`,
          query: { ignore_unavailable: true },
        })
        const purged = await purgedOf(index, due.has(index) ? 'age' : 'size')
        return [index, { purged, bytes: sizes.find((one) => one.index === index)?.bytes ?? 0 }] as const
      }),
    )
    if (going.length > 0)
      await documents.change(0, (content) => ({ content: announced(content, going), result: null }))
    return await finish()
  }

  /** Deletes what was announced, also by a process that died. */
  async function finish(): Promise<readonly PurgedRange[]> {
    const indices = Object.keys(documents.content(0).going)
    if (indices.length === 0) return []
    for (const index of indices) await slots.remove(index)
    const went = await documents.change(0, (content) => finished(content, indices))
    for (const index of indices) held.delete(index)
    for (const purged of went) log.info(publicRange(purged), 'purged an index')
    return went.map(publicRange).sort((left, right) => left.fromMs - right.fromMs)
  }

  return {
    run,
    async list(request, expired) {
      const { list, going } = documents.content(0)
      const hidden = slots.hidden().filter((index) => !Object.hasOwn(going, index))
      const due = await Promise.all(hidden.map(hiddenHeld))
      const now = [...Object.values(going).map(({ purged }) => purged), ...due].flatMap(
        (purged) => purged ?? [],
      )
      return listPurged([...now, ...expired].reduce(withPurged, list), request)
    },
    sync: () => documents.sync(),
    total: () => documents.content(0).total,
    stop: () => cancel(),
    close() {
      cancel()
      documents.close()
    },
  }
}

function announced(content: PurgeContent, going: readonly (readonly [string, Going])[]): PurgeContent {
  return { ...content, going: { ...Object.fromEntries(going), ...content.going } }
}

/** The content once these are deleted, and what it says of them: nothing of those that somebody else has finished. */
function finished(
  content: PurgeContent,
  indices: readonly string[],
): { content: PurgeContent; result: readonly Purged[] } {
  const ended = indices.flatMap((index) => content.going[index] ?? [])
  if (ended.length === 0) return { content, result: [] }
  const went = ended.flatMap(({ purged }) => purged ?? [])
  const { partitions, records, bytes } = content.total
  const total = {
    partitions: partitions + went.length,
    records: went.reduce((sum, one) => sum + one.records, records),
    bytes: ended.reduce((sum, one) => sum + one.bytes, bytes),
  }
  const left = Object.entries(content.going).filter(([index]) => !indices.includes(index))
  const list = went.reduce(withPurged, content.list)
  return { content: { ...content, list, total, going: Object.fromEntries(left) }, result: went }
}

/** The indices that have to go, those that are due first, for a class or for everything to fit. */
function tooMuch(
  sizes: readonly IndexSize[],
  names: Names,
  { classes, bytesMax, purgeAtMs }: Pick<Policies, 'classes' | 'bytesMax' | 'purgeAtMs'>,
): ReadonlySet<string> {
  const gone = new Set<string>()
  const slotOf = (index: string) => names.parse(index) ?? { site: '', class: '', slotMs: 0 }
  const inOrder = sizes
    .map((size) => ({ ...size, slot: slotOf(size.index) }))
    .sort(
      (left, right) => purgeAtMs(left.slot) - purgeAtMs(right.slot) || left.slot.slotMs - right.slot.slotMs,
    )
  const fit = (some: typeof inOrder, most: number | null) => {
    let bytes = some.reduce((sum, one) => sum + one.bytes, 0)
    for (const one of some) {
      if (bytes <= (most ?? Infinity)) break
      gone.add(one.index)
      bytes -= one.bytes
    }
  }
  for (const { name, bytesMax: most } of classes)
    fit(
      inOrder.filter(({ slot }) => slot.class === name),
      most,
    )
  fit(
    inOrder.filter(({ index }) => !gone.has(index)),
    bytesMax,
  )
  return gone
}

function everyMs({ classes }: Pick<Policies, 'classes'>): number {
  const shortest = Math.min(...classes.map(({ maxAgeMs }) => maxAgeMs)) / 4
  return Math.max(PURGE_EVERY_MS_MIN, Math.min(PURGE_EVERY_MS_MAX, shortest))
}
