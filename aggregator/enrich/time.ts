/** Where and when a line was read: what its time lacks is taken from here, never from the aggregator's clock. */
export interface ReadContext {
  /** The host's offset from UTC in minutes, east positive. */
  readonly utcOffsetMin: number
  /** When the line was read, collector's clock. */
  readonly readAtMs: number
}

export interface TimeRead {
  /** ms since 1970; may be impossible, see `isPossible`. */
  readonly ms: number
  /** Index behind the time. */
  readonly end: number
  /** It named its offset from UTC in numbers. */
  readonly offset: boolean
}

const MINUTE_MS = 60_000
const HOUR_MS = 60 * MINUTE_MS
const DAY_MS = 24 * HOUR_MS
/** A time without its year or day may be this far ahead of the reading host's clock. */
const AHEAD_MS = DAY_MS
/** A leap day is looked for this many years back. */
const LEAP_YEARS_BACK = 8
const YEAR_10000_MS = 253_402_300_800_000
const MONTHS = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec']
/** Epoch numbers that stand at the start of a line are believed between 2001 and 2100. */
const EPOCH_FROM_S = 1_000_000_000
const EPOCH_TO_S = 4_102_444_800

/** Whether a record may carry this time: 1970 to 9999. */
export function isPossible(ms: number): boolean {
  return ms >= 0 && ms < YEAR_10000_MS
}

/** The time that starts at `at` in one of the forms that lines start with; null when there is none. */
export function readTime(text: string, at: number, read: ReadContext): TimeRead | null {
  const code = text.charCodeAt(at)
  if (isDigit(code)) {
    const fourth = text.charCodeAt(at + 4)
    if (fourth === 0x2d || fourth === 0x2f) return readIso(text, at, read)
    if (text.charCodeAt(at + 2) === 0x2f) return readSlashes(text, at, read)
    if (text.charCodeAt(at + 2) === 0x3a) return readClock(text, at, read)
    return readCompact(text, at, read) ?? readEpoch(text, at)
  }
  return isLetter(code) ? readNamed(text, at, read) : null
}

/** `2026-11-21`, `T` or blank, `06:25:01`, `.` or `,` and a fraction, `Z`, ` UTC`, `+01:00`, `+0100`; also with `/` in the date. */
export function readIso(text: string, at: number, read: ReadContext): TimeRead | null {
  const separator = text.charCodeAt(at + 4)
  if (text.charCodeAt(at + 7) !== separator) return null
  const dayMs = utcDay(digits(text, at, 4), digits(text, at + 5, 2), digits(text, at + 8, 2))
  const between = text.charCodeAt(at + 10)
  if (dayMs === null || (between !== 0x54 && between !== 0x74 && between !== 0x20)) return null
  return finish(text, at + 11, dayMs, read)
}

/** A whole text that is a time: RFC 3339, another form that lines start with, or a bare date. */
export function parseTime(text: string, read: ReadContext): number | null {
  const found = readTime(text, 0, read)
  if (found !== null && found.end === text.length) return found.ms
  if (/^\d{4}-\d\d-\d\d$/.test(text)) return finish(`${text}T00:00`, 11, Date.parse(text), read)?.ms ?? null
  if (/^-?\d{1,19}(?:\.\d+)?$/.test(text)) return epochMs(Number(text))
  const ms = /^[+-]\d{6}-/.test(text) ? Date.parse(text) : Number.NaN
  return Number.isNaN(ms) ? null : ms
}

/** A number of seconds, ms, µs or ns since 1970, told apart by size; null when it is too small to be a time. */
export function epochMs(value: number): number | null {
  const size = Math.abs(value)
  if (size < 1e8) return null
  // A fraction of seconds is rarely exact: a µs is forgiven.
  if (size < 1e11) return Math.floor(value * 1_000 + 1e-3)
  if (size < 1e14) return Math.floor(value)
  return Math.floor(size < 1e17 ? value / 1e3 : value / 1e6)
}

/** The latest time not more than a day ahead of the read time that has this month, day and time of day. */
export function resolveYear(month: number, day: number, dayTimeMs: number, read: ReadContext): number | null {
  const year = new Date(read.readAtMs).getUTCFullYear() + 1
  for (let back = 0; back <= LEAP_YEARS_BACK; back++) {
    const dayMs = utcDay(year - back, month, day)
    if (dayMs === null) continue
    const ms = dayMs + dayTimeMs - read.utcOffsetMin * MINUTE_MS
    if (ms <= read.readAtMs + AHEAD_MS) return ms
  }
  return null
}

