const SECOND_MS = 1000
const MINUTE_MS = 60 * SECOND_MS
const HOUR_MS = 60 * MINUTE_MS
const DAY_MS = 24 * HOUR_MS
const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec']

const pad = (value: number, width = 2) => String(value).padStart(width, '0')

/** 03:12:07, local time. */
export function clockTime(timeMs: number): string {
  const at = new Date(timeMs)
  return `${pad(at.getHours())}:${pad(at.getMinutes())}:${pad(at.getSeconds())}`
}

/** 03:12:07.042, local time. */
export function clockTimeMs(timeMs: number): string {
  return `${clockTime(timeMs)}.${pad(new Date(timeMs).getMilliseconds(), 3)}`
}

/** 5 Jan, local time. */
export function dayLabel(timeMs: number): string {
  const at = new Date(timeMs)
  return `${at.getDate()} ${MONTHS[at.getMonth()]}`
}

export function sameDay(oneMs: number, otherMs: number): boolean {
  return new Date(oneMs).toDateString() === new Date(otherMs).toDateString()
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
