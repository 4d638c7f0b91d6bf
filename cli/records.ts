import { RECORD_FIELDS } from '../core/record.ts'
import type { PublicRecord } from '../core/record.ts'
import { harmless, write } from './terminal.ts'
import type { Colour, Paint, Terminal } from './terminal.ts'

export const OUTPUTS = ['pretty', 'jsonl', 'csv'] as const
export type Output = (typeof OUTPUTS)[number]

const LEVEL_CHARS = 5
const LEVEL_COLOURS: Readonly<Record<string, Colour>> = {
  fatal: 'red',
  error: 'red',
  warn: 'yellow',
  debug: 'dim',
  trace: 'dim',
}
/** What `pretty` shows behind the message, besides attrs. */
const SHOWN_BEHIND = ['status', 'latency_ms', 'bytes', 'trace', 'version', 'tier'] as const

/** Columns of `csv`, in this order; attrs is one JSON object. */
const CSV_COLUMNS: readonly string[] = [...Object.keys(RECORD_FIELDS), 'attrs']

/** A record as one entry of the output, its line end included. */
export function formatRecord(record: PublicRecord, output: Output, paint: Paint): string {
  if (output === 'jsonl') return jsonLine(record)
  if (output === 'csv') return csvLine(CSV_COLUMNS.map((column) => record[column]))
  return prettyRecord(record, paint)
}

/** What comes before the first record. */
export function recordsHead(output: Output): string {
  return output === 'csv' ? csvLine(CSV_COLUMNS) : ''
}

/** One line of JSON. Characters that JSON allows and a terminal obeys are written as escapes: the value is the same. */
export function jsonLine(value: object): string {
  const json = JSON.stringify(value)
  return `${json.replaceAll(/[\x7f-\x9f\u202a-\u202e\u2066-\u2069]/g, unicodeEscape)}\n`
}

function unicodeEscape(char: string): string {
  return `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`
}

/** Writes formatted data. csv has no escapes of its own: on a terminal its control characters are made harmless. */
export async function writeData(
  { stdout }: Terminal,
  text: string,
  output: Output,
  signal: AbortSignal,
): Promise<void> {
  await write(stdout, output === 'csv' && stdout.isTTY === true ? harmless(text) : text, signal)
}

/** RFC 4180, with the line ends of unix. */
export function csvLine(values: readonly unknown[]): string {
  return `${values.map((value) => csvValue(text(value))).join(',')}\n`
}

function csvValue(value: string): string {
  return /[",\r\n]|^\s|\s$/.test(value) ? `"${value.replaceAll('"', '""')}"` : value
}

function prettyRecord(record: PublicRecord, paint: Paint): string {
  const level = harmless(text(record['level']))
  const time = paint('dim', harmless(text(record['time'])))
  const where = [record['site'], record['host']].map(text).filter(Boolean).join('/')
  const head = [
    time,
    colour(paint, LEVEL_COLOURS[level], level.toUpperCase().padEnd(LEVEL_CHARS)),
    paint('cyan', harmless([where, text(record['service'])].filter(Boolean).join(' '))),
  ].join(' ')
  // Further lines of a message are set in, so that a record is seen as one.
  const message = harmless(text(record['message'])).replaceAll('\n', '\n    ')
  const behind = fieldsBehind(record)
  return `${head} ${message}${behind === '' ? '' : ` ${paint('dim', behind)}`}\n`
}

function fieldsBehind(record: PublicRecord): string {
  const attrs = record['attrs']
  const own = typeof attrs === 'object' && attrs !== null ? Object.entries(attrs) : []
  const named = SHOWN_BEHIND.map((name) => [name, record[name]] as const)
  return [...named, ...own]
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `${harmless(name)}=${fieldValue(value)}`)
    .join(' ')
}

function fieldValue(value: unknown): string {
  const shown = text(value)
  return harmless(/^[^\s"=]+$/.test(shown) ? shown : JSON.stringify(shown))
}

function colour(paint: Paint, colour: Colour | undefined, text: string): string {
  return colour === undefined ? text : paint(colour, text)
}

function text(value: unknown): string {
  if (value === undefined || value === null) return ''
  return typeof value === 'string' ? value : JSON.stringify(value)
}