/** `17/06/09 20:10:40` (year first) or `21/Nov/2026:06:25:01 +0000`. */
function readSlashes(text: string, at: number, read: ReadContext): TimeRead | null {
  const month = monthAt(text, at + 3)
  if (month > 0) {
    if (text.charCodeAt(at + 6) !== 0x2f || text.charCodeAt(at + 11) !== 0x3a) return null
    const dayMs = utcDay(digits(text, at + 7, 4), month, digits(text, at, 2))
    return dayMs === null ? null : finish(text, at + 12, dayMs, read)
  }
  if (text.charCodeAt(at + 5) !== 0x2f || text.charCodeAt(at + 8) !== 0x20) return null
  const dayMs = utcDay(shortYear(text, at), digits(text, at + 3, 2), digits(text, at + 6, 2))
  return dayMs === null ? null : finish(text, at + 9, dayMs, read)
}

/** `081109 203615`: year, month, day; hour, minute, second. */
function readCompact(text: string, at: number, read: ReadContext): TimeRead | null {
  if (text.charCodeAt(at + 6) !== 0x20) return null
  const dayMs = utcDay(shortYear(text, at), digits(text, at + 2, 2), digits(text, at + 4, 2))
  if (dayMs === null) return null
  if (text.charCodeAt(at + 9) === 0x3a) return finish(text, at + 7, dayMs, read)
  const timeMs = clockMs(digits(text, at + 7, 2), digits(text, at + 9, 2), digits(text, at + 11, 2))
  if (timeMs === null || isDigit(text.charCodeAt(at + 13))) return null
  return { ms: dayMs + timeMs - read.utcOffsetMin * MINUTE_MS, end: at + 13, offset: false }
}

/** `06:25:01.123`: the last such time not more than a day ahead. */
function readClock(text: string, at: number, read: ReadContext): TimeRead | null {
  const shiftedMs = read.readAtMs + read.utcOffsetMin * MINUTE_MS
  const found = finish(text, at, Math.floor(shiftedMs / DAY_MS) * DAY_MS, read)
  if (found === null || text.charCodeAt(at + 5) !== 0x3a) return null
  // Just before midnight read just after it, or the other way round: the nearest day.
  const apartMs = found.ms - read.readAtMs
  const ms = apartMs > DAY_MS / 2 ? found.ms - DAY_MS : apartMs < -DAY_MS / 2 ? found.ms + DAY_MS : found.ms
  return { ...found, ms }
}

/** `1700000000.123` or `1700000000123`, with a blank behind it. */
function readEpoch(text: string, at: number): TimeRead | null {
  let end = at
  while (isDigit(text.charCodeAt(end))) end++
  const whole = end - at
  if (whole !== 10 && whole !== 13) return null
  if (whole === 10 && text.charCodeAt(end) === 0x2e) {
    do end++
    while (isDigit(text.charCodeAt(end)))
  }
  if (end < text.length && text.charCodeAt(end) !== 0x20) return null
  const value = Number(text.slice(at, end))
  const seconds = whole === 13 ? value / 1_000 : value
  if (seconds < EPOCH_FROM_S || seconds > EPOCH_TO_S) return null
  return { ms: Math.floor(seconds * 1_000), end, offset: false }
}

/** `Nov 21 06:25:01`, `Nov 21 2026 06:25:01`, `Sat Nov 21 06:25:01.123 2026`. */
function readNamed(text: string, at: number, read: ReadContext): TimeRead | null {
  const month = monthAt(text, at)
  if (month === 0) {
    // A weekday is only believed in front of a month.
    if (text.charCodeAt(at + 3) !== 0x20 || monthAt(text, at + 4) === 0) return null
    return readNamed(text, at + 4, read)
  }
  if (text.charCodeAt(at + 3) !== 0x20) return null
  let next = at + 4
  if (text.charCodeAt(next) === 0x20) next++
  const dayDigits = isDigit(text.charCodeAt(next + 1)) ? 2 : 1
  const day = digits(text, next, dayDigits)
  next += dayDigits
  if (day < 1 || text.charCodeAt(next) !== 0x20) return null
  let year = digits(text, next + 1, 4)
  if (year >= 0 && text.charCodeAt(next + 5) === 0x20) next += 5
  else year = -1
  const clock = readDayTime(text, next + 1)
  if (clock === null) return null
  let { end } = clock
  const yearBehind = text.charCodeAt(end) === 0x20 ? digits(text, end + 1, 4) : -1
  if (year < 0 && yearBehind >= 0 && !isDigit(text.charCodeAt(end + 5))) {
    year = yearBehind
    end += 5
  }
  if (year < 0) {
    const ms = resolveYear(month, day, clock.ms, read)
    return ms === null ? null : { ms, end, offset: false }
  }
  const dayMs = utcDay(year, month, day)
  return dayMs === null ? null : withZone(text, end, dayMs + clock.ms, read)
}

/** Time of day and zone behind a date. */
function finish(text: string, at: number, dayMs: number, read: ReadContext): TimeRead | null {
  const clock = readDayTime(text, at)
  return clock === null ? null : withZone(text, clock.end, dayMs + clock.ms, read)
}

