import type { ExportPage, SearchRequest } from '../../core/ports.ts'
import { compileMatcher } from '../../core/query/matches.ts'
import { RECORD_FIELDS, toPublicRecord } from '../../core/record.ts'
import type { Texts } from './duckdb.ts'
import {
  listingOf,
  listingSql,
  SLICE_GROWTH,
  SLICE_RECORDS_MAX,
  ORDERS,
  partsIn,
  rangeBehind,
  search,
} from './listing.ts'
import type { Listing } from './listing.ts'
import { recordsOf, selectParts } from './parts.ts'
import { EVENT_ID_SQL, numberText, planToSql, sure, unsure } from './plan-sql.ts'
import type { SqlCondition } from './plan-sql.ts'
import { fieldsOf, selectList } from './rows.ts'
import { readRows } from './run.ts'
import type { Run } from './run.ts'
import type { Snapshot } from './shelf.ts'
import { createSlicer } from './slices.ts'

/** Years with four digits, which SQL prints as JavaScript does. */
const PRINTED_FROM_MS = Date.UTC(1000, 0, 1)
const PRINTED_TO_MS = Date.UTC(9999, 11, 31)
const NEWLINE = 0x0a

/** The first slice is somewhat smaller than a page, so that it seldom holds more than fits. */
const SLICE_SHARE = 0.9
/** A page with so much of its limit is given: to fill it up would take ever smaller slices. */
const FULL_SHARE = 0.5

/** A page of records as lines of JSON. The database writes them: a string made here for each would cost more than all the rest. */
export async function exportPage(
  request: SearchRequest,
  held: Snapshot,
  run: Run,
  signal: AbortSignal,
): Promise<ExportPage> {
  const { plan, limit, order = 'newest', grep } = request
  const found = () => exportFound(request, held, run, signal)
  if (grep !== undefined || planToSql(plan).undecided === 'all') return found()
  const range = rangeBehind(request)
  const { parts } = await selectParts(held.sources, plan, range)
  const slicer = createSlicer(parts, range, order)
  const texts: Texts[] = []
  let records = 0
  let scanned = 0
  let size = Math.ceil(limit * SLICE_SHARE)
  for (let slice = slicer.next(size); slice !== null; slice = slicer.next(size)) {
    const inSlice = partsIn(parts, slice)
    if (inSlice.length === 0) continue
    scanned += recordsOf(inSlice)
    const page = await printed(
      listingOf(request, slice, inSlice),
      { request, rows: limit - records },
      run,
      signal,
    )
    if (page === null) return found()
    texts.push(page)
    records += page.rows
    if (records >= limit * FULL_SHARE) {
      const ndjson = joined(texts)
      return { ndjson, records, next: cursorOf(ndjson), scanned }
    }
    size = Math.min(size * SLICE_GROWTH, SLICE_RECORDS_MAX)
  }
  return { ndjson: joined(texts), records, next: null, scanned }
}

/** Of the records that a search finds: for the queries and times that SQL cannot decide or print. */
async function exportFound(
  request: SearchRequest,
  held: Snapshot,
  run: Run,
  signal: AbortSignal,
): Promise<ExportPage> {
  const { records, more, scanned } = await search(request, held, run, signal)
  const last = records.at(-1)
  const next = more && last !== undefined ? { timeMs: last.timeMs, id: last.id } : null
  const text = records.map((record) => `${JSON.stringify(toPublicRecord(record))}\n`).join('')
  return { ndjson: new TextEncoder().encode(text), records: records.length, next, scanned }
}

/** The lines of a slice, `rows` at most; null when there is a time in it that SQL does not print as JavaScript does. */
async function printed(
  listing: Listing,
  { request, rows }: { readonly request: SearchRequest; readonly rows: number },
  run: Run,
  signal: AbortSignal,
): Promise<Texts | null> {
  const accepted = await acceptedOf(listing, request, run, signal)
  const pick = (condition: SqlCondition) => either(sure(condition), among(unsure(condition), accepted))
  const sql = listingSql(`${LINE} AS line, time, stream, seq, idx`, listing, pick)
  if (sql === null) return NO_LINES
  const statement = `SELECT line FROM (${sql}) ORDER BY ${ORDERS[listing.order]} LIMIT ${rows}`
  const lines = (await run.over(listing.parts, statement, signal)).texts(0, rows)
  return lines.hasEmpty ? null : lines
}

