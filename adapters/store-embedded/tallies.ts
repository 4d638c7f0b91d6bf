import { compileMatcher } from '../../core/query/matches.ts'
import type { QueryPlan } from '../../core/query/plan.ts'
import { LEVELS } from '../../core/record.ts'
import type { Level, LogRecord } from '../../core/record.ts'
import { fieldNames } from './rollups.ts'
import { NO_RECORD } from './rows.ts'

/** What a block's records are counted by, as it is sealed: fields of few values, in groups of few combinations. */
export const TALLIED = [
  ['site', 'tier', 'host', 'level'],
  ['service', 'version', 'level'],
] as const
export type TalliedField = (typeof TALLIED)[number][number]
/** A block with more combinations than this is not tallied by them. */
const TALLIES_MAX = 512
const NUMBERS = 3

/** How many records have these values, and when the first and the last of them was. */
export interface Tally {
  readonly values: readonly string[]
  readonly records: number
  readonly minMs: number
  readonly maxMs: number
}

/** Tallies as they are stored: some 25 bytes each. */
export interface StoredTallies {
  readonly names: readonly string[]
  /** Of each tally: the places of its values among the names, its records, and its first and last time in ms behind `fromMs`. */
  readonly rows: readonly number[]
  readonly fromMs: number
}

/** null: too many to keep. */
export function storeTallies(tallies: readonly Tally[]): StoredTallies | null {
  if (tallies.length > TALLIES_MAX) return null
  const fromMs = tallies.reduce((min, { minMs }) => Math.min(min, minMs), Infinity)
  const places = new Map<string, number>()
  const placeOf = (name: string) => {
    const place = places.get(name) ?? places.size
    places.set(name, place)
    return place
  }
  const rows = tallies.flatMap(({ values, records, minMs, maxMs }) => [
    ...values.map(placeOf),
    records,
    minMs - fromMs,
    maxMs - fromMs,
  ])
  return { names: [...places.keys()], rows, fromMs }
}

/** Which group of TALLIED decides the plan and has the field; null: none. */
export function talliedBy({ root }: QueryPlan, field: string): number | null {
  const fields = fieldNames(root)
  if (fields === null) return null
  const isIn = (group: readonly string[]) => [...fields, field].every((name) => group.includes(name))
  const found = TALLIED.findIndex(isIn)
  return found < 0 ? null : found
}

/** Gives every tally that the plan finds, as a record with its values and nothing else. */
export function createTallyReader(plan: QueryPlan, group: number) {
  const matches = compileMatcher(plan)
  const fields = TALLIED[group] ?? []
  return ({ names, rows, fromMs }: StoredTallies, take: (record: LogRecord, tally: Tally) => void): void => {
    for (let at = 0; at < rows.length; at += fields.length + NUMBERS) {
      const values = fields.map((_, column) => names[rows[at + column] ?? -1] ?? '')
      const record = recordWith(fields, values)
      if (!matches(record)) continue
      const [records = 0, first = 0, last = 0] = rows.slice(at + fields.length, at + fields.length + NUMBERS)
      take(record, { values, records, minMs: fromMs + first, maxMs: fromMs + last })
    }
  }
}

function recordWith(fields: readonly TalliedField[], values: readonly string[]): LogRecord {
  const given = Object.fromEntries(fields.map((field, at) => [field, values[at] ?? '']))
  return { ...NO_RECORD, ...given, level: levelOf(given['level']) }
}

function levelOf(text: string | undefined): Level {
  return LEVELS.find((level) => level === text) ?? ''
}
