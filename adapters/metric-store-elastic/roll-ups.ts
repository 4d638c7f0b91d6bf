import { messageOf } from '../../core/errors.ts'
import { addUp, slotStart } from '../../core/metrics/kept.ts'
import type { KeptPoint } from '../../core/metrics/kept.ts'
import { ROLL_UP_MS } from '../../core/metrics/types.ts'
import type { MetricResolution, MetricRetention, Series } from '../../core/metrics/types.ts'
import type { Clock, Logger, TimeRange } from '../../core/ports.ts'
import { askedAgain } from '../store-elastic/asked-again.ts'
import { coalesced } from '../store-elastic/cas-documents.ts'
import type { CasDocuments } from '../store-elastic/cas-documents.ts'
import type { Elastic } from '../store-elastic/elastic.ts'
import { ElasticFailure } from '../store-elastic/failures.ts'
import type { SlotNames } from '../store-elastic/names.ts'
import type { Refresher } from '../store-elastic/refresher.ts'
import type { Slots } from '../store-elastic/slots.ts'
import { documentOf, pointOf, seriesOf } from './documents.ts'
import type { PointDocument } from './documents.ts'
import { firstStart, readPortions } from './reading.ts'
import type { SitePortion } from './reading.ts'
import { slotOfPoint } from './slots.ts'

type RollUp = keyof typeof ROLL_UP_MS

/** How far the points of a site are rolled up: `begunMs` is written before they are read, `doneMs` after they are searchable. */
export interface Cursor {
  readonly begunMs: number
  readonly doneMs: number
}

/** Cursors of every site. */
export interface RollUpContent {
  readonly v: 1
  readonly sites: Readonly<Record<string, Readonly<Record<RollUp, Cursor>>>>
}

export const NO_ROLL_UPS: RollUpContent = { v: 1, sites: {} }

/**
 * Makes points of a minute and of an hour. Each is a pure function of the raw points (of the minutes) in it, under an id that follows
 * from what it is of, and it carries how many raw points are in it: Elasticsearch refuses one with fewer. So any number of processes
 * may roll up the same minute, and whoever saw the most points wins.
 *
 * A late point is rolled up by who appends it. Either it is searchable before the roll-up of its minute reads, or it is added after
 * `begunMs` was written: then who appends it sees that, and rolls up the minute again.
 */
export interface RollUps {
  /** Reads how far others are. */
  sync(): Promise<void>
  content(): RollUpContent
  /** Begins to keep a site's cursor, and rolls up again what these points came too late for. They are searchable by now. */
  took(site: string, startsMs: ReadonlySet<number>): Promise<void>
  /** Rolls up what is due. It also happens by itself. */
  run(): Promise<void>
  stop(): Promise<void>
}

export interface RollUpParts {
  readonly elastic: Elastic
  readonly names: SlotNames
  readonly slots: Slots
  readonly refresher: Refresher
  readonly cursors: CasDocuments<RollUpContent>
  readonly retention: MetricRetention
  readonly clock: Clock
  readonly log: Logger
}

const EVERY_MS = 10_000
/** A flush every ten seconds, the spool and the way take some: what comes later costs a second roll-up. */
const GRACE_MS = 20_000
const BULK_DOCUMENTS = 2_000
/** Of a site that was away, so much is rolled up at a time. */
const SLOTS_AT_ONCE = 10
/** Late points may be of many minutes, and all points of those are in memory. */
const SLOTS_READ_AT_ONCE = 60