/** `06:25`, `06:25:01`, `06:25:01.123456`, `06:25:01,123`. */
export function readDayTime(text: string, at: number): { ms: number; end: number } | null {
  if (text.charCodeAt(at + 2) !== 0x3a) return null
  const seconds = text.charCodeAt(at + 5) === 0x3a ? digits(text, at + 6, 2) : 0
  const ms = clockMs(digits(text, at, 2), digits(text, at + 3, 2), seconds)
  if (ms === null) return null
  let end = text.charCodeAt(at + 5) === 0x3a ? at + 8 : at + 5
  const point = text.charCodeAt(end)
  if ((point !== 0x2e && point !== 0x2c) || !isDigit(text.charCodeAt(end + 1))) return { ms, end }
  let fraction = 0
  let scale = 100
  for (end++; isDigit(text.charCodeAt(end)); end++) {
    fraction += (text.charCodeAt(end) - 0x30) * scale
    // Below a millisecond nothing is kept: a record's time is in whole ones.
    scale = scale > 1 ? scale / 10 : 0
  }
  return { ms: ms + fraction, end }
}

function withZone(text: string, at: number, localMs: number, read: ReadContext): TimeRead {
  const code = text.charCodeAt(at)
  if (code === 0x5a || code === 0x7a) return { ms: localMs, end: at + 1, offset: false }
  const sign = code === 0x20 ? at + 1 : at
  const signCode = text.charCodeAt(sign)
  if (signCode === 0x2b || signCode === 0x2d) {
    const hours = digits(text, sign + 1, 2)
    const colon = text.charCodeAt(sign + 3) === 0x3a ? 1 : 0
    const minutes = digits(text, sign + 3 + colon, 2)
    if (hours >= 0 && hours <= 18 && (minutes >= 0 || sign === at)) {
      const offsetMin = hours * 60 + Math.max(0, minutes)
      const end = minutes >= 0 ? sign + 5 + colon : sign + 3
      return { ms: localMs - (signCode === 0x2b ? offsetMin : -offsetMin) * MINUTE_MS, end, offset: true }
    }
  }
  if (code === 0x20 && (text.startsWith('UTC', at + 1) || text.startsWith('GMT', at + 1))) {
    if (!isLetter(text.charCodeAt(at + 4))) return { ms: localMs, end: at + 4, offset: false }
  }
  return { ms: localMs - read.utcOffsetMin * MINUTE_MS, end: at, offset: false }
}

function clockMs(hours: number, minutes: number, seconds: number): number | null {
  // 60: a leap second. A negative number: no digits there.
  const valid = hours >= 0 && hours < 24 && minutes >= 0 && minutes < 60 && seconds >= 0 && seconds <= 60
  return valid ? hours * HOUR_MS + minutes * MINUTE_MS + seconds * 1_000 : null
}

const MONTH_DAYS = [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]

/** Midnight UTC of a day of the Gregorian calendar; null when there is no such day. */
function utcDay(year: number, month: number, day: number): number | null {
  if (year < 0 || day < 1 || day > (MONTH_DAYS[month - 1] ?? 0)) return null
  if (month === 2 && day === 29 && (year % 4 !== 0 || (year % 100 === 0 && year % 400 !== 0))) return null
  // Years that start in March put the leap day last (Howard Hinnant's days_from_civil); Date.UTC takes year 7 for 1907.
  const shifted = month <= 2 ? year - 1 : year
  const era = Math.floor(shifted / 400)
  const yearOfEra = shifted - era * 400
  const dayOfYear = Math.floor((153 * (month > 2 ? month - 3 : month + 9) + 2) / 5) + day - 1
  const dayOfEra = yearOfEra * 365 + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100) + dayOfYear
  return (era * 146_097 + dayOfEra - 719_468) * DAY_MS
}

/** The number in `count` decimal digits, or -1. */
export function digits(text: string, at: number, count: number): number {
  let value = 0
  for (let i = at; i < at + count; i++) {
    const code = text.charCodeAt(i)
    if (!isDigit(code)) return -1
    value = value * 10 + code - 0x30
  }
  return value
}

/** A year of this century in two digits, or -1. */
function shortYear(text: string, at: number): number {
  const year = digits(text, at, 2)
  return year < 0 ? -1 : 2000 + year
}

/** 1–12 for an English month's three letters, else 0. */
function monthAt(text: string, at: number): number {
  return isLetter(text.charCodeAt(at)) ? MONTHS.indexOf(text.slice(at, at + 3).toLowerCase()) + 1 : 0
}

export const isDigit = (code: number) => code >= 0x30 && code <= 0x39
export const isLetter = (code: number) => (code >= 0x41 && code <= 0x5a) || (code >= 0x61 && code <= 0x7a)