const NO_LINES: Texts = { rows: 0, bytes: 0, hasEmpty: false, copyTo: () => undefined }

/** Positions of the records that SQL leaves open and the matcher takes. */
async function acceptedOf(
  listing: Listing,
  { plan }: SearchRequest,
  run: Run,
  signal: AbortSignal,
): Promise<readonly number[]> {
  const fields = new Set([...fieldsOf(plan.root), 'position' as const])
  const sql = listingSql(selectList(fields), listing, unsure)
  if (sql === null) return []
  const matches = compileMatcher(plan)
  const accepted: number[] = []
  for await (const { position, record } of readRows(await run.over(listing.parts, sql, signal), signal))
    if (matches(record)) accepted.push(position)
  return accepted
}

function among(condition: string | null, positions: readonly number[]): string | null {
  return condition === null || positions.length === 0
    ? null
    : `(${condition} AND pos IN (${positions.join(', ')}))`
}

function either(left: string | null, right: string | null): string | null {
  return left === null || right === null ? (left ?? right) : `(${left} OR ${right})`
}

/** The record in the last line. */
function cursorOf(text: Uint8Array): ExportPage['next'] {
  const start = text.lastIndexOf(NEWLINE, -2) + 1
  const { time, id } = JSON.parse(new TextDecoder().decode(text.subarray(start))) as {
    time: string
    id: string
  }
  return { timeMs: Date.parse(time), id }
}

function joined(texts: readonly Texts[]): Uint8Array<ArrayBuffer> {
  const all = new Uint8Array(texts.reduce((sum, { bytes }) => sum + bytes, 0))
  let at = 0
  for (const text of texts) {
    text.copyTo(all.subarray(at))
    at += text.bytes
  }
  return all
}

const isPrinted = (column: string) => `(${column} BETWEEN ${PRINTED_FROM_MS} AND ${PRINTED_TO_MS})`
const PRINTED = `(${isPrinted('time')} AND ${isPrinted('ingested')})`

const SQL_VALUES: Readonly<Record<string, string>> = {
  time: isoTime('time'),
  id: `'"' || ${EVENT_ID_SQL} || '"'`,
  ingested: isoTime('ingested'),
  offset: '"offset"::VARCHAR',
  status: numberText('status'),
  latency_ms: numberText('latency_ms'),
  bytes: numberText('bytes'),
}

/** What `JSON.stringify(toPublicRecord(record))` gives, but for how numbers with an exponent are written, and a newline; empty when a time is not printed. */
const LINE = `CASE WHEN ${PRINTED} THEN ${lineSql()} ELSE '' END`

/** Nothing in a plain record's keyword fields needs an escape. */
function lineSql(): string {
  return `CASE WHEN plain THEN ${membersSql((field) => `'"', ${field}, '"'`)} ELSE ${membersSql(toJson)} END`
}

function toJson(field: string): string {
  return `to_json(${field})::VARCHAR`
}

/** One `concat`, which leaves NULLs out: a chain of `||` copies the line again for every member. */
function membersSql(keyword: (field: string) => string): string {
  const members = Object.entries(RECORD_FIELDS).map(([name, { kind }]) => {
    const value = SQL_VALUES[name]
    if (name === 'time') return `'{"time":', ${value}`
    if (kind === 'number') return `(',"${name}":' || ${value})`
    if (value !== undefined) return `',"${name}":', ${value}`
    return `CASE WHEN ${name} <> '' THEN concat(',"${name}":', ${kind === 'keyword' ? keyword(name) : toJson(name)}) END`
  })
  return `concat(${members.join(', ')}, CASE WHEN attrs <> '' THEN concat(',"attrs":', attrs) END, '}', chr(10))`
}

function isoTime(column: string): string {
  return `strftime(make_timestamp(${column} * 1000), '"%Y-%m-%dT%H:%M:%S.%gZ"')`
}
