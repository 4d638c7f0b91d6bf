import type { HistogramAnswer, HistogramRequest, Quantile, TimeRange } from '../../core/ports.ts'
import { compileMatcher } from '../../core/query/matches.ts'
import type { LogRecord } from '../../core/record.ts'
import { RECORD_FIELDS } from '../../core/record.ts'
import { bucketValue } from '../../core/sketch/latency-buckets.ts'
import { createCounts } from '../store-counts.ts'
import type { Counts } from '../store-counts.ts'
import { eachMinute } from './block-minutes.ts'
import type { BlockMinutes } from './block-minutes.ts'
import { timeConditions } from './listing.ts'
import { HANDED_BACK_MAX, lookedAt, tooMany } from './looking.ts'
import { recordsOf, rowsWhere, scansOf, selectParts } from './parts.ts'
import type { Part } from './parts.ts'
import { columnOf, sure, unsure } from './plan-sql.ts'
import { mergeQuantiles } from './quantiles.ts'
import { hasRollup, listedShare, rolledNumbers, rolledRows, rolledShare } from './rollups.ts'
import type { Listed } from './rollups.ts'
import { NO_RECORD } from './rows.ts'
import type { Run } from './run.ts'
import type { Snapshot, Source } from './shelf.ts'
import { sketchSql } from './sketches.ts'
import { sqlText } from './text-sql.ts'

/** Latencies of more records come from sketches: the exact quantile needs all of them in memory. */
const EXACT_QUANTILE_RECORDS_MAX = 16 << 20
/** Of a bucket of time, on average: with more, sorting numbers would hold up this thread. */
const MERGED_RECORDS_MAX = 65_536

interface Asking {
  readonly request: HistogramRequest
  readonly run: Run
  readonly signal: AbortSignal
}

/** Records of some sources in a time range. */
interface Piece {
  readonly of: readonly Source[]
  readonly range: TimeRange
}

/** Counts by time and value: from roll-ups where they can say it, else from the records. */
export async function histogram(
  request: HistogramRequest,
  { sources }: Snapshot,
  run: Run,
  signal: AbortSignal,
  exactRecordsMax = EXACT_QUANTILE_RECORDS_MAX,
): Promise<HistogramAnswer> {
  const asking = { request, run, signal }
  const { quantile, range } = request
  const counts = createCounts(quantile)
  const rolled = rolledShare(request)
  let scanned: number
  if (rolled !== null) {
    scanned = await countListed(asking, { of: sources, range }, counts)
    if (quantile !== undefined) await addQuantiles(asking, quantile, sources, counts, exactRecordsMax)
  } else if (quantile === undefined) scanned = await countRecords(asking, { of: sources, range }, counts)
  else scanned = await countWithQuantiles(asking, quantile, { of: sources, range }, counts)
  return { buckets: counts.buckets(request.by !== undefined), scanned }
}

/** Whole minutes of the segments whose blocks list them come from there, the rest from roll-ups and records. Returns how many records count. */
async function countListed(asking: Asking, piece: Piece, counts: Counts): Promise<number> {
  const { request, run } = asking
  const listed = listedShare({ ...request, range: piece.range })
  if (listed === null) return countRolled(asking, piece, counts)
  const having = new Map<Source, readonly BlockMinutes[]>()
  for (const source of piece.of) {
    const minutes =
      source.from.type === 'hot' ? [null] : (await source.from.blocks()).map((block) => block.minutes)
    if (!minutes.includes(null))
      having.set(
        source,
        minutes.filter((one) => one !== null),
      )
  }
  const { inRange, rest } = divided(piece, listed.range, (source) => having.has(source))
  await run.verify(inRange)
  addListed(
    inRange.flatMap((source) => having.get(source) ?? []),
    listed,
    request,
    counts,
  )
  let scanned = recordsOf(inRange)
  for (const other of rest) scanned += await countRolled(asking, other, counts)
  return scanned
}

function addListed(
  blocks: readonly BlockMinutes[],
  { range, field }: Listed,
  { plan, intervalMs, by }: HistogramRequest,
  counts: Counts,
): void {
  const matches = compileMatcher(plan)
  const isWanted = new Map<string, boolean>()
  for (const block of blocks)
    eachMinute(block, field, (minuteMs, value, records) => {
      if (minuteMs < range.fromMs || minuteMs >= range.toMs) return
      const wanted = isWanted.get(value) ?? matches({ ...NO_RECORD, [field]: value })
      isWanted.set(value, wanted)
      if (wanted)
        counts.add(Math.floor(minuteMs / intervalMs) * intervalMs, by === undefined ? '' : value, records)
    })
}

