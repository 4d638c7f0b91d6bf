import { isFieldName, type AttrScalar } from '../../core/record.ts'
import { putAttr, setAttr, type Draft } from './draft.ts'
import { levelOfNumber, levelOfWord } from './levels.ts'
import { epochMs, isPossible, parseTime, type ReadContext } from './time.ts'

/** Fields of a record that a line may name itself. */
type Role =
  'time' | 'level' | 'message' | 'service' | 'version' | 'tier' | 'trace' | 'status' | 'latency' | 'bytes'

/**
 * Keys that are known, the best first: of several in one line the best gives the field, the others stay in the attrs.
 * Nested keys are dotted paths. Each is also known with a capital first letter and in capitals.
 */
export const KNOWN_KEYS: Readonly<Record<Role, readonly string[]>> = {
  time: ['@timestamp', 'timestamp', 'time', 'ts', 'datetime', 'eventTime', 't.$date', '@t', 't'],
  level: ['log.level', 'level', 'severity', 'loglevel', 'levelname', 'lvl', 'priority', '@l', 's'],
  message: ['message', 'msg', '@message', 'log.message', '@m', '@mt', 'short_message', 'text', 'log'],
  service: [
    'service.name',
    'service',
    'service_name',
    'serviceName',
    'app',
    'application',
    'SYSLOG_IDENTIFIER',
  ],
  version: ['service.version', 'version', 'service_version', 'app_version', 'appVersion'],
  tier: ['tier'],
  trace: [
    'trace.id',
    'trace_id',
    'traceId',
    'traceID',
    'traceid',
    'trace',
    'dd.trace_id',
    'otelTraceID',
    'traceparent',
  ],
  status: [
    'http.response.status_code',
    'status',
    'status_code',
    'statusCode',
    'http_status',
    'http.status_code',
    'res.statusCode',
  ],
  latency: [
    'latency_ms',
    'duration_ms',
    'elapsed_ms',
    'response_time_ms',
    'took_ms',
    'latencyMs',
    'durationMs',
    'elapsedMs',
    'responseTime',
    'took',
    'latency',
    'duration',
    'elapsed',
    'response_time',
    'request_time',
    'latency_s',
    'duration_s',
    'elapsed_s',
    'latency_seconds',
    'duration_seconds',
    'elapsed_seconds',
    'latency_us',
    'duration_us',
    'latency_ns',
    'duration_ns',
    'event.duration',
  ],
  bytes: [
    'http.response.body.bytes',
    'bytes',
    'bytes_sent',
    'body_bytes_sent',
    'response_size',
    'responseSize',
    'content_length',
  ],
}

/** How many ms one is, for latency keys whose plain numbers have a unit. Others must bring one (`12ms`) to be taken. */
function unitMsOfKey(key: string): number {
  if (key === 'request_time' || /(?:_s|_seconds)$/.test(key)) return 1_000
  if (/(?:_ms|Ms)$/.test(key) || key === 'responseTime' || key === 'took') return 1
  if (key.endsWith('_us')) return 1e-3
  return key.endsWith('_ns') || key === 'event.duration' ? 1e-6 : Number.NaN
}

interface KnownKey {
  readonly role: Role
  /** 0 is the best key of its role. */
  readonly rank: number
  /** See unitMsOfKey; NaN: its numbers have no unit. */
  readonly unitMs: number
}

const known = new Map<string, KnownKey>()
for (const [role, keys] of Object.entries(KNOWN_KEYS)) {
  for (const [rank, key] of keys.entries()) {
    const entry = { role: role as Role, rank, unitMs: unitMsOfKey(key) }
    // One letter in capitals is something else than in small ones.
    const forms = key.length > 1 ? [key, key[0]?.toUpperCase() + key.slice(1), key.toUpperCase()] : [key]
    for (const form of forms) if (!known.has(form)) known.set(form, entry)
  }
}

interface Held {
  readonly rank: number
  readonly key: string
  readonly value: AttrScalar
}

/** Gives the fields of one line to a draft: known keys fill its fields, others become attrs. */
export interface FieldSink {
  readonly draft: Draft
  readonly read: ReadContext
  /** The pair that fills each role so far. */
  readonly held: Partial<Record<Role, Held>>
}

export function createSink(draft: Draft, read: ReadContext): FieldSink {
  return { draft, read, held: {} }
}

/** A field that stands alone, not in an array. */
export function takeField(sink: FieldSink, key: string, value: AttrScalar): void {
  const entry = known.get(key)
  if (entry === undefined || !offer(sink, entry, key, value)) putAttr(sink.draft, attrKey(key), value)
}

/** A query for the name of a record's field finds that field, so another value under this name is kept as what the line claims. */
export function attrKey(key: string): string {
  return isFieldName(key) ? `${key}_claimed` : key
}

/** Whether the value fills its role; what filled it before from a lesser key then becomes an attr. */
function offer(sink: FieldSink, { role, rank, unitMs }: KnownKey, key: string, value: AttrScalar): boolean {
  const before = sink.held[role]
  if (before !== undefined && before.rank <= rank) return false
  if (!FILL[role](sink, value, unitMs)) return false
  sink.held[role] = { rank, key, value }
  if (before !== undefined) putAttr(sink.draft, attrKey(before.key), before.value)
  return true
}

