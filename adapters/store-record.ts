import { ServiceError } from '../core/errors.ts'
import { EVENT_ID_CHARS } from '../core/event-id.ts'
import type { Attrs, AttrScalar, AttrValue, LogRecord } from '../core/record.ts'

/** The last moment of a Date; it is the same before 1970. */
const TIME_MS_MAX = 8.64e15
const EVENT_ID = new RegExp(`^[0-9a-v]{${EVENT_ID_CHARS}}$`)

/**
 * What every store does to a record before it keeps it, so that all of them answer alike:
 * half surrogate pairs become U+FFFD, numbers that are none (NaN, ±Infinity) become absent.
 */
export function heldRecord(record: LogRecord): LogRecord {
  return {
    id: record.id,
    timeMs: record.timeMs,
    ingestedMs: record.ingestedMs,
    message: record.message.toWellFormed(),
    level: record.level,
    service: record.service.toWellFormed(),
    version: record.version.toWellFormed(),
    host: record.host.toWellFormed(),
    site: record.site.toWellFormed(),
    tier: record.tier.toWellFormed(),
    path: record.path.toWellFormed(),
    offset: record.offset,
    trace: record.trace.toWellFormed(),
    pattern: record.pattern.toWellFormed(),
    status: heldNumber(record.status),
    latencyMs: heldNumber(record.latencyMs),
    bytes: heldNumber(record.bytes),
    attrs: heldAttrs(record.attrs),
  }
}

/**
 * Throws RECORD_REFUSED for what cannot be ordered, numbered or written as a date: a wrong id, a time that is no whole number of ms
 * or in no year that JavaScript can name, an offset that is no whole number.
 */
export function assertHoldable(record: LogRecord, index: number): void {
  if (!EVENT_ID.test(record.id)) throw refused('its id is no event id', index)
  if (!isTime(record.timeMs)) throw refused('its time is no whole number of ms, or out of range', index)
  if (!isTime(record.ingestedMs))
    throw refused('its ingest time is no whole number of ms, or out of range', index)
  if (record.offset !== null && !Number.isSafeInteger(record.offset))
    throw refused('its offset is no whole number of bytes', index)
}

export function heldAttrs(attrs: Attrs): Attrs {
  const held: [string, AttrValue][] = []
  for (const [key, value] of Object.entries(attrs)) {
    const kept = typeof value === 'object' ? value.map(heldScalar).filter(isHeld) : heldScalar(value)
    if (isHeld(kept)) held.push([key.toWellFormed(), kept])
  }
  return Object.fromEntries(held)
}

function heldScalar(value: AttrScalar): AttrScalar | null {
  if (typeof value === 'string') return value.toWellFormed()
  return typeof value === 'number' ? heldNumber(value) : value
}

function isHeld<T>(value: T | null): value is T {
  return value !== null
}

/** −0 is 0, as in JSON. */
function heldNumber(value: number | null): number | null {
  return value !== null && Number.isFinite(value) ? value + 0 : null
}

function isTime(timeMs: number): boolean {
  return Number.isInteger(timeMs) && Math.abs(timeMs) <= TIME_MS_MAX
}

function refused(problem: string, index: number): ServiceError {
  return new ServiceError('RECORD_REFUSED', `a record cannot be kept: ${problem}`, { index })
}
