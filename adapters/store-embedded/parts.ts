import type { TimeRange } from '../../core/ports.ts'
import type { QueryPlan } from '../../core/query/plan.ts'
import { mayHold } from '../store-purged.ts'
import type { HeldValues } from '../store-purged.ts'
import { amongPlain, planToSql, tokensOf } from './plan-sql.ts'
import type { SqlCondition } from './plan-sql.ts'
import { NOT_PROMOTED, STORED_COLUMNS, attrsOf, columnsWith } from './promoted.ts'
import type { Promoted } from './promoted.ts'
import type { Source } from './shelf.ts'
import type { StoredTallies } from './tallies.ts'
import { sqlText } from './text-sql.ts'
import type { Span, WordFacts, WordIndex } from './word-index.ts'
import { timesOfWords } from './word-times.ts'

/** Words of a query that each may be rare or not split its parts in two; more words than this share one condition. */
const SPLIT_TOKENS_MAX = 4

/** What is scanned or skipped: a block of a segment, or the part of its time that may hold a match, or a hot table. */
export interface Part {
  readonly source: Source
  /** About so many when it is a part of a block's time. */
  readonly records: number
  /** Both ends included. */
  readonly minMs: number
  readonly maxMs: number
  /** null: a hot table. */
  readonly words: WordIndex | null
  /** Of a block, by each group of TALLIED. */
  readonly tallies: readonly (StoredTallies | null)[] | null
  /** All of its records are plain (plain.ts). */
  readonly plain: boolean
}

export interface Selection {
  /** The parts that may hold a match. */
  readonly parts: readonly Part[]
  readonly outOfRange: number
  readonly excludedByValues: number
  readonly excludedByWords: number
}

/** Parts that are asked the same. */
export interface Scan {
  readonly parts: readonly Part[]
  /** All of its records are plain. */
  readonly plain: boolean
  /** It has the columns of `promoted` beside those of every record. */
  readonly relation: string
  readonly promoted: Promoted
  readonly condition: SqlCondition
}

const EVERYTHING: TimeRange = { fromMs: -Infinity, toMs: Infinity }

/** The parts of these sources that may hold a record of the plan in the range. */
export async function selectParts(
  sources: readonly Source[],
  { root }: QueryPlan,
  range: TimeRange = EVERYTHING,
): Promise<Selection> {
  const parts: Part[] = []
  let [outOfRange, excludedByValues, excludedByWords] = [0, 0, 0]
  for (const source of sources) {
    for (const part of await partsOf(source)) {
      if (part.maxMs < range.fromMs || part.minMs >= range.toMs) outOfRange += 1
      else if (part.values !== null && !mayHold(root, part.values)) excludedByValues += 1
      else {
        const times = part.words === null ? part : timesOfWords(root, part.words)
        if (times === null || times.maxMs < range.fromMs || times.minMs >= range.toMs) excludedByWords += 1
        else parts.push(narrowed(part, times))
      }
    }
  }
  return { parts, outOfRange, excludedByValues, excludedByWords }
}

/** The records of a part in a shorter time, as if they were spread evenly over it. Never as many as all: then the file were read as a whole. */
function narrowed(part: Part, { minMs, maxMs }: Span): Part {
  if (minMs <= part.minMs && maxMs >= part.maxMs) return part
  const share = (maxMs - minMs + 1) / (part.maxMs - part.minMs + 1)
  return { ...part, minMs, maxMs, records: Math.min(part.records - 1, Math.ceil(part.records * share)) }
}

async function partsOf(source: Source): Promise<(Part & { readonly values: HeldValues | null })[]> {
  if (source.from.type === 'hot') {
    const { records, minMs, maxMs } = source
    const { isPlain } = source.from
    return [{ source, records, minMs, maxMs, words: null, plain: isPlain, tallies: null, values: null }]
  }
  const blocks = await source.from.blocks()
  return blocks.map((block) => {
    const { records, minMs, maxMs, words, plain, tallies } = block
    return { source, records, minMs, maxMs, words, plain, tallies, values: block }
  })
}

/**
 * The parts in as few scans as they allow: those in which the same words are rare, that are plain or not alike, and in which the same
 * attrs of those that are asked have a column, share a condition. `field`: a field that is asked beside those of the plan.
 */
