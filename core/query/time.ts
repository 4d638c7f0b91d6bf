import { ServiceError } from '../errors.ts'
import { quoted } from './problems.ts'

const UNIT_MS = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 } as const
type Unit = keyof typeof UNIT_MS

/** Below this a number is seconds, from it on milliseconds: 1973 in ms, the year 5138 in s. */
const UNIX_MS_FROM = 1e11
/** The last time that a Date can hold. */
const TIME_MS_MAX = 8.64e15
/** 1970-01-01 was a Thursday; weeks start on Monday. */
const FIRST_MONDAY_MS = 4 * UNIT_MS.d

const TIME_EXPECTED =
  'RFC 3339 (2026-11-21T03:12:07Z; without a zone it is UTC), unix seconds or milliseconds, or now, now-15m, now/d, now-1d/d'
const DURATION_EXPECTED =
  'a duration such as 500ms, 30s, 15m, 2h, 1d, 1w or 1h30m, or a number of milliseconds'

const RFC3339 =
  /^(\d{4})-(\d\d)-(\d\d)(?:[Tt ](\d\d):(\d\d)(?::(\d\d)(?:[.,](\d+))?)?(?:([Zz])|([+-])(\d\d):(\d\d))?)?$/
const NOW = /^now((?:[+-]\d+(?:ms|[smhdw])|\/[smhdw])*)$/
const NOW_STEP = /([+-])(\d+)(ms|[smhdw])|\/([smhdw])/g
const DURATION = /^(?:\d+(?:\.\d+)?(?:ms|[smhdw]))+$/
const DURATION_STEP = /(\d+(?:\.\d+)?)(ms|[smhdw])/g

/** A time as people write it → ms since 1970. `/d` and the like round down, in UTC; weeks start on Monday. Throws BAD_REQUEST. */
export function parseTime(text: string, nowMs: number): number {
  const trimmed = text.trim()
  const timeMs = parseNow(trimmed, nowMs) ?? parseUnix(trimmed) ?? parseRfc3339(trimmed)
  if (timeMs === null || !(Math.abs(timeMs) <= TIME_MS_MAX)) throw badRequest('time', text, TIME_EXPECTED)
  return timeMs
}

/** A positive duration → ms. Throws BAD_REQUEST. */
export function parseDuration(text: string): number {
  const trimmed = text.trim()
  const durationMs = /^\d+$/.test(trimmed) ? Number(trimmed) : sumSteps(trimmed)
  if (!(durationMs > 0 && durationMs <= TIME_MS_MAX)) throw badRequest('duration', text, DURATION_EXPECTED)
  return durationMs
}

function sumSteps(text: string): number {
  if (!DURATION.test(text)) return 0
  let sum = 0
  for (const [, count, unit] of text.matchAll(DURATION_STEP)) sum += Number(count) * UNIT_MS[unit as Unit]
  return Math.round(sum)
}

function parseNow(text: string, nowMs: number): number | null {
  const steps = NOW.exec(text)?.[1]
  if (steps === undefined) return null
  let atMs = nowMs
  for (const [, sign, count, unit, roundTo] of steps.matchAll(NOW_STEP)) {
    if (roundTo === undefined) atMs += Number(`${sign}${count}`) * UNIT_MS[unit as Unit]
    else atMs = floorTo(atMs, roundTo as Unit)
  }
  return atMs
}

function floorTo(timeMs: number, unit: Unit): number {
  const startMs = unit === 'w' ? FIRST_MONDAY_MS : 0
  return Math.floor((timeMs - startMs) / UNIT_MS[unit]) * UNIT_MS[unit] + startMs
}

function parseUnix(text: string): number | null {
  if (!/^-?\d+(\.\d+)?$/.test(text)) return null
  const value = Number(text)
  return Math.floor(Math.abs(value) < UNIX_MS_FROM ? value * 1_000 : value)
}

function parseRfc3339(text: string): number | null {
  const match = RFC3339.exec(text)
  if (match === null) return null
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = match
    .slice(1, 7)
    .map((part) => Number(part ?? 0))
  const [fraction = '', , sign, zoneHours = '0', zoneMinutes = '0'] = match.slice(7)
  const milli = Number(fraction.slice(0, 3).padEnd(3, '0'))
  const utcMs =
    new Date(0).setUTCFullYear(year, month - 1, day) + ((hour * 60 + minute) * 60 + second) * 1_000 + milli
  // A day or hour that does not exist comes back as another one.
  if (!new Date(utcMs).toISOString().startsWith(written(year, month, day, hour, minute, second))) return null
  if (Number(zoneHours) > 23 || Number(zoneMinutes) > 59) return null
  const offsetMs = (Number(zoneHours) * 60 + Number(zoneMinutes)) * UNIT_MS.m
  return sign === '-' ? utcMs + offsetMs : utcMs - offsetMs
}

function written(year: number, ...[month, day, hour, minute, second]: readonly number[]): string {
  const two = (part: number | undefined) => String(part).padStart(2, '0')
  return `${String(year).padStart(4, '0')}-${two(month)}-${two(day)}T${two(hour)}:${two(minute)}:${two(second)}`
}

function badRequest(kind: string, text: string, expected: string): ServiceError {
  return new ServiceError('BAD_REQUEST', `found ${quoted(text)} as a ${kind}; expected ${expected}`, {
    value: text.slice(0, 100),
    expected,
  })
}
