import { ServiceError } from '../core/errors.ts'
import type { TopAnswer, TopValue } from '../core/ports.ts'
import { ATTR_VALUE_COMPARED_BYTES_MAX } from '../core/query/matches.ts'
import { RECORD_FIELDS, isFieldName } from '../core/record.ts'
import type { LogRecord } from '../core/record.ts'

/** Counts the values of a field over the records that match. */
export interface Top {
  add(record: LogRecord): void
  /** So many records that have the values of this one, the first and the last of them at these times. */
  addAlike(record: LogRecord, count: number, firstMs: number, lastMs: number): void
  answer(limit: number): Omit<TopAnswer, 'scanned'>
}

/** Throws UNSUPPORTED for a field whose values are not counted. */
export function createTop(field: string): Top {
  const valuesOf = topValues(field)
  const values = new Map<string, TopValue>()
  let matched = 0
  let having = 0

  function addAlike(record: LogRecord, count: number, firstMs: number, lastMs: number): void {
    matched += count
    const found = valuesOf(record)
    if (found.size > 0) having += count
    for (const value of found)
      values.set(value, together(values.get(value), { value, count, firstMs, lastMs }))
  }

  return {
    add: (record) => addAlike(record, 1, record.timeMs, record.timeMs),
    addAlike,
    answer: (limit) => ({
      values: [...values.values()]
        .sort((left, right) => mostFrequentFirst(left, right, field))
        .slice(0, limit),
      matched,
      having,
      distinct: values.size,
    }),
  }
}

/**
 * What a record counts for when its `field` is asked for: the same values that `field:value` finds. Absent record fields ('' and
 * null) count for nothing; an attr may be '', and of a list each different element counts. Throws UNSUPPORTED like `createTop`.
 */
function topValues(field: string): (record: LogRecord) => ReadonlySet<string> {
  assertCountable(field)
  if (!isFieldName(field)) return ({ attrs }) => attrValues(Object.hasOwn(attrs, field) ? attrs[field] : [])
  const { key } = RECORD_FIELDS[field]
  return (record) => {
    const value = record[key]
    return new Set(value === '' || value === null ? [] : [String(value)])
  }
}

/** Throws UNSUPPORTED for fields of which nearly every record has a value of its own. */
function assertCountable(field: string): void {
  const instead = insteadOf(field)
  if (instead === null) return
  const message = `the values of "${field}" are not counted; ${instead}`
  throw new ServiceError('UNSUPPORTED', message, { field, expected: instead })
}

function insteadOf(field: string): string | null {
  if (!isFieldName(field)) return null
  if (field === 'id') return 'every record has its own: use "pattern" or "trace"'
  const { kind } = RECORD_FIELDS[field]
  if (kind === 'text') return 'use "pattern", which is the same for messages that differ in values only'
  return kind === 'time' ? 'use a histogram, which counts records by time' : null
}

function attrValues(value: LogRecord['attrs'][string] = []): ReadonlySet<string> {
  const texts = typeof value === 'object' ? value.map(String) : [String(value)]
  return new Set(texts.filter((text) => Buffer.byteLength(text) <= ATTR_VALUE_COMPARED_BYTES_MAX))
}

function together(before: TopValue | undefined, more: TopValue): TopValue {
  if (before === undefined) return more
  const { value, count, firstMs, lastMs } = before
  return {
    value,
    count: count + more.count,
    firstMs: Math.min(firstMs, more.firstMs),
    lastMs: Math.max(lastMs, more.lastMs),
  }
}

/** Then by value: numbers by size, texts by code points, as databases sort. Part of the contract, so that limits cut alike everywhere. */
export function mostFrequentFirst(left: TopValue, right: TopValue, field: string): number {
  const byCount = right.count - left.count
  if (byCount !== 0) return byCount
  if (isFieldName(field) && RECORD_FIELDS[field].kind === 'number')
    return Number(left.value) - Number(right.value)
  return Buffer.compare(Buffer.from(left.value), Buffer.from(right.value))
}
