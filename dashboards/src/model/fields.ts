import type { LogRecord } from '../api.ts'

export interface Field {
  /** The name a query uses. */
  readonly name: string
  readonly text: string
  /** What a filter compares; null when the field cannot be filtered by equality. */
  readonly value: string | number | boolean | null
}

/** The fields that lines are told apart by. */
export const MAIN_FIELDS = ['level', 'service', 'host', 'site', 'tier', 'version', 'path', 'status'] as const
/** Times, texts and ids differ from line to line: counting them says nothing. */
const NOT_COUNTED = new Set(['time', 'ingested', 'message', 'id', 'offset'])
const FIRST = ['time', 'level', 'service', 'host', 'site', 'tier', 'version', 'message']
const NOT_FILTERED = new Set(['time', 'ingested', 'message'])
const QUERYABLE = /^[A-Za-z_@][\w.@-]*$/u

/** Every field of a record for a table: well-known ones first, then the line's own, by name. */
export function fieldsOf(record: LogRecord): readonly Field[] {
  const { attrs = {}, ...own } = record
  const names = Object.keys(own)
  const first = FIRST.filter((name) => names.includes(name))
  const rest = names.filter((name) => !FIRST.includes(name)).toSorted()
  const attrNames = Object.keys(attrs).toSorted()
  return [
    ...[...first, ...rest].map((name) => fieldOf(name, own[name])),
    ...attrNames.map((name) => fieldOf(name, attrs[name])),
  ]
}

/** Whether counting the field's values says something. */
export function isCountable(name: string): boolean {
  return isQueryable(name) && !NOT_COUNTED.has(name)
}

/** Whether a query can name the field without escapes. */
export function isQueryable(name: string): boolean {
  return QUERYABLE.test(name)
}

function fieldOf(name: string, value: unknown): Field {
  const scalar = typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean'
  const text = scalar ? String(value) : JSON.stringify(value)
  const filtered = scalar && isQueryable(name) && !NOT_FILTERED.has(name)
  return { name, text, value: filtered ? value : null }
}

/** `field:value`, quoted where the value is not one plain word. */
export function filterTerm(name: string, value: string | number | boolean): string {
  const text = String(value)
  const plain = /^[\p{L}\p{N}_][\p{L}\p{N}_.-]*$/u.test(text) && !/^(?:AND|OR|NOT)$/u.test(text)
  return plain ? `${name}:${text}` : `${name}:${quote(text)}`
}

function quote(text: string): string {
  return `"${text.replace(/[\\"]/gu, '\\$&')}"`
}

/** AND-s a term, or its opposite, to a query. One that is there already is left alone or turned round. */
export function addTerm(query: string, term: string, options: { exclude: boolean }): string {
  const wanted = options.exclude ? `NOT ${term}` : term
  const before = query.trim()
  if (before === '') return wanted
  if (/\bOR\b/u.test(before)) return `(${before}) ${wanted}`
  const there = occurrence(before, term)
  if (there === null) return `${before} ${wanted}`
  return before.slice(0, there.start) + wanted + before.slice(there.end)
}

/** Whether a query asks for a term by itself, for its opposite, or neither. */
export function termState(query: string, term: string): 'only' | 'without' | null {
  const there = occurrence(query, term)
  if (there === null || /\bOR\b/u.test(query)) return null
  return query.slice(there.start, there.end).startsWith('NOT ') ? 'without' : 'only'
}

/** The query without a term, or its opposite, that stands by itself. */
export function removeTerm(query: string, term: string): string {
  const there = occurrence(query, term)
  if (there === null) return query
  return `${query.slice(0, there.start).trimEnd()} ${query.slice(there.end).trimStart()}`.trim()
}

/** Where a term, with the NOT before it, stands by itself: between blanks and outside quotes. */
function occurrence(query: string, term: string): { start: number; end: number } | null {
  const literal = term.replace(/[\\^$.*+?()[\]{}|]/gu, '\\$&')
  for (const match of query.matchAll(new RegExp(`(?<=^|\\s)(?:NOT )?${literal}(?=$|\\s)`, 'gu'))) {
    const quotes = query.slice(0, match.index).split('"').length - 1
    if (quotes % 2 === 0) return { start: match.index, end: match.index + match[0].length }
  }
  return null
}
