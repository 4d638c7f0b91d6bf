import type { HistogramAnswer, HistogramRequest, Quantile, TimeRange } from '../../core/ports.ts'
import type { LogRecord } from '../../core/record.ts'
import { RECORD_FIELDS } from '../../core/record.ts'
import { bucketValue } from '../../core/sketch/latency-buckets.ts'
import { createCounts } from '../store-counts.ts'
import type { Counts } from '../store-counts.ts'
import { timeConditions } from './listing.ts'
import { HANDED_BACK_MAX, lookedAt, tooMany } from './looking.ts'
import { recordsOf, rowsWhere, scansOf, selectParts } from './parts.ts'
import type { Part } from './parts.ts'
import { columnOf, possible, sure, unsure } from './plan-sql.ts'
import { hasRollup, rolledRows, rolledShare, sketchedShare } from './rollups.ts'
import type { Rolled } from './rollups.ts'
import type { Run } from './run.ts'
import type { Snapshot, Source } from './shelf.ts'
import { sketchSql } from './sketches.ts'
import { sqlText } from './text-sql.ts'

/** Quantiles over more records come from roll-ups: exact ones would take seconds. */
const SKETCHED_RECORDS_MIN = 16 << 20

interface Asking {
  readonly request: HistogramRequest
  readonly run: Run
  readonly signal: AbortSignal
}

/** Counts by time and value: from roll-ups where they can say it, else from the records. */
export async function histogram(
  request: HistogramRequest,
  { sources }: Snapshot,
  run: Run,
  signal: AbortSignal,
): Promise<HistogramAnswer> {
  const asking = { request, run, signal }
  const counts = createCounts(request.quantile)
  const rolled = rolledShare(request)
  const scanned =
    rolled === null
      ? await countRecords(asking, sources, request.range, counts)
      : await countRolled(asking, sources, rolled, counts)
  if (request.quantile !== undefined) await addQuantiles(asking, request.quantile, sources, counts)
  return { buckets: counts.buckets(request.by !== undefined), scanned }
}

/** Whole minutes of the segments that have a roll-up come from it, the rest from the records. Returns how many were read. */
async function countRolled(
  asking: Asking,
  sources: readonly Source[],
  rolled: Rolled,
  counts: Counts,
): Promise<number> {
  const { request } = asking
  const { fromMs, toMs } = rolled.range
  const having = sources.filter((source) => hasRollup(source, rolled))
  const inRange = having.filter(({ minMs, maxMs }) => maxMs >= fromMs && minMs < toMs)
  if (inRange.length > 0) {
    const sql = groupedSql(rolledRows(inRange, request, rolled), request, 'sum(n)')
    await readGroups(inRange.map(wholePart), sql, asking, (startMs, value, count) =>
      counts.add(startMs, value, count),
    )
  }
  let scanned = recordsOf(inRange)
  for (const { of, range } of notRolled(sources, having, request, rolled))
    scanned += await countRecords(asking, of, range, counts)
  return scanned
}

/** What roll-ups leave: the whole range of the sources without one, and the cut minutes at its ends of the others. */
function notRolled(
  sources: readonly Source[],
  having: readonly Source[],
  { range }: HistogramRequest,
  rolled: Rolled,
): readonly { readonly of: readonly Source[]; readonly range: TimeRange }[] {
  const pieces = [
    { of: sources.filter((source) => !having.includes(source)), range },
    { of: having, range: { fromMs: range.fromMs, toMs: rolled.range.fromMs } },
    { of: having, range: { fromMs: rolled.range.toMs, toMs: range.toMs } },
  ]
  return pieces.filter((piece) => piece.range.fromMs < piece.range.toMs)
}

/** Adds what the records of these sources count; returns how many were read. */
async function countRecords(
  asking: Asking,
  sources: readonly Source[],
  range: TimeRange,
  counts: Counts,
): Promise<number> {
  const { request, run, signal } = asking
  const { plan, intervalMs, by } = request
  const { parts } = await selectParts(sources, plan, range)
  const scans = scansOf(parts, plan)
  const fields = ['timeMs' as const, ...(by === undefined ? [] : [by])]
  for await (const record of lookedAt({ plan, range, scans, fields, pick: unsure }, run, signal))
    counts.add(Math.floor(record.timeMs / intervalMs) * intervalMs, by === undefined ? '' : record[by], 1)
  const rows = rowsWhere(scans, timeConditions(parts, range), sure)
  if (rows !== null)
    await readGroups(parts, groupedSql(rows, request, 'count(*)'), asking, (startMs, value, count) =>
      counts.add(startMs, value, count),
    )
  return recordsOf(parts)
}

