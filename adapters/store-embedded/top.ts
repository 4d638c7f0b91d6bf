import type { TopAnswer, TopRequest, TopValue } from '../../core/ports.ts'
import { RECORD_FIELDS, isFieldName } from '../../core/record.ts'
import { createTop } from '../store-top.ts'
import type { Top } from '../store-top.ts'
import type { SqlResult } from './duckdb.ts'
import { timeConditions } from './listing.ts'
import { HANDED_BACK_MAX, lookedAt, tooMany } from './looking.ts'
import { recordsOf, rowsWhere, scansOf, selectParts } from './parts.ts'
import type { Part, Picker, Scan } from './parts.ts'
import { attrIn, columnOf, not, possible, sure, unsure } from './plan-sql.ts'
import type { RowField } from './rows.ts'
import type { Run } from './run.ts'
import type { Snapshot } from './shelf.ts'
import { createTallyReader, talliedBy } from './tallies.ts'
import { sqlText } from './text-sql.ts'

/** The most frequent values of a field: of blocks that are tallied by it from there, else from the records. */
export async function top(
  request: TopRequest,
  held: Snapshot,
  run: Run,
  signal: AbortSignal,
): Promise<TopAnswer> {
  const { plan, range, field } = request
  const looked = createTop(field)
  const selection = await selectParts(held.sources, plan, range)
  const parts = notTallied(selection.parts, request, looked)
  const scans = scansOf(parts, plan, field)
  // What is left: records that SQL cannot decide, and values that it cannot read.
  const rest: Picker = (condition, scan) =>
    isFieldName(field) || condition.undecided === 'all'
      ? unsure(condition)
      : both(possible(condition), not(readable(field, scan)))
  const fields = ['timeMs' as const, fieldKey(field)]
  for await (const record of lookedAt({ plan, range, scans, fields, pick: rest, field }, run, signal))
    looked.add(record)
  const rows = rowsWhere(
    scans,
    timeConditions(parts, range),
    (condition, scan) => both(sure(condition), readable(field, scan)),
    (scan) => `${topValue(field, scan)} AS value`,
  )
  const beside = looked.answer(HANDED_BACK_MAX + 1)
  if (beside.distinct > HANDED_BACK_MAX) throw tooMany('different values')
  const scanned = recordsOf(selection.parts)
  if (rows === null) return { ...beside, values: beside.values.slice(0, request.limit), scanned }
  const answer = readTop(await run.over(parts, topSql(rows, request, beside.values), signal), field)
  const matched = answer.matched + beside.matched
  return { ...answer, matched, having: answer.having + beside.having, scanned }
}

/** Adds what the tallies of whole blocks say; gives the parts that are left. */
function notTallied(parts: readonly Part[], { plan, range, field }: TopRequest, top: Top): readonly Part[] {
  const group = talliedBy(plan, field)
  if (group === null) return parts
  const read = createTallyReader(plan, group)
  return parts.filter(({ minMs, maxMs, tallies }) => {
    const its = minMs >= range.fromMs && maxMs < range.toMs ? tallies?.[group] : null
    if (its === null || its === undefined) return true
    read(its, (record, tally) => top.addAlike(record, tally.records, tally.minMs, tally.maxMs))
    return false
  })
}

/** The values of the rows with those that were counted beside. */
function topSql(rows: string, { field, limit }: TopRequest, beside: readonly TopValue[]): string {
  const added = beside.map(
    ({ value, count, firstMs, lastMs }) =>
      `(${isNumber(field) ? `'${value}'::DOUBLE` : sqlText(value)}, ${count}, ${firstMs}, ${lastMs})`,
  )
  const looked =
    added.length === 0
      ? ''
      : ` UNION ALL SELECT * FROM (VALUES ${added.join(', ')}) AS looked(value, n, first, last)`
  return `WITH counted AS (SELECT value, count(*) AS n, min(time) AS first, max(time) AS last
      FROM ${rows} GROUP BY 1),
    merged AS (SELECT value, sum(n) AS n, min(first) AS first, max(last) AS last
      FROM (SELECT * FROM counted${looked}) WHERE value IS NOT NULL GROUP BY value),
    best AS (SELECT * FROM merged ORDER BY n DESC, value LIMIT ${limit}),
    totals AS (SELECT sum(n) AS matched, sum(n) FILTER (value IS NOT NULL) AS having_it,
      (SELECT count(*) FROM merged) AS different FROM counted)
    SELECT ${['matched', 'having_it', 'different', 'n', 'first', 'last'].map((name) => `coalesce(${name}, 0)::DOUBLE`).join(', ')},
      coalesce(value::VARCHAR, '') FROM totals LEFT JOIN best ON true ORDER BY n DESC, value`
}

function readTop(result: SqlResult, field: string): Omit<TopAnswer, 'scanned'> {
  const values: TopValue[] = []
  const totals = { matched: 0, having: 0, distinct: 0 }
  for (const { rows, columns } of result.chunks()) {
    for (let row = 0; row < rows; row++) {
      const [matched = 0, having = 0, distinct = 0, count = 0, firstMs = 0, lastMs = 0] = columns
        .slice(0, -1)
        .map((column) => Number(column[row]))
      Object.assign(totals, { matched, having, distinct })
      const text = String(columns.at(-1)?.[row])
      if (count > 0)
        values.push({ value: isNumber(field) ? String(Number(text)) : text, count, firstMs, lastMs })
    }
  }
  return { values, ...totals }
}

/** Records whose values SQL can read. */
function readable(field: string, { plain, promoted }: Scan): string {
  if (isFieldName(field)) return 'true'
  const noList = not(attrIn(field, promoted).isList())
  return plain ? noList : (both('plain', noList) ?? 'plain')
}

/** NULL: the record has none. */
function topValue(field: string, { promoted }: Scan): string {
  if (!isFieldName(field)) return attrIn(field, promoted).text()
  return isNumber(field) ? `${columnOf(field)}::DOUBLE` : `nullif(${field}, '')`
}

function isNumber(field: string): boolean {
  return isFieldName(field) && RECORD_FIELDS[field].kind === 'number'
}

function fieldKey(field: string): RowField {
  if (!isFieldName(field)) return 'attrs'
  const { key } = RECORD_FIELDS[field]
  return key === 'id' ? 'stream' : key
}

function both(left: string | null, right: string): string | null {
  if (right === 'false') return null
  return left === null || right === 'true' ? left : `(${left} AND ${right})`
}
