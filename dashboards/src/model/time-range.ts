import { clockTime, dayLabel, sameDay } from './format.ts'

/** What a person picked: a length back from now, or two fixed times (half-open, ms since 1970). */
export type TimeRange =
  | { readonly kind: 'relative'; readonly length: string }
  | { readonly kind: 'absolute'; readonly fromMs: number; readonly toMs: number }

export const PRESETS = ['5m', '15m', '1h', '6h', '24h', '7d'] as const
export const DEFAULT_RANGE: TimeRange = { kind: 'relative', length: '15m' }

const UNIT_MS: Readonly<Record<string, number>> = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 }
const UNIT_WORDS: Readonly<Record<string, string>> = { s: 'second', m: 'minute', h: 'hour', d: 'day' }
const LENGTH = /^([1-9]\d{0,5})([smhd])$/

/** '15m' → ms; null when it is not a length. */
export function lengthMs(length: string): number | null {
  const [, amount, unit] = LENGTH.exec(length) ?? []
  if (amount === undefined || unit === undefined) return null
  return Number(amount) * (UNIT_MS[unit] ?? 0)
}

/** Reads the `from` and `to` of a link; null when they make no range. */
export function parseRange(from: string | null, to: string | null): TimeRange | null {
  if (from === null) return null
  if (from.startsWith('now-') && (to === null || to === 'now')) {
    const length = from.slice('now-'.length)
    return lengthMs(length) === null ? null : { kind: 'relative', length }
  }
  return absoluteRange(parseTime(from), parseTime(to ?? ''))
}

function parseTime(text: string): number {
  return /^\d{13}$/.test(text) ? Number(text) : Date.parse(text)
}

/** A fixed range; null unless both are times and the first is the earlier. */
export function absoluteRange(fromMs: number, toMs: number): TimeRange | null {
  return Number.isFinite(fromMs) && Number.isFinite(toMs) && fromMs < toMs
    ? { kind: 'absolute', fromMs, toMs }
    : null
}

/** As the API and links write it. */
export function rangeParameters(range: TimeRange): { from: string; to: string } {
  if (range.kind === 'relative') return { from: `now-${range.length}`, to: 'now' }
  return { from: new Date(range.fromMs).toISOString(), to: new Date(range.toMs).toISOString() }
}

/** Where a range lies at `nowMs`. */
export function resolveRange(range: TimeRange, nowMs: number): { fromMs: number; toMs: number } {
  if (range.kind === 'absolute') return { fromMs: range.fromMs, toMs: range.toMs }
  return { fromMs: nowMs - (lengthMs(range.length) ?? 0), toMs: nowMs }
}

/** 'Last 15 minutes', '03:00:00 – 03:15:00'; days are named when they are not today. */
export function rangeLabel(range: TimeRange, nowMs: number): string {
  if (range.kind === 'relative') return `Last ${lengthWords(range.length)}`
  const { fromMs, toMs } = range
  const day = (timeMs: number) => (sameDay(timeMs, nowMs) ? '' : `${dayLabel(timeMs)}, `)
  const toDay = sameDay(fromMs, toMs) ? '' : day(toMs)
  return `${day(fromMs)}${clockTime(fromMs)} – ${toDay}${clockTime(toMs)}`
}

/** '15m' → '15 minutes', '1h' → 'hour' (it follows 'last'). */
function lengthWords(length: string): string {
  const [, amount = '', unit = ''] = LENGTH.exec(length) ?? []
  const word = UNIT_WORDS[unit] ?? ''
  return amount === '1' ? word : `${amount} ${word}s`
}

/** The next longer preset that ends now, or three times the length around the middle of a fixed range. */
export function widen(range: TimeRange, nowMs: number): TimeRange {
  const { fromMs, toMs } = resolveRange(range, nowMs)
  const length = toMs - fromMs
  if (range.kind === 'relative') {
    const longer = PRESETS.find((preset) => (lengthMs(preset) ?? 0) > length)
    if (longer !== undefined) return { kind: 'relative', length: longer }
    return { kind: 'relative', length: `${Math.ceil((length * 2) / (UNIT_MS['d'] ?? 1))}d` }
  }
  return { kind: 'absolute', fromMs: Math.max(0, fromMs - length), toMs: toMs + length }
}