/** From the numbers themselves, or from roll-ups where there are too many of them. */
async function addQuantiles(
  asking: Asking,
  quantile: Quantile,
  sources: readonly Source[],
  counts: Counts,
): Promise<void> {
  const sketched = sketchedShare(asking.request)
  const having = sketched === null ? [] : sources.filter((source) => hasRollup(source, sketched))
  if (sketched === null || recordsOf(having) < SKETCHED_RECORDS_MIN)
    return exactQuantiles(asking, quantile, sources, counts)
  await sketchedQuantiles({ ...asking, sketched, having }, quantile, sources, counts)
}

/** One statement has to see all numbers. */
async function exactQuantiles(
  asking: Asking,
  quantile: Quantile,
  sources: readonly Source[],
  counts: Counts,
): Promise<void> {
  const { request, run, signal } = asking
  const { plan, range, by } = request
  const column = columnOf(quantile.of)
  const { key } = RECORD_FIELDS[quantile.of]
  const { parts } = await selectParts(sources, plan, range)
  const scans = scansOf(parts, plan)
  const fields = ['timeMs' as const, key, ...(by === undefined ? [] : [by])]
  const looked: LogRecord[] = []
  for await (const record of lookedAt({ plan, range, scans, fields, pick: unsure }, run, signal))
    if (record[key] !== null && looked.push(record) > HANDED_BACK_MAX) throw tooMany('records')
  const rows = rowsWhere(scans, [...timeConditions(parts, range), `${column} IS NOT NULL`], sure)
  const all = withRecords(rows, looked, { by, quantile })
  if (all === null) return
  const sql = groupedSql(all, request, `quantile_disc(${column}, ${quantile.p})`)
  await readGroups(parts, sql, asking, (startMs, value, found) => counts.setQuantile(startMs, value, found))
}

/** Whole minutes from the roll-ups, the rest from the records, which SQL decides alone in such a query. */
async function sketchedQuantiles(
  asking: Asking & { readonly sketched: Rolled; readonly having: readonly Source[] },
  quantile: Quantile,
  sources: readonly Source[],
  counts: Counts,
): Promise<void> {
  const { request, sketched, having } = asking
  const parts: Part[] = having.map(wholePart)
  const records: string[] = []
  for (const { of, range } of notRolled(sources, having, request, sketched)) {
    const selection = await selectParts(of, request.plan, range)
    const where = [...timeConditions(selection.parts, range), 'latency IS NOT NULL']
    const rows = rowsWhere(scansOf(selection.parts, request.plan), where, possible)
    if (rows === null) continue
    parts.push(...selection.parts)
    records.push(`SELECT * FROM ${rows}`)
  }
  const sql = sketchSql(
    {
      rolled: rolledRows(having, request, sketched),
      records: records.length === 0 ? null : `(${records.join(' UNION ALL ')})`,
    },
    groupOf(request),
    quantile,
  )
  await readGroups(parts, sql, asking, (startMs, value, bucket) =>
    counts.setQuantile(startMs, value, bucketValue(bucket)),
  )
}

/** The rows with the records that were looked at one by one. */
function withRecords(
  rows: string | null,
  records: readonly LogRecord[],
  { by, quantile }: { readonly by: HistogramRequest['by']; readonly quantile: Quantile },
): string | null {
  if (records.length === 0) return rows
  const { key } = RECORD_FIELDS[quantile.of]
  const column = columnOf(quantile.of)
  const values = records.map((record) => {
    const value = by === undefined ? `''` : sqlText(record[by])
    return `(${record.timeMs}, ${value}, '${record[key]}'::DOUBLE)`
  })
  const looked = `SELECT * FROM (VALUES ${values.join(', ')}) AS looked(time, ${by ?? 'value'}, ${column})`
  if (rows === null) return `(${looked})`
  return `(SELECT time, ${by ?? `'' AS value`}, ${column} FROM ${rows} UNION ALL ${looked})`
}

/** Rows of (start of the bucket, value, number). */
function groupedSql(rows: string, request: HistogramRequest, number: string): string {
  const { start, value } = groupOf(request)
  return `SELECT (${start})::DOUBLE, ${value}, (${number})::DOUBLE FROM ${rows} GROUP BY 1, 2`
}

function groupOf({ intervalMs, by }: HistogramRequest): { readonly start: string; readonly value: string } {
  return { start: `time - ((time % ${intervalMs} + ${intervalMs}) % ${intervalMs})`, value: by ?? `''` }
}

async function readGroups(
  parts: readonly Part[],
  sql: string,
  { run, signal }: Asking,
  take: (startMs: number, value: string, number: number) => void,
): Promise<void> {
  const result = await run.over(parts, sql, signal)
  for (const { rows, columns } of result.chunks()) {
    const [start = [], value = [], number = []] = columns
    for (let row = 0; row < rows; row++) take(Number(start[row]), String(value[row]), Number(number[row]))
  }
}

function wholePart(source: Source): Part {
  const { records, minMs, maxMs } = source
  return { source, records, minMs, maxMs, words: null, plain: false }
}
