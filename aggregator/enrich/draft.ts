import type { AttrScalar, AttrValue, Level } from '../../core/record.ts'

/** Own fields of a record that are kept one by one; the rest goes, as JSON, to the attr `attrs_rest`. */
export const ATTR_KEYS_MAX = 256
/** Fields nested deeper go to `attrs_rest`. */
export const ATTR_DEPTH_MAX = 16
/** A field with a longer dotted path goes to `attrs_rest`. */
const ATTR_KEY_CHARS_MAX = 512
const REST_KEY = 'attrs_rest'

type MutableAttr = AttrScalar | AttrScalar[]

/** What a line says about itself, while the formats find it out. Absent text is '', absent numbers are null. */
export interface Draft {
  /** The line's own time, ms since 1970; null: it has none. */
  timeMs: number | null
  message: string
  level: Level
  service: string
  /** Program named by a syslog header: the service when neither the line nor its source names one. */
  program: string
  version: string
  /** Lower case. */
  tier: string
  trace: string
  /** The host that the line names. */
  host: string
  status: number | null
  latencyMs: number | null
  bytes: number | null
  readonly attrs: Record<string, MutableAttr>
  attrKeys: number
  /** What did not fit into `attrs`. */
  rest: Record<string, unknown> | null
}

export function createDraft(message: string): Draft {
  return {
    timeMs: null,
    message,
    level: '',
    service: '',
    program: '',
    version: '',
    tier: '',
    trace: '',
    host: '',
    status: null,
    latencyMs: null,
    bytes: null,
    attrs: {},
    attrKeys: 0,
    rest: null,
  }
}

/** Keeps a field. A key that is already there becomes an array of all its values. */
export function putAttr(draft: Draft, key: string, value: AttrScalar): void {
  const { attrs } = draft
  if (Object.hasOwn(attrs, key)) {
    const held = attrs[key]
    if (Array.isArray(held)) held.push(value)
    else if (held !== undefined) attrs[key] = [held, value]
  } else if (fits(draft, key)) define(draft, key, value)
  else putRest(draft, key, value)
}

/** Keeps a field of ours, whatever the line brought. */
export function setAttr(draft: Draft, key: string, value: AttrScalar): void {
  if (Object.hasOwn(draft.attrs, key)) putAttr(draft, key, value)
  else define(draft, key, value)
}

/** Adds elements to the array at `key`, which is an array even when it has one element. */
export function appendAttr(draft: Draft, key: string, value: AttrScalar): void {
  const held = Object.hasOwn(draft.attrs, key) ? draft.attrs[key] : undefined
  if (Array.isArray(held)) held.push(value)
  else if (held !== undefined) draft.attrs[key] = [held, value]
  else if (fits(draft, key)) define(draft, key, [value])
  else putRest(draft, key, value)
}

/** Keeps what cannot be a field of its own; repeated keys become arrays here too. */
export function putRest(draft: Draft, key: string, value: unknown): void {
  draft.rest ??= Object.create(null) as Record<string, unknown>
  const held = draft.rest[key]
  if (held === undefined) draft.rest[key] = value
  else if (Array.isArray(held)) held.push(value)
  else draft.rest[key] = [held, value]
}

/** The finished attrs. */
export function attrsOf(draft: Draft, line: string): Record<string, AttrValue> {
  if (draft.rest !== null) setAttr(draft, REST_KEY, jsonOf(draft.rest) ?? line)
  return draft.attrs
}

function fits(draft: Draft, key: string): boolean {
  return draft.attrKeys < ATTR_KEYS_MAX && key.length <= ATTR_KEY_CHARS_MAX
}

function define(draft: Draft, key: string, value: MutableAttr): void {
  draft.attrKeys += 1
  // An assignment to this name would change the prototype and keep nothing.
  if (key !== '__proto__') draft.attrs[key] = value
  else
    Object.defineProperty(draft.attrs, key, { value, enumerable: true, writable: true, configurable: true })
}

/** null when it is nested too deep even for JSON. */
function jsonOf(value: unknown): string | null {
  try {
    return JSON.stringify(value)
  } catch (error) {
    if (error instanceof RangeError) return null
    throw error
  }
}