export function createRollUps(parts: RollUpParts): RollUps {
  const { cursors, clock, log } = parts
  const stopping = new AbortController()
  const { signal } = stopping
  let running: Promise<void> | null = null
  let cancel = clock.after(EVERY_MS, tick)

  const cursorOf = (site: string, rollUp: RollUp) => cursors.content(0).sites[site]?.[rollUp]

  function tick(): void {
    cancel = clock.after(EVERY_MS, tick)
    run().catch((error: unknown) => {
      if (!signal.aborted)
        log.warn({ problem: messageOf(error) }, 'rolling up metrics failed, it is tried again')
    })
  }

  function run(): Promise<void> {
    running ??= rollAll().finally(() => (running = null))
    return running
  }

  async function rollAll(): Promise<void> {
    await cursors.sync()
    for (const site of Object.keys(cursors.content(0).sites)) {
      await rollDue(site, 'minute', clock.nowMs() - GRACE_MS)
      await rollDue(site, 'hour', cursorOf(site, 'minute')?.doneMs ?? 0)
    }
  }

  async function rollDue(site: string, rollUp: RollUp, untilMs: number): Promise<void> {
    const widthMs = ROLL_UP_MS[rollUp]
    const dueMs = slotStart(untilMs, widthMs)
    let doneMs = cursorOf(site, rollUp)?.doneMs ?? dueMs
    if (doneMs >= dueMs) return
    await move(site, rollUp, { begunMs: dueMs, doneMs })
    while (doneMs < dueMs) {
      signal.throwIfAborted()
      const fromMs = await firstSlot(site, rollUp, { fromMs: doneMs, toMs: dueMs })
      doneMs = Math.min(dueMs, fromMs + SLOTS_AT_ONCE * widthMs)
      const slotsMs = Array.from({ length: (doneMs - fromMs) / widthMs }, (_, at) => fromMs + at * widthMs)
      await roll(parts, { site, rollUp, slotsMs }, signal)
      await move(site, rollUp, { begunMs: dueMs, doneMs })
    }
  }

  /** After a long pause most slots are empty: the first that is not, or the end. */
  async function firstSlot(site: string, rollUp: RollUp, range: TimeRange): Promise<number> {
    const widthMs = ROLL_UP_MS[rollUp]
    if (range.toMs - range.fromMs <= SLOTS_AT_ONCE * widthMs) return range.fromMs
    const portion = { resolution: sourceOf(rollUp), range, sites: { only: [site] } }
    const firstMs = await firstStart({ elastic: parts.elastic, indices: parts.names.all, signal }, portion)
    return slotStart(firstMs ?? range.toMs, widthMs)
  }

  async function move(site: string, rollUp: RollUp, to: Cursor): Promise<void> {
    await cursors.change(0, (content) => ({ content: moved(content, site, { [rollUp]: to }), result: null }))
  }

  async function begin(site: string): Promise<void> {
    const nowMs = clock.nowMs()
    const [minute, hour] = [slotStart(nowMs, ROLL_UP_MS.minute), slotStart(nowMs, ROLL_UP_MS.hour)]
    await cursors.change(0, (content) => ({
      content:
        content.sites[site] === undefined
          ? moved(content, site, {
              minute: { begunMs: minute, doneMs: minute },
              hour: { begunMs: hour, doneMs: hour },
            })
          : content,
      result: null,
    }))
  }

  /** Times of the points that were taken, by site: looked at together by the next round. */
  let late = new Map<string, Set<number>>()
  const rollLate = coalesced(async () => {
    const taken = late
    late = new Map()
    await cursors.sync()
    for (const [site, startsMs] of taken) {
      if (cursorOf(site, 'minute') === undefined) await begin(site)
      await rollAgain(site, 'minute', startsMs)
      await rollAgain(site, 'hour', startsMs)
    }
  })

  async function rollAgain(site: string, rollUp: RollUp, startsMs: Iterable<number>): Promise<void> {
    const widthMs = ROLL_UP_MS[rollUp]
    const begunMs = cursorOf(site, rollUp)?.begunMs ?? 0
    const slots = new Set(Array.from(startsMs, (ms) => slotStart(ms, widthMs)).filter((ms) => ms < begunMs))
    await roll(parts, { site, rollUp, slotsMs: [...slots] }, signal)
  }

  return {
    sync: () => cursors.sync(),
    content: () => cursors.content(0),
    async took(site, startsMs) {
      late.set(site, new Set([...(late.get(site) ?? []), ...startsMs]))
      await rollLate()
    },
    run,
    async stop() {
      cancel()
      stopping.abort()
      await running?.catch(() => undefined)
    },
  }
}

/** Cursors only go forward. */
function moved(
  content: RollUpContent,
  site: string,
  to: Readonly<Partial<Record<RollUp, Cursor>>>,
): RollUpContent {
  const before = content.sites[site]
  const next = (rollUp: RollUp): Cursor => {
    const [one, other] = [before?.[rollUp], to[rollUp]]
    return {
      begunMs: Math.max(one?.begunMs ?? 0, other?.begunMs ?? 0),
      doneMs: Math.max(one?.doneMs ?? 0, other?.doneMs ?? 0),
    }
  }
  return { ...content, sites: { ...content.sites, [site]: { minute: next('minute'), hour: next('hour') } } }
}

