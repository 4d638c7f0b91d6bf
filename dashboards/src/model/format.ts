const SECOND_MS = 1000
const MINUTE_MS = 60 * SECOND_MS
const HOUR_MS = 60 * MINUTE_MS
const DAY_MS = 24 * HOUR_MS
const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec']

const pad = (value: number, width = 2) => String(value).padStart(width, '0')

export const TIME_ZONES = ['local', 'utc'] as const
export type TimeZone = (typeof TIME_ZONES)[number]

let zone: TimeZone = 'local'

/** All times of the page are written in this zone from now on; hooks/use-time-zone.ts draws the page anew. */
export function writeTimesIn(chosen: TimeZone): void {
  zone = chosen
}

/** What the clock on the wall is ahead of UTC at that time, in the zone that times are written in. */
export function zoneOffsetMs(timeMs: number): number {
  return zone === 'utc' ? 0 : -new Date(timeMs).getTimezoneOffset() * MINUTE_MS
}

/** 'UTC', 'UTC+1', 'UTC+5:30': the zone that times are written in, as it is at that time. */
export function zoneLabel(timeMs: number): string {
  const minutes = Math.round(zoneOffsetMs(timeMs) / MINUTE_MS)
  if (minutes === 0) return 'UTC'
  const rest = Math.abs(minutes) % 60
  return `UTC${minutes < 0 ? '−' : '+'}${Math.floor(Math.abs(minutes) / 60)}${rest === 0 ? '' : `:${pad(rest)}`}`
}

/** A date whose UTC fields are what the clock on the wall shows. */
function wallClock(timeMs: number): Date {
  return new Date(timeMs + zoneOffsetMs(timeMs))
}

/** 2026-01-05T03:12:07, without a zone. */
export function wallTime(timeMs: number): string {
  return wallClock(timeMs).toISOString().slice(0, 19)
}

/** What wallTime() wrote, or a person in a field of that form → ms since 1970; NaN when it is no time. */
export function parseWallTime(text: string): number {
  return Date.parse(zone === 'utc' ? `${text}Z` : text)
}

/** 03:12:07 */
export function clockTime(timeMs: number): string {
  const at = wallClock(timeMs)
  return `${pad(at.getUTCHours())}:${pad(at.getUTCMinutes())}:${pad(at.getUTCSeconds())}`
}

/** 03:12:07.042 */
export function clockTimeMs(timeMs: number): string {
  return `${clockTime(timeMs)}.${pad(wallClock(timeMs).getUTCMilliseconds(), 3)}`
}

/** 5 Jan */
export function dayLabel(timeMs: number): string {
  const at = wallClock(timeMs)
  return `${at.getUTCDate()} ${MONTHS[at.getUTCMonth()]}`
}

export function sameDay(oneMs: number, otherMs: number): boolean {
  const day = (timeMs: number) => Math.floor((timeMs + zoneOffsetMs(timeMs)) / DAY_MS)
  return day(oneMs) === day(otherMs)
}

/** 03:12:07, with the day in front when it is not the day of `nowMs`. */
export function moment(timeMs: number, nowMs: number): string {
  return sameDay(timeMs, nowMs) ? clockTime(timeMs) : `${dayLabel(timeMs)} ${clockTime(timeMs)}`
}

/** 03:10:01–03:10:04; the second day is only named when it differs from the first. */
export function span(fromMs: number, toMs: number, nowMs: number): string {
  const to = sameDay(fromMs, toMs) ? clockTime(toMs) : moment(toMs, nowMs)
  return `${moment(fromMs, nowMs)}–${to}`
}

/** 1,234,567 */
export function count(value: number): string {
  return value.toLocaleString('en-US')
}

/** 1.2k, 34k, 5.6M: for axes. */
export function shortCount(value: number): string {
  if (value < 1000) return String(value)
  const [scaled, unit] =
    value < 1e6 ? [value / 1e3, 'k'] : value < 1e9 ? [value / 1e6, 'M'] : [value / 1e9, 'G']
  return `${scaled < 10 ? Math.round(scaled * 10) / 10 : Math.round(scaled)}${unit}`
}

/** 3 lines, 1 line */
export function plural(value: number, word: string): string {
  return `${count(value)} ${word}${value === 1 ? '' : 's'}`
}

/** 42 s, 5 min, 3 h, 2 d: an age or a length, rounded down. */
export function duration(ms: number): string {
  if (ms < SECOND_MS) return `${Math.max(0, Math.round(ms))} ms`
  if (ms < MINUTE_MS) return `${Math.floor(ms / SECOND_MS)} s`
  if (ms < HOUR_MS) return `${Math.floor(ms / MINUTE_MS)} min`
  if (ms < DAY_MS) return `${Math.floor(ms / HOUR_MS)} h`
  return `${Math.floor(ms / DAY_MS)} d`
}

/** 12 %, 0.4 %, < 0.1 % */
export function percent(share: number): string {
  const value = share * 100
  if (value > 0 && value < 0.1) return '< 0.1 %'
  return `${value < 10 ? Math.round(value * 10) / 10 : Math.round(value)} %`
}