/** Whole minutes of the segments that have a roll-up come from it, the rest from the records. Returns how many records count. */
async function countRolled(asking: Asking, piece: Piece, counts: Counts): Promise<number> {
  const request = { ...asking.request, range: piece.range }
  const rolled = rolledShare(request)
  if (rolled === null) return countRecords(asking, piece, counts)
  const { inRange, rest } = divided(piece, rolled.range, (source) => hasRollup(source, rolled))
  if (inRange.length > 0) {
    const rows = `(SELECT time, ${valueOf(request)} AS value, n FROM ${rolledRows(inRange, request, rolled)})`
    const parts = inRange.map(wholePart)
    await readGroups(parts, groupedSql(rows, parts, request, 'sum(n)'), asking, (startMs, value, count) =>
      counts.add(startMs, value, count),
    )
  }
  let scanned = recordsOf(inRange)
  for (const other of rest) scanned += await countRecords(asking, other, counts)
  return scanned
}

/**
 * What is known of whole minutes, and what that leaves: the whole range of the sources of which nothing is known, and the cut minutes at
 * its ends of the others.
 */
function divided(
  { of, range }: Piece,
  { fromMs, toMs }: TimeRange,
  isKnown: (source: Source) => boolean,
): { readonly inRange: readonly Source[]; readonly rest: readonly Piece[] } {
  const known = of.filter(isKnown)
  const pieces = [
    { of: of.filter((source) => !isKnown(source)), range },
    { of: known, range: { fromMs: range.fromMs, toMs: fromMs } },
    { of: known, range: { fromMs: toMs, toMs: range.toMs } },
  ]
  return {
    inRange: known.filter(({ minMs, maxMs }) => maxMs >= fromMs && minMs < toMs),
    rest: pieces.filter((piece) => piece.of.length > 0 && piece.range.fromMs < piece.range.toMs),
  }
}

/** Adds what the records of these sources count; returns how many were read. */
async function countRecords(asking: Asking, { of, range }: Piece, counts: Counts): Promise<number> {
  const { request, run, signal } = asking
  const { plan, by } = request
  const { parts } = await selectParts(of, plan, range)
  const scans = scansOf(parts, plan)
  const fields = ['timeMs' as const, ...(by === undefined ? [] : [by])]
  for await (const record of lookedAt({ plan, range, scans, fields, pick: unsure }, run, signal))
    count(record, request, counts)
  const found = rowsWhere(scans, timeConditions(parts, range), sure)
  if (found !== null) {
    const rows = `(SELECT time, ${valueOf(request)} AS value FROM ${found})`
    await readGroups(parts, groupedSql(rows, parts, request, 'count(*)'), asking, (startMs, value, number) =>
      counts.add(startMs, value, number),
    )
  }
  return recordsOf(parts)
}

function count(record: LogRecord, { intervalMs, by }: HistogramRequest, counts: Counts): void {
  counts.add(Math.floor(record.timeMs / intervalMs) * intervalMs, by === undefined ? '' : record[by], 1)
}

/** Both from the records, in one statement. */
async function countWithQuantiles(
  asking: Asking,
  quantile: Quantile,
  piece: Piece,
  counts: Counts,
): Promise<number> {
  const { request } = asking
  const { rows, parts } = await numbersIn(asking, quantile, piece, {
    where: [],
    onNone: (record) => count(record, request, counts),
  })
  if (rows !== null) {
    const found = `count(*), coalesce(${exactly(quantile)}, 'nan'::DOUBLE)`
    await readGroups(parts, groupedSql(rows, parts, request, found), asking, (startMs, value, n, number) => {
      counts.add(startMs, value, n)
      if (!Number.isNaN(number)) counts.setQuantile(startMs, value, number)
    })
  }
  return recordsOf(parts)
}

/** From the numbers in roll-ups and the ones of the other records: one statement has to see them all. */
async function addQuantiles(
  asking: Asking,
  quantile: Quantile,
  sources: readonly Source[],
  counts: Counts,
  exactRecordsMax: number,
): Promise<void> {
  const { request, run, signal } = asking
  const rolled = rolledNumbers(request)
  const { inRange, rest } =
    rolled === null
      ? { inRange: [], rest: [{ of: sources, range: request.range }] }
      : divided({ of: sources, range: request.range }, rolled.range, (source) => hasRollup(source, rolled))
  const parts: Part[] = inRange.map(wholePart)
  const pieces: string[] = []
  for (const piece of rest) {
    const where = [`${columnOf(quantile.of)} IS NOT NULL`]
    const found = await numbersIn(asking, quantile, piece, { where, onNone: () => undefined })
    parts.push(...found.parts)
    if (found.rows !== null) pieces.push(found.rows)
  }
  const lists =
    rolled === null || inRange.length === 0
      ? null
      : `(SELECT time, ${valueOf(request)} AS value, latencies FROM ${rolledRows(inRange, request, rolled)})`
  if (lists === null && pieces.length === 0) return
  const isExact = quantile.of !== 'latency_ms' || recordsOf(parts) <= exactRecordsMax
  if (lists !== null && isExact && isFine(request, parts)) {
    const result = await run.over(parts, listsSql(lists, pieces, parts, request), signal)
    return mergeQuantiles(
      result.numberLists(),
      quantile.p,
      (startMs, value, found) => counts.setQuantile(startMs, value, found),
      signal,
    )
  }
  const rows = [
    ...(lists === null ? [] : [`(SELECT time, value, unnest(latencies) AS number FROM ${lists})`]),
    ...pieces,
  ]
  const all = `(${rows.map((one) => `SELECT * FROM ${one}`).join(' UNION ALL ')})`
  const sql = isExact
    ? groupedSql(all, parts, request, exactly(quantile))
    : withStarts(
        sketchSql(`(SELECT ${startOf(parts, request.intervalMs)} AS start, * FROM ${all})`, quantile.p),
        request,
      )
  await readGroups(parts, sql, asking, (startMs, value, found) =>
    counts.setQuantile(startMs, value, isExact ? found : bucketValue(found)),
  )
}

