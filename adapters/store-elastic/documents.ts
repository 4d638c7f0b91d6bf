import { ServiceError } from '../../core/errors.ts'
import { EVENT_ID_CHARS, batchIdPrefix, streamId } from '../../core/event-id.ts'
import type { BatchKey } from '../../core/ledger/types.ts'
import { ATTR_VALUE_COMPARED_BYTES_MAX } from '../../core/query/matches.ts'
import { RECORD_FIELDS } from '../../core/record.ts'
import type { AttrScalar, Attrs, LogRecord } from '../../core/record.ts'
import { DOCUMENT_FIELDS } from './mappings.ts'

/** Lucene takes no longer term. */
export const TERM_BYTES_MAX = 32_766
/** An attr with a longer name is kept, but not compared: name and value stand in one term. */
export const ATTR_KEY_BYTES_MAX = TERM_BYTES_MAX - ATTR_VALUE_COMPARED_BYTES_MAX - 1
/** Digits of the digest in a document's id: two batches under one number never overwrite each other. */
const DIGEST_CHARS = 16
/** Texts whose JSON is remembered; services, hosts and paths repeat in nearly every record. */
const REMEMBERED_MAX = 10_000
const REMEMBERED_CHARS_MAX = 256

/** A document as Elasticsearch gives it back. */
export type DocumentSource = Readonly<Record<string, unknown>>

/** Id of a record's document. */
export function documentId(recordId: string, digest: string): string {
  return `${recordId}-${digest.slice(0, DIGEST_CHARS)}`
}

/** The parts of a document's id. */
export function parseDocumentId(id: string): { readonly recordId: string; readonly digest: string } {
  return { recordId: id.slice(0, EVENT_ID_CHARS), digest: id.slice(EVENT_ID_CHARS + 1) }
}

/** Value of `batch` in every document of a batch. */
export function batchId(key: BatchKey): string {
  return batchIdPrefix(streamId(key), key.seq)
}

const ESCAPE = '\x01'

/** Name of an attr inside `attrs` and `nums`: U+0000 is not allowed there. */
export function attrKey(key: string): string {
  if (!key.includes('\0') && !key.includes(ESCAPE)) return key
  return key.replaceAll(ESCAPE, `${ESCAPE}1`).replaceAll('\0', `${ESCAPE}0`)
}

/** The attr that `attrKey` made this name of. */
export function attrName(key: string): string {
  return key.includes(ESCAPE) ? key.replaceAll(`${ESCAPE}0`, '\0').replaceAll(`${ESCAPE}1`, ESCAPE) : key
}

const double = new DataView(new ArrayBuffer(8))

/** 16 hex digits that sort like the numbers. NaN has none. */
export function sortableHex(value: number): string {
  double.setFloat64(0, value === 0 ? 0 : value)
  const [high, low] = [double.getUint32(0), double.getUint32(4)]
  const negative = high >= 0x80000000
  return hex32(negative ? ~high : high ^ 0x80000000) + hex32(negative ? ~low : low)
}

function hex32(value: number): string {
  return (value >>> 0).toString(16).padStart(8, '0')
}

/** Throws RECORD_REFUSED when a field is too long for an index. */
export function assertIndexable(record: LogRecord, index: number): void {
  for (const [name, key] of KEYWORDS) {
    const value = record[key]
    if (value.length * 3 > TERM_BYTES_MAX && Buffer.byteLength(value) > TERM_BYTES_MAX)
      throw new ServiceError('RECORD_REFUSED', `a record cannot be kept: its ${name} is too long`, { index })
  }
}

const KEYWORDS = Object.entries(RECORD_FIELDS).flatMap(([name, { key, kind }]) =>
  kind === 'keyword' ? [[name, key] as const] : [],
)

/** Where a document goes, and what it says beside its record. */
export interface DocumentPlace {
  readonly alias: string
  readonly digest: string
  /** `batchId`. */
  readonly batch: string
  readonly arrival: number
}

