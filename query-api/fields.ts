import { setImmediate as turn } from 'node:timers/promises'
import type { AttrScalar, AttrValue, LogRecord } from '../core/record.ts'
import { isFieldName, toPublicRecord } from '../core/record.ts'

/** Fields that are described; the names of further ones are counted. */
export const FIELDS_LISTED_MAX = 1_000
const EXAMPLES_MAX = 5
/** Examples are for recognising a value, not for reading it. */
export const EXAMPLE_CHARS_MAX = 200
/** Records that are looked at before others get a turn: some milliseconds. */
const RECORDS_PER_TURN = 500

export const FIELD_TYPES = ['string', 'number', 'boolean', 'list'] as const

export interface FieldSummary {
  /** As in a query; `attrs.x` is an attr that has the name of a record field. */
  readonly name: string
  readonly types: (typeof FIELD_TYPES)[number][]
  /** Of the records that were looked at. */
  readonly share: number
  /** Different values among them; of a list, its elements. */
  readonly distinct: number
  /** Most frequent first; longer texts are cut at EXAMPLE_CHARS_MAX. */
  readonly examples: AttrScalar[]
}

interface Seen {
  readonly types: Set<FieldSummary['types'][number]>
  readonly values: Map<AttrScalar, number>
  records: number
}

/** What fields these records have. Most frequent first, then by name; `total` counts also those that are not listed. */
export async function summariseFields(
  records: readonly LogRecord[],
  signal: AbortSignal,
): Promise<{ fields: FieldSummary[]; total: number }> {
  const seen = new Map<string, Seen>()
  const unlisted = new Set<string>()
  for (const [index, record] of records.entries()) {
    for (const [name, value] of fieldsOf(record)) {
      const field = seen.get(name)
      if (field !== undefined) note(field, value)
      else if (seen.size < FIELDS_LISTED_MAX) seen.set(name, noted(value))
      else unlisted.add(name)
    }
    if (index % RECORDS_PER_TURN !== RECORDS_PER_TURN - 1) continue
    await turn()
    signal.throwIfAborted()
  }
  const fields = [...seen]
    .map(([name, field]) => summary(name, field, records.length))
    .sort(mostFrequentFirst)
  return { fields, total: seen.size + unlisted.size }
}

function* fieldsOf(record: LogRecord): Generator<[string, AttrValue]> {
  const { attrs: _, ...fields } = toPublicRecord(record)
  yield* Object.entries(fields) as [string, AttrScalar][]
  for (const [name, value] of Object.entries(record.attrs)) {
    yield [isFieldName(name) ? `attrs.${name}` : name, value]
  }
}

function noted(value: AttrValue): Seen {
  const field: Seen = { types: new Set(), values: new Map(), records: 0 }
  note(field, value)
  return field
}

function note(field: Seen, value: AttrValue): void {
  field.records += 1
  if (typeof value !== 'object') {
    field.types.add(typeof value as 'string' | 'number' | 'boolean')
    count(field.values, value)
    return
  }
  field.types.add('list')
  for (const element of new Set(value)) count(field.values, element)
}

function count(values: Map<AttrScalar, number>, value: AttrScalar): void {
  values.set(value, (values.get(value) ?? 0) + 1)
}

function summary(name: string, { types, values, records }: Seen, sampled: number): FieldSummary {
  const examples = [...values].sort((left, right) => right[1] - left[1]).slice(0, EXAMPLES_MAX)
  return {
    name,
    types: FIELD_TYPES.filter((type) => types.has(type)),
    share: records / sampled,
    distinct: values.size,
    examples: examples.map(([value]) => cut(value)),
  }
}

function cut(value: AttrScalar): AttrScalar {
  if (typeof value !== 'string' || value.length <= EXAMPLE_CHARS_MAX) return value
  return `${value.slice(0, EXAMPLE_CHARS_MAX).toWellFormed()}…`
}

function mostFrequentFirst(left: FieldSummary, right: FieldSummary): number {
  return right.share - left.share || (left.name < right.name ? -1 : 1)
}