type Fill = (sink: FieldSink, value: AttrScalar, unitMs: number) => boolean

const FILL: Readonly<Record<Role, Fill>> = {
  time({ draft, read }, value) {
    const ms =
      typeof value === 'number' ? epochMs(value) : typeof value === 'string' ? parseTime(value, read) : null
    if (ms === null) return false
    setTime(draft, ms, String(value))
    return true
  },
  level({ draft }, value) {
    if (typeof value === 'boolean') return false
    return setLevel(draft, value)
  },
  message({ draft }, value) {
    if (typeof value !== 'string') return false
    draft.message = value
    return true
  },
  service({ draft }, value) {
    if (typeof value === 'boolean' || value === '') return false
    draft.service = String(value)
    return true
  },
  version({ draft }, value) {
    if (typeof value === 'boolean' || value === '') return false
    draft.version = String(value)
    return true
  },
  tier({ draft }, value) {
    if (typeof value !== 'string' || value === '') return false
    draft.tier = value.toLowerCase()
    return true
  },
  trace({ draft }, value) {
    if (typeof value === 'boolean' || value === '') return false
    draft.trace = traceOf(String(value))
    return true
  },
  status({ draft }, value) {
    const status = numberOf(value)
    if (!Number.isInteger(status) || status < 100 || status > 599) return false
    draft.status = status
    return true
  },
  latency({ draft }, value, unitMs) {
    const ms = durationMs(value, unitMs)
    if (!(ms >= 0) || !Number.isFinite(ms)) return false
    draft.latencyMs = ms
    return true
  },
  bytes({ draft }, value) {
    const bytes = numberOf(value)
    if (!Number.isSafeInteger(bytes) || bytes < 0) return false
    draft.bytes = bytes
    return true
  },
}

/** An impossible time is left out and kept as text. */
export function setTime(draft: Draft, ms: number, original: string): void {
  if (isPossible(ms)) draft.timeMs = ms
  else setAttr(draft, 'time_original', original)
}

/** False when it is no level. */
export function setLevel(draft: Draft, original: string | number): boolean {
  const isNumber = typeof original === 'number' || /^\d{1,2}$/.test(original)
  const level = isNumber ? levelOfNumber(Number(original)) : levelOfWord(original)
  if (level === '') return false
  draft.level = level
  if (typeof original === 'number' || original.toLowerCase() !== level)
    setLevelOriginal(draft, String(original))
  else delete draft.attrs['level_original']
  return true
}

function setLevelOriginal(draft: Draft, original: string): void {
  if (Object.hasOwn(draft.attrs, 'level_original')) draft.attrs['level_original'] = original
  else setAttr(draft, 'level_original', original)
}

const TRACEPARENT = /^[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}/
const CLOUD_TRACE = /^projects\/[^/]+\/traces\/([0-9a-f]+)$/

/** The trace id in a W3C `traceparent` or a cloud path, or the text itself. */
function traceOf(text: string): string {
  if (text.length < 40) return text
  return TRACEPARENT.exec(text)?.[1] ?? CLOUD_TRACE.exec(text)?.[1] ?? text
}

function numberOf(value: AttrScalar): number {
  if (typeof value === 'number') return value
  return typeof value === 'string' && /^\d{1,16}$/.test(value) ? Number(value) : Number.NaN
}

const UNIT_MS: Readonly<Record<string, number>> = {
  ns: 1e-6,
  us: 1e-3,
  µs: 1e-3,
  μs: 1e-3,
  ms: 1,
  s: 1_000,
  sec: 1_000,
  m: 60_000,
  min: 60_000,
  h: 3_600_000,
}
const DURATION = /^(?:\d+(?:\.\d+)?(?:ns|us|µs|μs|ms|sec|s|min|m|h))+$/
const DURATION_PART = /(\d+(?:\.\d+)?)(ns|us|µs|μs|ms|sec|s|min|m|h)/g
/** Go writes at most hours, minutes and seconds with nine decimals. */
const DURATION_CHARS_MAX = 32

/** A number with the unit of its key, or text with its own unit (`12ms`, `1.5s`, `1m2.5s`) → ms; NaN when there is no unit. */
export function durationMs(value: AttrScalar, unitMs: number): number {
  if (typeof value === 'number') return scaled(value, unitMs)
  if (typeof value !== 'string' || value.length > DURATION_CHARS_MAX) return Number.NaN
  if (/^\d+(?:\.\d+)?$/.test(value)) return scaled(Number(value), unitMs)
  if (!DURATION.test(value)) return Number.NaN
  let ms = 0
  for (const [, number, unit] of value.matchAll(DURATION_PART))
    ms += scaled(Number(number), UNIT_MS[unit ?? ''] ?? Number.NaN)
  return ms
}

/** Without the last bits of noise: 0.123 s are 123 ms. */
function scaled(value: number, unitMs: number): number {
  return unitMs === 1 ? value : Number((value * unitMs).toPrecision(12))
}