/** Gives the two lines that create a record's document. It remembers texts, so make it once. */
export function createDocumentLines(): (record: LogRecord, place: DocumentPlace) => string {
  const quote = remembering((value) => JSON.stringify(value.toWellFormed()))
  const attrsJson = createAttrsJson()

  /** `,"name":"value"`, nothing for an empty one. */
  const field = (name: string, value: string) => (value === '' ? '' : `${name}${quote(value)}`)
  const text = (name: string, value: string) =>
    value === '' ? '' : `${name}${JSON.stringify(value.toWellFormed())}`
  const number = (name: string, value: number | null) =>
    value === null || !Number.isFinite(value) ? '' : `${name}${value}`

  let place: DocumentPlace | null = null
  /** The texts around an id, which all documents of a batch in an index share. */
  let [start, middle, end] = ['', '', '']

  function at(next: DocumentPlace): void {
    if (next.alias === place?.alias && next.digest === place.digest && next.batch === place.batch) return
    place = next
    start = `{"create":{"_index":"${next.alias}","_id":"`
    middle = `-${next.digest.slice(0, DIGEST_CHARS)}"}}\n{"@timestamp":`
    end = `","batch":"${next.batch}","arrival":`
  }

  return (record, next) => {
    at(next)
    return (
      `${start}${record.id}${middle}${record.timeMs}` +
      text(NAMES.message, record.message) +
      field(NAMES.level, record.level) +
      field(NAMES.service, record.service) +
      field(NAMES.version, record.version) +
      field(NAMES.host, record.host) +
      field(NAMES.site, record.site) +
      field(NAMES.tier, record.tier) +
      field(NAMES.path, record.path) +
      number(NAMES.offset, record.offset) +
      text(NAMES.trace, record.trace) +
      field(NAMES.pattern, record.pattern) +
      number(NAMES.status, record.status) +
      number(NAMES.latency_ms, record.latencyMs) +
      number(NAMES.bytes, record.bytes) +
      attrsJson(record.attrs) +
      `${NAMES.ingested}${record.ingestedMs}${NAMES.id}"${record.id}${end}${next.arrival}}\n`
    )
  }
}

/** `,"name":` of every record field. */
const NAMES = Object.fromEntries(
  Object.entries(RECORD_FIELDS).map(([name, { ecs }]) => [name, `,"${ecs}":`]),
) as Record<keyof typeof RECORD_FIELDS, string>

/** What is made of a text, kept for the texts that come again. */
function remembering(make: (text: string) => string): (text: string) => string {
  const known = new Map<string, string>()
  return (text) => {
    if (text.length > REMEMBERED_CHARS_MAX) return make(text)
    const before = known.get(text)
    if (before !== undefined) return before
    const made = make(text)
    if (known.size >= REMEMBERED_MAX) known.clear()
    known.set(text, made)
    return made
  }
}

