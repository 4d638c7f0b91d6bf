import { setImmediate as yieldNow } from 'node:timers/promises'
import type { ExportPage, SearchAfter, SearchRequest } from '../../core/ports.ts'
import { compileMatcher } from '../../core/query/matches.ts'
import { RECORD_FIELDS, toPublicRecord } from '../../core/record.ts'
import { listingOf, listingSql, partsIn, rangeBehind, search } from './listing.ts'
import type { Listing } from './listing.ts'
import { recordsOf, selectParts } from './parts.ts'
import { EVENT_ID_SQL, numberText, planToSql, possible } from './plan-sql.ts'
import { selectList } from './rows.ts'
import { readRows } from './run.ts'
import type { Run } from './run.ts'
import type { Snapshot } from './shelf.ts'
import { createSlicer } from './slices.ts'

/** Years with four digits, which SQL prints as JavaScript does. */
const PRINTED_FROM_MS = Date.UTC(1000, 0, 1)
const PRINTED_TO_MS = Date.UTC(9999, 11, 31)

/** A page of records as lines of JSON, which the database writes but for the ones that SQL cannot decide or print. */
export async function exportPage(
  request: SearchRequest,
  held: Snapshot,
  run: Run,
  signal: AbortSignal,
): Promise<ExportPage> {
  const { plan, limit, grep, order = 'newest' } = request
  if (grep !== undefined || planToSql(plan).undecided === 'all')
    return exportFound(request, held, run, signal)
  const range = rangeBehind(request)
  const { parts } = await selectParts(held.sources, plan, range)
  const lines: string[] = []
  const slicer = createSlicer(parts, range, order)
  let scanned = 0
  for (let slice = slicer.next(limit); slice !== null; slice = slicer.next(limit)) {
    const inSlice = partsIn(parts, slice)
    if (inSlice.length === 0) continue
    scanned += recordsOf(inSlice)
    const listing = listingOf(request, slice, inSlice)
    const page = await linesOf(listing, { request, rows: limit - lines.length }, run, signal)
    for (const line of page.lines) lines.push(line)
    if (page.last !== null) return { ...pageOf(lines), next: page.last, scanned }
  }
  return { ...pageOf(lines), next: null, scanned }
}

/** Of the records that a search finds. */
async function exportFound(
  request: SearchRequest,
  held: Snapshot,
  run: Run,
  signal: AbortSignal,
): Promise<ExportPage> {
  const { records, more, scanned } = await search(request, held, run, signal)
  const last = records.at(-1)
  const next = more && last !== undefined ? { timeMs: last.timeMs, id: last.id } : null
  return { ...pageOf(records.map((record) => JSON.stringify(toPublicRecord(record)))), next, scanned }
}

function pageOf(lines: readonly string[]): Pick<ExportPage, 'ndjson' | 'records'> {
  const text = lines.length === 0 ? '' : `${lines.join('\n')}\n`
  return { ndjson: new TextEncoder().encode(text), records: lines.length }
}

interface Lines {
  readonly lines: readonly string[]
  /** The last record looked at when the page is full. */
  readonly last: SearchAfter | null
}

async function linesOf(
  listing: Listing,
  { request, rows }: { request: SearchRequest; rows: number },
  run: Run,
  signal: AbortSignal,
): Promise<Lines> {
  const sql = listingSql(`CASE WHEN ${ODD} THEN ${ODD_ID} ELSE ${LINE} END, (${ODD})::DOUBLE`, listing)
  if (sql === null) return { lines: [], last: null }
  const page = await run.over(listing.parts, `${sql} LIMIT ${rows}`, signal)
  const lines: string[] = []
  const odd = new Map<string, number>()
  for (const { rows, columns } of page.chunks()) {
    const [line = [], isOdd = []] = columns
    for (let row = 0; row < rows; row++) {
      if (isOdd[row] === 1) odd.set(String(line[row]), lines.length)
      lines.push(String(line[row]))
    }
    await yieldNow()
    signal.throwIfAborted()
  }
  const last = lines.at(-1)
  const cursor = page.rows < rows || last === undefined ? null : cursorOf(last, odd.has(last))
  if (odd.size === 0) return { lines, last: cursor }
  return { lines: await replaceOdd(lines, odd, { listing, request, rows }, run, signal), last: cursor }
}

function cursorOf(line: string, isOdd: boolean): SearchAfter {
  if (isOdd) {
    const [timeMs = '', id = ''] = line.split(' ')
    return { timeMs: Number(timeMs), id }
  }
  const { time, id } = JSON.parse(line) as { time: string; id: string }
  return { timeMs: Date.parse(time), id }
}

/** Puts the lines of the odd records that match in their places, and takes out the others. */
async function replaceOdd(
  lines: readonly (string | null)[],
  odd: ReadonlyMap<string, number>,
  { listing, request, rows }: { listing: Listing; request: SearchRequest; rows: number },
  run: Run,
  signal: AbortSignal,
): Promise<readonly string[]> {
  const replaced = [...lines]
  for (const at of odd.values()) replaced[at] = null
  const matches = compileMatcher(request.plan)
  const sql = listingSql(selectList(), listing, (condition) => `(${ODD} AND ${possible(condition)})`)
  const page = await run.over(listing.parts, `${sql} LIMIT ${rows}`, signal)
  for await (const { record } of readRows(page, signal)) {
    const at = odd.get(`${record.timeMs} ${record.id}`)
    if (at !== undefined && matches(record)) replaced[at] = JSON.stringify(toPublicRecord(record))
  }
  return replaced.filter((line) => line !== null)
}

const isPrinted = (column: string) => `(${column} BETWEEN ${PRINTED_FROM_MS} AND ${PRINTED_TO_MS})`
/** Cannot be decided, or not printed, in SQL. */
const ODD = `(NOT plain OR NOT ${isPrinted('time')} OR NOT ${isPrinted('ingested')})`
/** Stands in for the line of such a record. */
const ODD_ID = `(time::VARCHAR || ' ' || ${EVENT_ID_SQL})`

const SQL_VALUES: Readonly<Record<string, string>> = {
  time: isoTime('time'),
  id: `'"' || ${EVENT_ID_SQL} || '"'`,
  ingested: isoTime('ingested'),
  offset: '"offset"::VARCHAR',
  status: numberText('status'),
  latency_ms: numberText('latency_ms'),
  bytes: numberText('bytes'),
}

/** What `JSON.stringify(toPublicRecord(record))` gives, but for how numbers with an exponent are written. */
const LINE = lineSql()

function lineSql(): string {
  const members = Object.entries(RECORD_FIELDS).map(([name, { kind }]) => {
    const member = `',"${name}":' || `
    if (name === 'time') return `'{"time":' || ${SQL_VALUES[name]}`
    const value = SQL_VALUES[name]
    if (kind === 'number') return `coalesce(${member}${value}, '')`
    if (value !== undefined) return `${member}${value}`
    return `CASE WHEN ${name} = '' THEN '' ELSE ${member}to_json(${name})::VARCHAR END`
  })
  const attrs = `CASE WHEN attrs = '' THEN '' ELSE ',"attrs":' || attrs END`
  return `(${[...members, attrs].join(' || ')} || '}')`
}

function isoTime(column: string): string {
  return `strftime(make_timestamp(${column} * 1000), '"%Y-%m-%dT%H:%M:%S.%gZ"')`
}
