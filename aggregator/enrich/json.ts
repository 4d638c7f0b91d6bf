import type { AttrScalar } from '../../core/record.ts'
import { appendAttr, ATTR_DEPTH_MAX, putRest, type Draft } from './draft.ts'
import { attrKey, createSink, takeField } from './fields.ts'
import type { ReadContext } from './time.ts'

/** Reads a line that is one JSON object; false when it is none. */
export function readJson(draft: Draft, text: string, read: ReadContext): boolean {
  const value = parseObject(text)
  if (value === null) return false
  const sink = createSink(draft, read)
  takeFields(draft, '', value, 1, (key, leaf) => takeField(sink, key, leaf))
  nameFromLogger(draft)
  return true
}

/** The object that `text` is, with numbers that a double cannot hold as strings; null when it is none. */
export function parseObject(text: string): Readonly<Record<string, unknown>> | null {
  try {
    const value: unknown = JSON.parse(text)
    if (!isObject(value)) return null
    return LONG_NUMBER.test(text) ? exactly(text, value) : value
  } catch {
    return null
  }
}

/** A value, outside of quotes, with more digits or a larger exponent than a double may hold. */
const LONG_NUMBER = /[:,[]\s*-?\d(?:\d{15}|\d*\.?\d*[eE]\+?\d{3})/

function exactly(
  text: string,
  inexact: Readonly<Record<string, unknown>>,
): Readonly<Record<string, unknown>> {
  try {
    return JSON.parse(text, exactNumber) as Readonly<Record<string, unknown>>
  } catch {
    // A reviver recurses: too deep for it, but parsed before. What is so deep ends as text anyway.
    return inexact
  }
}

/** A reviver; its third argument holds the source text. */
function exactNumber(_key: string, value: unknown, context?: { source?: string }): unknown {
  if (typeof value !== 'number') return value
  const source = context?.source ?? ''
  if (!Number.isFinite(value)) return source
  return Number.isInteger(value) && /^-?\d{16,}$/.test(source) && BigInt(value) !== BigInt(source)
    ? source
    : value
}

/** Takes a leaf that stands in no array. */
export type TakeLeaf = (path: string, value: AttrScalar) => void

/** Gives every leaf to `take`, under its dotted path; elements of arrays go to the draft. `null` and empty containers are absent. */
export function takeFields(
  draft: Draft,
  prefix: string,
  object: Readonly<Record<string, unknown>>,
  depth: number,
  take: TakeLeaf,
): void {
  for (const key of Object.keys(object)) {
    const value = object[key]
    const path = prefix === '' ? key : `${prefix}.${key}`
    if (isScalar(value)) take(path, value)
    else takeContainer(draft, path, value, depth, take)
  }
}

/** An object or array, or anything else that can stand in JSON. */
export function takeContainer(
  draft: Draft,
  path: string,
  value: unknown,
  depth: number,
  take: TakeLeaf,
): void {
  if (value === null || value === undefined) return
  if (isScalar(value)) take(path, value)
  else if (depth >= ATTR_DEPTH_MAX) putRest(draft, path, value)
  else if (isArray(value)) takeElements(draft, path, value, depth)
  else if (isObject(value)) takeFields(draft, path, value, depth + 1, take)
}

/** Scalars go to the array at `path`; the fields of objects to arrays below it; arrays in arrays are made flat. */
function takeElements(draft: Draft, path: string, elements: readonly unknown[], depth: number): void {
  for (const element of elements) {
    if (isScalar(element)) appendAttr(draft, attrKey(path), element)
    else if (element === null || element === undefined) continue
    else if (depth >= ATTR_DEPTH_MAX) putRest(draft, path, element)
    else if (isArray(element)) takeElements(draft, path, element, depth + 1)
    else if (isObject(element)) {
      for (const key of Object.keys(element)) takeElements(draft, `${path}.${key}`, [element[key]], depth + 1)
    }
  }
}

/** pino and bunyan call the program `name`, which means anything elsewhere: they also write `hostname` and `pid`. */
function nameFromLogger(draft: Draft): void {
  const { name, hostname, pid } = draft.attrs as Record<string, unknown>
  if (draft.service !== '' || typeof name !== 'string' || hostname === undefined || pid === undefined) return
  draft.service = name
  delete draft.attrs['name']
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

const isArray = (value: unknown): value is readonly unknown[] => Array.isArray(value)

function isScalar(value: unknown): value is AttrScalar {
  return typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean'
}