/** Few records in a bucket: their sorted lists are merged quicker here than the engine sorts the numbers anew. */
function isFine({ range, intervalMs }: HistogramRequest, parts: readonly Part[]): boolean {
  return (recordsOf(parts) * intervalMs) / (range.toMs - range.fromMs) <= MERGED_RECORDS_MAX
}

/** Rows of (start of the bucket, value, ascending numbers): `lists` of them as they are, and what `pieces` give as lists. */
function listsSql(
  lists: string,
  pieces: readonly string[],
  parts: readonly Part[],
  { intervalMs }: HistogramRequest,
): string {
  const start = `(${startOf(parts, intervalMs)} * ${intervalMs})::DOUBLE AS start`
  const sorted = pieces.map(
    (rows) => `SELECT ${start}, value, list_sort(list(number)) AS numbers FROM ${rows} GROUP BY 1, 2`,
  )
  return [`SELECT ${start}, value, latencies AS numbers FROM ${lists}`, ...sorted].join(' UNION ALL ')
}

/** Rows of (time, value, number) of the records that match and for which all of `where` holds; null: there are none. */
async function numbersIn(
  { request, run, signal }: Asking,
  { of: field }: Quantile,
  { of, range }: Piece,
  { where, onNone }: { readonly where: readonly string[]; readonly onNone: (record: LogRecord) => void },
): Promise<{ readonly rows: string | null; readonly parts: readonly Part[] }> {
  const { plan, by } = request
  const { key } = RECORD_FIELDS[field]
  const { parts } = await selectParts(of, plan, range)
  const scans = scansOf(parts, plan)
  const fields = ['timeMs' as const, key, ...(by === undefined ? [] : [by])]
  const looked: string[] = []
  for await (const record of lookedAt({ plan, range, scans, fields, pick: unsure }, run, signal)) {
    const value = by === undefined ? `''` : sqlText(record[by])
    if (record[key] === null) onNone(record)
    else if (looked.push(`(${record.timeMs}, ${value}, '${record[key]}'::DOUBLE)`) > HANDED_BACK_MAX)
      throw tooMany('records')
  }
  const found = rowsWhere(scans, [...timeConditions(parts, range), ...where], sure)
  const selects = [
    ...(found === null
      ? []
      : [`SELECT time, ${valueOf(request)} AS value, ${columnOf(field)} AS number FROM ${found}`]),
    ...(looked.length === 0
      ? []
      : [`SELECT * FROM (VALUES ${looked.join(', ')}) AS looked(time, value, number)`]),
  ]
  return { rows: selects.length === 0 ? null : `(${selects.join(' UNION ALL ')})`, parts }
}

function exactly({ p }: Quantile): string {
  return `quantile_disc(number, ${p})`
}

function valueOf({ by }: HistogramRequest): string {
  return by ?? `''`
}

/** Rows of (start of the bucket, value, numbers…) of rows of (time, value, …). */
function groupedSql(
  rows: string,
  parts: readonly Part[],
  request: HistogramRequest,
  numbers: string,
): string {
  const start = startOf(parts, request.intervalMs)
  return withStarts(`SELECT ${start} AS start, value, ${numbers} FROM ${rows} GROUP BY 1, 2`, request)
}

/** `select` gives which interval it is, a value, and numbers. */
function withStarts(select: string, { intervalMs }: HistogramRequest): string {
  return `SELECT (start * ${intervalMs})::DOUBLE, value, COLUMNS(* EXCLUDE (start, value))::DOUBLE FROM (${select})`
}

/** Which interval since 1970 a time is in. Integer division cuts towards 0, which is right for all but times before 1970. */
function startOf(parts: readonly Part[], intervalMs: number): string {
  if (parts.every(({ minMs }) => minMs >= 0)) return `time // ${intervalMs}`
  return `(time - ((time % ${intervalMs} + ${intervalMs}) % ${intervalMs})) // ${intervalMs}`
}

async function readGroups(
  parts: readonly Part[],
  sql: string,
  { run, signal }: Asking,
  take: (startMs: number, value: string, ...numbers: [number, number]) => void,
): Promise<void> {
  const result = await run.over(parts, sql, signal)
  for (const { rows, columns } of result.chunks()) {
    const [start = [], value = [], number = [], second = []] = columns
    for (let row = 0; row < rows; row++)
      take(Number(start[row]), String(value[row]), Number(number[row]), Number(second[row]))
  }
}

function wholePart(source: Source): Part {
  const { records, minMs, maxMs } = source
  return { source, records, minMs, maxMs, words: null, plain: false, tallies: null }
}
