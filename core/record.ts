/** The normalised levels, most severe first. `''` means that the line says none. */
export const LEVELS = ['fatal', 'error', 'warn', 'info', 'debug', 'trace'] as const
export type Level = (typeof LEVELS)[number] | ''

/** A leaf value of a line's own fields. `null` is absent and never kept. */
export type AttrScalar = string | number | boolean
export type AttrValue = AttrScalar | readonly AttrScalar[]
/** A line's own fields, flattened: keys are dotted paths, arrays hold scalars only. `labels.*` lives here too. */
export type Attrs = Readonly<Record<string, AttrValue>>

/**
 * One log line with its fields, as stored and as asked for. Absent text is `''`, absent numbers are null.
 * The public names of the fields (queries, API) are `RECORD_FIELDS`; the Elastic Common Schema names are its `ecs`.
 */
export interface LogRecord {
  /** event.id: see core/event-id.ts. */
  readonly id: string
  /** When the line says it happened, ms since 1970. */
  readonly timeMs: number
  /** When the aggregator took it, ms since 1970. */
  readonly ingestedMs: number
  /** The text of the line, or of its message field. */
  readonly message: string
  readonly level: Level
  readonly service: string
  readonly version: string
  readonly host: string
  readonly site: string
  readonly tier: string
  /** The file it was read from; `''` for other sources. */
  readonly path: string
  /** Byte offset of the line in that file. */
  readonly offset: number | null
  readonly trace: string
  /** Stable id of the message with its variable parts removed. */
  readonly pattern: string
  readonly status: number | null
  readonly latencyMs: number | null
  readonly bytes: number | null
  readonly attrs: Attrs
}

/** How a field is compared: `keyword` whole and case-sensitive, `text` by tokens, `number` and `time` by value. */
export type FieldKind = 'keyword' | 'text' | 'number' | 'time'

interface FieldInfo {
  readonly key: keyof LogRecord
  readonly kind: FieldKind
  readonly ecs: string
}

/** Short name (used in queries and in the API) → where it is kept and what it is called in the Elastic Common Schema. */
export const RECORD_FIELDS = {
  time: { key: 'timeMs', kind: 'time', ecs: '@timestamp' },
  id: { key: 'id', kind: 'keyword', ecs: 'event.id' },
  ingested: { key: 'ingestedMs', kind: 'time', ecs: 'event.ingested' },
  message: { key: 'message', kind: 'text', ecs: 'message' },
  level: { key: 'level', kind: 'keyword', ecs: 'log.level' },
  service: { key: 'service', kind: 'keyword', ecs: 'service.name' },
  version: { key: 'version', kind: 'keyword', ecs: 'service.version' },
  host: { key: 'host', kind: 'keyword', ecs: 'host.name' },
  site: { key: 'site', kind: 'keyword', ecs: 'site' },
  tier: { key: 'tier', kind: 'keyword', ecs: 'tier' },
  path: { key: 'path', kind: 'keyword', ecs: 'log.file.path' },
  offset: { key: 'offset', kind: 'number', ecs: 'log.offset' },
  trace: { key: 'trace', kind: 'keyword', ecs: 'trace.id' },
  pattern: { key: 'pattern', kind: 'keyword', ecs: 'pattern.id' },
  status: { key: 'status', kind: 'number', ecs: 'http.response.status_code' },
  latency_ms: { key: 'latencyMs', kind: 'number', ecs: 'latency_ms' },
  bytes: { key: 'bytes', kind: 'number', ecs: 'http.response.body.bytes' },
} as const satisfies Readonly<Record<string, FieldInfo>>

export type FieldName = keyof typeof RECORD_FIELDS

export function isFieldName(name: string): name is FieldName {
  return Object.hasOwn(RECORD_FIELDS, name)
}

/** A record as the API, the CLI and `import` write it: short names, RFC 3339 times, absent fields left out. */
export type PublicRecord = Readonly<Record<string, unknown>>

export function toPublicRecord(record: LogRecord): PublicRecord {
  const out: Record<string, unknown> = {}
  for (const [name, { key, kind }] of Object.entries(RECORD_FIELDS)) {
    const value = record[key]
    if (value === '' || value === null) continue
    out[name] = kind === 'time' ? new Date(value).toISOString() : value
  }
  if (Object.keys(record.attrs).length > 0) out['attrs'] = record.attrs
  return out
}
