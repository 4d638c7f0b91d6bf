import { asServiceError, messageOf, ServiceError } from '../../core/errors.ts'
import { isDiskFull } from '../../core/fs.ts'
import type { BatchKey } from '../../core/ledger/types.ts'
import type { BatchKeys } from '../../core/metrics/batch-keys.ts'
import type { MetricPoint, Series } from '../../core/metrics/types.ts'
import { seriesKey } from '../../core/metrics/wire.ts'
import type { FramedFile } from '../store-embedded/framed-file.ts'
import { encodeEntry } from './journal-entry.ts'
import { createSlices } from '../../core/slices.ts'
import { draftRows, type Rows, type Table } from './table.ts'

export interface MetricBatch {
  readonly key: BatchKey
  readonly points: readonly MetricPoint[]
}

/** Where batches go now; both are exchanged when they are sealed. */
export interface Generation {
  readonly table: Table
  readonly journal: FramedFile
  /** Series whose keys stand in the journal. */
  seriesWritten: number
}

interface Waiting {
  readonly batch: MetricBatch
  readonly signal: AbortSignal
  readonly done: PromiseWithResolvers<'stored' | 'duplicate'>
}

interface Prepared {
  readonly waiting: Waiting
  readonly rows: Rows
  readonly payload: Buffer
  readonly seriesWritten: number
}

/** Batches that are written together at most; more wait for the next write. */
const BATCHES_PER_FRAME_MAX = 64
/** Points that are prepared between two looks at the clock. */
const POINTS_AT_ONCE = 256
const DAY_MS = 86_400_000
/** Instead of a series' number. */
const EXPIRED = -1
const REFUSED = -2

export interface AppenderOptions {
  readonly keys: BatchKeys
  readonly nowMs: () => number
  /** Gives the generation to write to; asked before every frame. */
  readonly generation: () => Promise<Generation>
  /** Points before this time are too old. */
  readonly oldestMs: () => number
  /** Whether a series may have points today. */
  readonly admits: (key: string) => boolean
  readonly counts: { refused: number; expired: number }
}

/** Writes batches one frame at a time: what waits behind a sync goes together into the next one. */
export function createAppender(options: AppenderOptions) {
  const { keys, nowMs, generation, oldestMs, admits, counts } = options
  let queue: Waiting[] = []
  let running: Promise<void> | null = null
  let turn: Promise<unknown> = Promise.resolve()

  function inTurn<T>(work: () => Promise<T>): Promise<T> {
    const done = turn.then(work)
    turn = done.catch(() => undefined)
    return done
  }

  /** Number of a series, or REFUSED. That it is one of today's is asked once a day: the question costs as much as all the rest. */
  function numberToday(series: Series, { table, today }: { table: Table; today: number }): number {
    const before = table.known.get(series)
    if (before !== undefined && table.admittedOn[before] === today) return before
    const key = seriesKey(series)
    const found = table.find(key)
    const isAdmitted = found !== undefined && table.admittedOn[found] === today
    if (!isAdmitted && !admits(key)) return REFUSED
    const number = table.numberOf(key)
    table.admittedOn[number] = today
    table.known.set(series, number)
    return number
  }

  /** Numbers series and fills columns, some milliseconds at a time. */
  async function rowsOf({ points }: MetricBatch, table: Table): Promise<Rows> {
    const pause = createSlices()
    const draft = draftRows(points.length)
    const leastMs = oldestMs()
    const today = Math.floor(nowMs() / DAY_MS)
    for (const [at, point] of points.entries()) {
      if (at % POINTS_AT_ONCE === 0) await pause()
      const number = point.startMs < leastMs ? EXPIRED : numberToday(point.series, { table, today })
      if (number >= 0) draft.put(number, point)
      else if (number === EXPIRED) counts.expired += 1
      else counts.refused += 1
    }
    return draft.rows()
  }

  async function prepare(batches: readonly Waiting[], { table, seriesWritten }: Generation) {
    const prepared: Prepared[] = []
    const inFrame = new Set<string>()
    let firstSeries = seriesWritten
    for (const waiting of batches) {
      const { key } = waiting.batch
      const name = JSON.stringify(key)
      if (waiting.signal.aborted) waiting.done.reject(waiting.signal.reason)
      // Its twin is in this frame, which may fail yet: it is looked at again behind it.
      else if (inFrame.has(name)) queue.push(waiting)
      else if (keys.has(key)) waiting.done.resolve('duplicate')
      else {
        inFrame.add(name)
        const rows = await rowsOf(waiting.batch, table)
        const head = { firstSeries, keys: table.keys.slice(firstSeries) }
        const payload = await encodeEntry({ key, atMs: nowMs(), rows }, head)
        firstSeries = table.keys.length
        prepared.push({ waiting, rows, payload, seriesWritten: firstSeries })
      }
    }
    return prepared
  }

  async function write(batches: readonly Waiting[]): Promise<void> {
    try {
      const current = await generation()
      const prepared = await prepare(batches, current)
      if (prepared.length === 0) return
      await current.table.reserve(prepared.reduce((sum, { rows }) => sum + rows.length, 0))
      await current.journal.append(prepared.map(({ payload }) => payload))
      for (const { waiting, rows, seriesWritten } of prepared) {
        current.table.add(rows)
        current.seriesWritten = seriesWritten
        keys.add(waiting.batch.key, nowMs())
        waiting.done.resolve('stored')
      }
    } catch (error) {
      for (const { done } of batches) done.reject(failed(error)) // Settled ones stay as they are.
    }
  }

  async function run(): Promise<void> {
    while (queue.length > 0) {
      const batches = queue.slice(0, BATCHES_PER_FRAME_MAX)
      queue = queue.slice(BATCHES_PER_FRAME_MAX)
      await inTurn(() => write(batches))
    }
    running = null
  }

  return {
    append(batch: MetricBatch, signal: AbortSignal): Promise<'stored' | 'duplicate'> {
      const done = Promise.withResolvers<'stored' | 'duplicate'>()
      queue.push({ batch, signal, done })
      running ??= run()
      return done.promise
    },
    /** Runs `work` while nothing is being written. */
    between: inTurn,
    /** Resolves when everything that waits is written. */
    async idle(): Promise<void> {
      await running
      await turn
    },
  }
}

function failed(error: unknown): ServiceError {
  const known = asServiceError(error)
  if (known !== undefined) return known
  const code = isDiskFull(error) ? 'DISK_FULL' : 'STORE_UNAVAILABLE'
  return new ServiceError(code, `metrics cannot be written: ${messageOf(error)}`, {}, error)
}