export function scansOf(parts: readonly Part[], plan: QueryPlan, field?: string): readonly Scan[] {
  const tokens = tokensOf(plan.root)
  const split = tokens.slice(0, SPLIT_TOKENS_MAX)
  const asked = [...new Set([...attrsOf(plan.root), ...(field === undefined ? [] : [field])])]
  const groups = Map.groupBy(parts, ({ words, plain, source }) => {
    if (words === null) return `${plain}`
    const rare = split.map((token) => (words.word(token).rare === null ? '-' : 'r'))
    return `${plain} ${rare.join('')} ${promotedIn(source, asked).join(' ')}`
  })
  return [...groups.values()].map((group) => {
    const [first] = group
    const promoted = first === undefined ? NOT_PROMOTED : new Set(promotedIn(first.source, asked))
    const relation = relationOf(group, promoted)
    const condition = planToSql(plan, { words: (token) => factsOf(token, group), promoted })
    const plain = first?.plain === true
    return { parts: group, plain, relation, promoted, condition: plain ? amongPlain(condition) : condition }
  })
}

/** Those of the attrs that have a column in a source. */
function promotedIn({ from }: Source, attrs: readonly string[]): readonly string[] {
  return from.type === 'hot' ? [] : attrs.filter((attr) => from.segment.promoted?.includes(attr) === true)
}

/** What holds for a token in all of these parts; undefined when one of them does not know. */
function factsOf(token: string, parts: readonly Part[]): WordFacts | undefined {
  const some = new Set<string>()
  const always = new Set<string>()
  const known: { readonly patterns: ReadonlySet<string>; readonly always: ReadonlySet<string> }[] = []
  let rare: Span | null = null
  for (const { words } of parts) {
    if (words === null) return undefined
    const facts = words.word(token)
    rare ??= facts.rare
    for (const pattern of facts.always) always.add(pattern)
    for (const pattern of facts.some) some.add(pattern)
    known.push({ patterns: patternsOf(words), always: new Set(facts.always) })
  }
  for (const pattern of always) {
    const everywhere = known.every((part) => !part.patterns.has(pattern) || part.always.has(pattern))
    if (everywhere && !some.has(pattern)) continue
    always.delete(pattern)
    some.add(pattern)
  }
  return { always: [...always], some: [...some], rare }
}

const patternSets = new WeakMap<WordIndex, ReadonlySet<string>>()

function patternsOf(words: WordIndex): ReadonlySet<string> {
  const known = patternSets.get(words) ?? new Set(words.patterns)
  patternSets.set(words, known)
  return known
}

/** Which records of a scan are picked; null: none. */
export type Picker = (condition: SqlCondition, scan: Scan) => string | null

/**
 * STORED_COLUMNS of the records that `pick` and every one of `where` hold for, and what `beside` selects; null when `pick` gives null
 * for all scans.
 */
export function rowsWhere(
  scans: readonly Scan[],
  where: readonly string[],
  pick: Picker,
  beside?: (scan: Scan) => string,
): string | null {
  const selects = scans.flatMap((scan) => {
    const { relation, condition } = scan
    const picked = pick(condition, scan)
    if (picked === null || picked === 'false') return []
    const columns = [STORED_COLUMNS, ...(beside === undefined ? [] : [beside(scan)])].join(', ')
    return `SELECT ${columns} FROM ${relation} WHERE ${[...where, picked].join(' AND ')}`
  })
  return selects.length === 0 ? null : `(${selects.join(' UNION ALL ')})`
}

/** One relation over these parts, with these columns; blocks of a segment are told by their times. */
function relationOf(parts: readonly Part[], promoted: Promoted): string {
  const columns = columnsWith(promoted)
  const whole: string[] = []
  const relations: string[] = []
  for (const [{ from }, blocks] of Map.groupBy(parts, ({ source }) => source)) {
    if (from.type === 'hot') relations.push(from.relation)
    else if (blocks.reduce((sum, { records }) => sum + records, 0) === from.segment.records)
      whole.push(from.path)
    else relations.push(`SELECT ${columns} FROM ${filesOf([from.path])} WHERE ${within(blocks)}`)
  }
  if (whole.length > 0) relations.push(`SELECT ${columns} FROM ${filesOf(whole)}`)
  return `(${relations.join(' UNION ALL ')})`
}

/** Files as a relation; what is selected of it must be in all of them. */
export function filesOf(paths: readonly string[]): string {
  return `read_parquet([${paths.map(sqlText).join(', ')}])`
}

function within(blocks: readonly Part[]): string {
  return `(${blocks.map(({ minMs, maxMs }) => `time BETWEEN ${minMs} AND ${maxMs}`).join(' OR ')})`
}

export function recordsOf(parts: readonly { readonly records: number }[]): number {
  return parts.reduce((sum, { records }) => sum + records, 0)
}
