import type { BadLine, LossReason } from './aggregation.ts'
import { printable } from './tags.ts'

const BAD_LINES_MAX = 20
const BAD_LINE_CHARS_MAX = 200
/** Names with refused series; what more names lost is in the totals only. */
const OVERFLOW_NAMES_MAX = 1_000
const OVERFLOW_NAMES_SHOWN = 20

/** What was lost, and samples of it. */
export interface Losses {
  count(reason: LossReason, count: number): void
  refused(name: string, reason: 'series' | 'name_series', count: number): void
  /** Of each interval, the first BAD_LINES_MAX are kept: a flood costs counting only. */
  badLine(bytes: Uint8Array, start: number, end: number, problem: string): void
  /** What was lost since the last call. A new interval begins. */
  takeNew(): readonly (readonly [LossReason, number])[]
  totals(): Readonly<Partial<Record<LossReason, number>>>
  overflowing(): readonly { readonly name: string; readonly refused: number }[]
  badLines(): readonly BadLine[]
}

export function createLosses(nowMs: () => number): Losses {
  const totals = new Map<LossReason, number>()
  const news = new Map<LossReason, number>()
  const names = new Map<string, number>()
  const samples: BadLine[] = []
  let sampled = 0

  function count(reason: LossReason, lost: number): void {
    totals.set(reason, (totals.get(reason) ?? 0) + lost)
    news.set(reason, (news.get(reason) ?? 0) + lost)
  }

  return {
    count,
    refused(name, reason, lost) {
      count(reason, lost)
      const before = names.get(name)
      if (before !== undefined || names.size < OVERFLOW_NAMES_MAX) names.set(name, (before ?? 0) + lost)
    },
    badLine(bytes, start, end, problem) {
      count('malformed', 1)
      if (sampled === BAD_LINES_MAX) return
      sampled++
      const bytesMax = BAD_LINE_CHARS_MAX * 3
      const text = Buffer.from(bytes.buffer, bytes.byteOffset + start, Math.min(end - start, bytesMax))
      const line = printable(text.toString('utf8')).slice(0, BAD_LINE_CHARS_MAX).toWellFormed()
      samples.push({ line, problem, atMs: nowMs() })
      if (samples.length > BAD_LINES_MAX) samples.shift()
    },
    takeNew() {
      const taken = [...news]
      news.clear()
      sampled = 0
      return taken
    },
    totals: () => Object.fromEntries(totals),
    overflowing: () =>
      [...names]
        .map(([name, refused]) => ({ name, refused }))
        .toSorted((a, b) => b.refused - a.refused)
        .slice(0, OVERFLOW_NAMES_SHOWN),
    badLines: () => [...samples],
  }
}