interface Rolling {
  readonly site: string
  readonly rollUp: RollUp
  readonly slotsMs: readonly number[]
}

interface Slot {
  readonly series: Series
  readonly startMs: number
  readonly parts: KeptPoint[]
  points: number
}

/** What a roll-up is made of. */
function sourceOf(rollUp: RollUp): MetricResolution {
  return rollUp === 'minute' ? 'raw' : 'minute'
}

/** Rolls up everything in these slots, and makes it searchable. */
async function roll(
  parts: RollUpParts,
  { slotsMs, ...rolling }: Rolling,
  signal: AbortSignal,
): Promise<void> {
  const indices = new Set<string>()
  for (let at = 0; at < slotsMs.length; at += SLOTS_READ_AT_ONCE) {
    const some = slotsMs.slice(at, at + SLOTS_READ_AT_ONCE)
    const { clock } = parts
    await askedAgain({ clock, signal }, () =>
      rollSome(parts, { ...rolling, slotsMs: some }, { indices, signal }),
    )
  }
  await parts.refresher.refreshed(indices)
}

async function rollSome(
  { elastic, names, slots }: RollUpParts,
  { site, rollUp, slotsMs }: Rolling,
  { indices, signal }: { indices: Set<string>; signal: AbortSignal },
): Promise<void> {
  const widthMs = ROLL_UP_MS[rollUp]
  const resolution = sourceOf(rollUp)
  const found = new Map<string, Slot>()
  const portions = slotsMs.map((fromMs): SitePortion => {
    return { resolution, range: { fromMs, toMs: fromMs + widthMs }, sites: { only: [site] } }
  })
  await readPortions({ elastic, indices: names.all, signal }, portions, (document) =>
    addTo(found, document, widthMs),
  )
  const entries = [...found.values()]
  for (let at = 0; at < entries.length; at += BULK_DOCUMENTS) {
    const lines: string[] = []
    for (const slot of entries.slice(at, at + BULK_DOCUMENTS)) {
      const index = await slots.ensure(slotOfPoint(site, rollUp, slot.startMs))
      indices.add(index)
      lines.push(linesOf(names.alias(index), { site, rollUp, slot }))
    }
    await write(elastic, lines.join(''), signal).catch((error: unknown) => {
      // Somebody may have deleted one of them: the next time it is made again.
      for (const index of indices) slots.forget(index)
      throw error
    })
  }
}

function addTo(found: Map<string, Slot>, document: PointDocument, widthMs: number): void {
  const startMs = slotStart(document['@timestamp'], widthMs)
  const key = `${document.series} ${startMs}`
  const slot = found.get(key) ?? { series: seriesOf(document), startMs, parts: [], points: 0 }
  slot.parts.push(pointOf(document))
  slot.points += document.points ?? 1
  found.set(key, slot)
}

function linesOf(
  alias: string,
  { site, rollUp, slot }: { site: string; rollUp: RollUp; slot: Slot },
): string {
  const { series, startMs, points } = slot
  const point = addUp(slot.parts, { kind: series.kind, startMs, stepMs: ROLL_UP_MS[rollUp] })
  const document = documentOf({ site, resolution: rollUp, series, point, points })
  const id = `${document.series}-${startMs}`
  const index = { _index: alias, _id: id, version: points, version_type: 'external_gte' }
  return `${JSON.stringify({ index })}\n${JSON.stringify(document)}\n`
}

interface BulkAnswer {
  readonly errors: boolean
  readonly items?: readonly {
    readonly index: {
      readonly status: number
      readonly error?: { readonly type: string; readonly reason: string }
    }
  }[]
}

/** One that is refused for its version was rolled up with more points by somebody else. */
async function write(elastic: Elastic, lines: string, signal: AbortSignal): Promise<void> {
  const { errors, items = [] } = await elastic.request<BulkAnswer>({
    method: 'POST',
    path: '/_bulk',
    query: { require_alias: true, filter_path: 'errors,items.index.status,items.index.error' },
    lines: Buffer.from(lines),
    signal,
  })
  if (!errors) return
  for (const { index } of items) {
    const { status, error } = index
    if (error !== undefined && status !== 409) throw new ElasticFailure(status, error.type, error.reason)
  }
}
