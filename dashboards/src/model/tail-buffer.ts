import type { LogRecord } from '../api.ts'

/** Lines a live view holds, shown and waiting together. */
export const TAIL_ROWS_MAX = 10_000
const RATE_WINDOW_MS = 5000

/** Newest first. `waiting` holds what arrived while the reader had scrolled away. */
export interface TailBuffer {
  readonly shown: readonly LogRecord[]
  readonly waiting: readonly LogRecord[]
  /** Lines that had to leave: once there is one, what is older than the buffer cannot follow it without a hole. */
  readonly dropped: number
  /** [when, how many], oldest first, for the last few seconds. */
  readonly arrivals: readonly (readonly [number, number])[]
}

export const EMPTY_TAIL: TailBuffer = { shown: [], waiting: [], dropped: 0, arrivals: [] }

/** Takes what arrived since the last call, in order of arrival; a line that is already here is not taken again. */
export function takeArrivals(
  buffer: TailBuffer,
  records: readonly LogRecord[],
  options: { paused: boolean; nowMs: number; rowsMax?: number },
): TailBuffer {
  const { paused, nowMs, rowsMax = TAIL_ROWS_MAX } = options
  const known = new Set([...buffer.waiting, ...buffer.shown].map((record) => record.id))
  const fresh: LogRecord[] = []
  for (const record of records) {
    if (known.has(record.id)) continue
    known.add(record.id)
    fresh.push(record)
  }
  const arrivals = [...buffer.arrivals, [nowMs, fresh.length] as const].filter(
    ([when]) => when > nowMs - RATE_WINDOW_MS,
  )
  const waiting = [...newestFirst(fresh), ...buffer.waiting]
  return fit({ ...buffer, waiting, arrivals }, { paused, rowsMax })
}

function newestFirst(records: readonly LogRecord[]): readonly LogRecord[] {
  // Stable, so lines of one millisecond keep the reverse of their arrival.
  return records.toReversed().sort((a, b) => (a.time < b.time ? 1 : a.time > b.time ? -1 : 0))
}

function fit(buffer: TailBuffer, { paused, rowsMax }: { paused: boolean; rowsMax: number }): TailBuffer {
  const waiting = paused ? buffer.waiting.slice(0, rowsMax) : []
  const shown = paused ? buffer.shown : [...buffer.waiting, ...buffer.shown].slice(0, rowsMax)
  const before = buffer.shown.length + buffer.waiting.length
  return {
    ...buffer,
    waiting,
    shown,
    dropped: buffer.dropped + before - waiting.length - shown.length,
  }
}

/** Shows what was waiting. */
export function resume(buffer: TailBuffer, rowsMax = TAIL_ROWS_MAX): TailBuffer {
  return fit(buffer, { paused: false, rowsMax })
}

/** Lines per second over the last few seconds. */
export function tailRate(buffer: TailBuffer, nowMs: number): number {
  const recent = buffer.arrivals.filter(([when]) => when > nowMs - RATE_WINDOW_MS)
  return (recent.reduce((sum, [, lines]) => sum + lines, 0) * 1000) / RATE_WINDOW_MS
}

/** What a live view shows: what arrived, then what the search found before, no line twice. */
export function liveRows(
  buffer: TailBuffer,
  found: readonly LogRecord[],
  rowsMax = TAIL_ROWS_MAX,
): readonly LogRecord[] {
  if (buffer.dropped > 0) return buffer.shown
  const arrived = new Set([...buffer.shown, ...buffer.waiting].map((record) => record.id))
  return [...buffer.shown, ...found.filter((record) => !arrived.has(record.id))].slice(0, rowsMax)
}