/** `,"attrs":…,"attrs_long":…,"nums":…,"search":…`, each only when something stands in it. */
function createAttrsJson(): (attrs: Attrs) => string {
  const named = remembering((key) => `,${JSON.stringify(attrKey(key.toWellFormed()))}:`)
  const quote = remembering((value) => JSON.stringify(value.toWellFormed()))
  let [compared, long, nums, search] = ['', '', '', '']

  function add(key: string, value: AttrScalar): void {
    if (typeof value === 'string') {
      const json = quote(value)
      if (!isNameable(key) || !isCompared(value)) long += `,${JSON.stringify(key.toWellFormed())}:${json}`
      else compared += named(key) + json
      search += `,${json}`
    } else if (isHeld(value)) {
      const text = scalarJson(value)
      if (isNameable(key)) compared += named(key) + text
      else long += `,${JSON.stringify(key.toWellFormed())}:${text}`
      if (typeof value === 'number' && isNameable(key)) nums += `${named(key)}"${sortableHex(value)}"`
      search += `,"${text}"`
    }
  }

  function addList(key: string, all: readonly AttrScalar[]): void {
    const values = all.filter(isHeld)
    const short = isNameable(key) ? values.filter(isCompared) : []
    if (short.length > 0 || values.length === 0) compared += named(key) + listJson(short)
    if (short.length < values.length) long += `,${JSON.stringify(key.toWellFormed())}:${listJson(values)}`
    const numbers = isNameable(key) ? values.filter((one) => typeof one === 'number') : []
    if (numbers.length > 0) nums += `${named(key)}["${numbers.map(sortableHex).join('","')}"]`
    for (const one of values) search += `,${JSON.stringify(textOf(one))}`
  }

  return (attrs) => {
    compared = long = nums = search = ''
    for (const key of Object.keys(attrs)) {
      const value = attrs[key]
      if (typeof value === 'object') addList(key, value)
      else if (value !== undefined) add(key, value)
    }
    if (search === '' && compared === '') return ''
    return (
      (compared === '' ? '' : `,"attrs":{${compared.slice(1)}}`) +
      (long === '' ? '' : `,"attrs_long":{${long.slice(1)}}`) +
      (nums === '' ? '' : `,"nums":{${nums.slice(1)}}`) +
      (search === '' ? '' : `,"search":[${search.slice(1)}]`)
    )
  }
}

function isNameable(key: string): boolean {
  return key.length * 3 <= ATTR_KEY_BYTES_MAX || Buffer.byteLength(key) <= ATTR_KEY_BYTES_MAX
}

function isHeld(value: AttrScalar): boolean {
  return typeof value !== 'number' || Number.isFinite(value)
}

function isCompared(value: AttrScalar): boolean {
  if (typeof value !== 'string' || value.length * 3 <= ATTR_VALUE_COMPARED_BYTES_MAX) return true
  return Buffer.byteLength(value) <= ATTR_VALUE_COMPARED_BYTES_MAX
}

function listJson(values: readonly AttrScalar[]): string {
  return `[${values.map(scalarJson).join(',')}]`
}

/** Of a number and a boolean the same as JavaScript prints; −0 is 0. */
function scalarJson(value: AttrScalar): string {
  return typeof value === 'string' ? JSON.stringify(value.toWellFormed()) : JSON.stringify(value)
}

/** As words search it: numbers as JavaScript prints them. */
function textOf(value: AttrScalar): string {
  return typeof value === 'string' ? value.toWellFormed() : String(value)
}

/** The record that a document was made of. */
export function recordOf(source: DocumentSource): LogRecord {
  const text = (name: keyof typeof RECORD_FIELDS) => (source[RECORD_FIELDS[name].ecs] ?? '') as string
  const number = (name: keyof typeof RECORD_FIELDS) =>
    (source[RECORD_FIELDS[name].ecs] ?? null) as number | null
  return {
    id: text('id'),
    timeMs: source[RECORD_FIELDS.time.ecs] as number,
    ingestedMs: source[RECORD_FIELDS.ingested.ecs] as number,
    message: text('message'),
    level: text('level') as LogRecord['level'],
    service: text('service'),
    version: text('version'),
    host: text('host'),
    site: text('site'),
    tier: text('tier'),
    path: text('path'),
    offset: number('offset'),
    trace: text('trace'),
    pattern: text('pattern'),
    status: number('status'),
    latencyMs: number('latency_ms'),
    bytes: number('bytes'),
    attrs: attrsOf(source),
  }
}

function attrsOf(source: DocumentSource): Attrs {
  const compared = (source[DOCUMENT_FIELDS.attrs] ?? {}) as Attrs
  const long = source[DOCUMENT_FIELDS.attrsLong] as Attrs | undefined
  const named = Object.entries(compared).map(([key, value]) => [attrName(key), value] as const)
  return Object.fromEntries(long === undefined ? named : [...named, ...Object.entries(long)])
}
