import { eventId } from '../../core/event-id.ts'
import type { Arrival } from '../../core/ports.ts'
import type { QueryNode } from '../../core/query/plan.ts'
import { RECORD_FIELDS, isFieldName } from '../../core/record.ts'
import type { Level, LogRecord } from '../../core/record.ts'
import { createPrefixes, parseAttrs } from './columns.ts'
import type { Cell } from './duckdb.ts'

export type RowField = Exclude<keyof LogRecord, 'id'> | 'position' | 'stream' | 'seq' | 'index' | 'plain'
type RowColumn = readonly [field: RowField, select: string, unread: string]

const NO_NUMBER = `'nan'::DOUBLE`

/** What is selected for each field, and what stands for it when a query does not need it. */
const ROW_COLUMNS: readonly RowColumn[] = [
  ['position', 'pos::DOUBLE', '0.0::DOUBLE'],
  ['timeMs', 'time::DOUBLE', '0.0::DOUBLE'],
  ['stream', 'stream', `''`],
  ['seq', 'seq::DOUBLE', '0.0::DOUBLE'],
  ['index', 'idx::DOUBLE', '0.0::DOUBLE'],
  ['ingestedMs', 'ingested::DOUBLE', '0.0::DOUBLE'],
  ...(
    [
      'message',
      'level',
      'service',
      'version',
      'host',
      'site',
      'tier',
      'path',
      'trace',
      'pattern',
      'attrs',
    ] as const
  ).map((name): RowColumn => [name, name, `''`]),
  ['offset', `coalesce("offset"::DOUBLE, ${NO_NUMBER})`, NO_NUMBER],
  ['status', `coalesce(status, ${NO_NUMBER})`, NO_NUMBER],
  ['latencyMs', `coalesce(latency, ${NO_NUMBER})`, NO_NUMBER],
  ['bytes', `coalesce(bytes, ${NO_NUMBER})`, NO_NUMBER],
  ['plain', 'plain::DOUBLE', '0.0::DOUBLE'],
]
const AT = Object.fromEntries(ROW_COLUMNS.map(([field], at) => [field, at])) as Readonly<
  Record<RowField, number>
>

/** What to select so that `rowReader` gives whole records; with `only`, just these fields are read and the others are empty. */
export function selectList(only?: ReadonlySet<RowField>): string {
  return ROW_COLUMNS.map(([field, select, unread]) => (only?.has(field) === false ? unread : select)).join(
    ', ',
  )
}

/** The fields that decide whether a record matches. */
export function fieldsOf(node: QueryNode): RowField[] {
  if (node.type === 'all') return []
  if (node.type === 'and' || node.type === 'or') return node.nodes.flatMap(fieldsOf)
  if (node.type === 'not') return fieldsOf(node.node)
  if (node.type === 'phrase') return node.field === 'message' ? ['message'] : ['message', 'attrs']
  if (!isFieldName(node.field)) return ['attrs']
  const { key } = RECORD_FIELDS[node.field]
  return key === 'id' ? ['stream', 'seq', 'index'] : [key]
}

/** A record without anything. */
export const NO_RECORD: LogRecord = {
  id: '',
  timeMs: 0,
  ingestedMs: 0,
  message: '',
  level: '',
  service: '',
  version: '',
  host: '',
  site: '',
  tier: '',
  path: '',
  offset: null,
  trace: '',
  pattern: '',
  status: null,
  latencyMs: null,
  bytes: null,
  attrs: {},
}

type Columns = readonly (readonly Cell[])[]

/** A record as it was found; see plain.ts. */
export interface FoundRow extends Arrival {
  readonly plain: boolean
}

/** Reads the rows of a `selectList`. */
export function createRowReader(): (columns: Columns, row: number) => FoundRow {
  const prefixOf = createPrefixes()
  const textAt = (columns: Columns, field: RowField, row: number) => String(columns[AT[field]]?.[row] ?? '')
  const numberAt = (columns: Columns, field: RowField, row: number) =>
    Number(columns[AT[field]]?.[row] ?? NaN)
  const present = (value: number) => (Number.isNaN(value) ? null : value)
  return (columns, row) => {
    const text = (field: RowField) => textAt(columns, field, row)
    const number = (field: RowField) => numberAt(columns, field, row)
    const record: LogRecord = {
      id: eventId(prefixOf(text('stream'), number('seq')), number('index')),
      timeMs: number('timeMs'),
      ingestedMs: number('ingestedMs'),
      message: text('message'),
      level: text('level') as Level,
      service: text('service'),
      version: text('version'),
      host: text('host'),
      site: text('site'),
      tier: text('tier'),
      path: text('path'),
      offset: present(number('offset')),
      trace: text('trace'),
      pattern: text('pattern'),
      status: present(number('status')),
      latencyMs: present(number('latencyMs')),
      bytes: present(number('bytes')),
      attrs: parseAttrs(text('attrs')),
    }
    return { position: number('position'), plain: number('plain') === 1, record }
  }
}
