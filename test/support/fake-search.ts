import type { ServerResponse } from 'node:http'
import { completeQuery } from '../../core/query/complete.ts'
import type { AnswerMeta, LogRecord } from '../../dashboards/src/api.ts'

/** What the scripted server found for a question, newest first, and what it says of that. */
export interface FoundRecords {
  readonly records: readonly LogRecord[]
  readonly meta: AnswerMeta
}

const TREND_MS = 60_000
const READING_MS = 300

/** Answers about records beside the records themselves; null: no such path. `all`: everything that is held. */
export function answerAbout(
  { pathname, searchParams: asked }: URL,
  { found, all }: { found: () => FoundRecords; all: readonly LogRecord[] },
): object | null {
  switch (pathname) {
    case '/v1/top':
      return topAnswer(found(), asked.get('field') ?? '', Number(asked.get('limit') ?? 10))
    case '/v1/fields':
      return fieldsAnswer(found())
    case '/v1/patterns':
      return patternsAnswer(found())
    case '/v1/context':
      return contextAnswer(found(), all, asked)
    case '/v1/complete':
      return completeQuery(asked.get('q') ?? '', Number(asked.get('cursor') ?? 0))
    default:
      return null
  }
}

function valueOf(record: LogRecord, field: string): string | undefined {
  const value = record[field] ?? record.attrs?.[field]
  return typeof value === 'string' || typeof value === 'number' ? String(value) : undefined
}

function topAnswer({ records, meta }: FoundRecords, field: string, limit: number): object {
  const counts = new Map<string, { count: number; first: string; last: string }>()
  let having = 0
  for (const record of records) {
    const value = valueOf(record, field)
    if (value === undefined) continue
    having += 1
    const before = counts.get(value)
    counts.set(value, {
      count: (before?.count ?? 0) + 1,
      first: record.time,
      last: before?.last ?? record.time,
    })
  }
  const values = [...counts]
    .map(([value, counted]) => ({ value, share: counted.count / having, ...counted }))
    .toSorted((a, b) => b.count - a.count)
  const facts = { matched: records.length, having, distinct: values.length, approximate: false }
  return { field, values: values.slice(0, limit), ...facts, meta }
}

function fieldsAnswer({ records, meta }: FoundRecords): object {
  const counts = new Map<string, number>()
  for (const { attrs = {}, ...own } of records) {
    for (const name of [...Object.keys(own), ...Object.keys(attrs)])
      counts.set(name, (counts.get(name) ?? 0) + 1)
  }
  const fields = [...counts].map(([name, count]) => ({
    name,
    types: ['string'],
    share: count / records.length,
    distinct: count,
    examples: [],
  }))
  return { fields, fieldsTotal: fields.length, sampled: records.length, meta }
}

/** Numbers are the variable parts of the messages here. */
function patternsAnswer({ records, meta }: FoundRecords): object {
  const groups = Map.groupBy(records, ({ message = '' }) => message.replaceAll(/\d+/g, '<n>'))
  const patterns = [...groups]
    .map(([template, members]) => ({
      pattern: template === '' ? '' : `p${Buffer.from(template).toString('hex').slice(0, 12)}`,
      template,
      count: members.length,
      share: members.length / records.length,
      first: members.at(-1)?.time,
      last: members[0]?.time,
      trend: trendOf(members),
      example: members[0],
    }))
    .toSorted((a, b) => b.count - a.count)
  return { patterns, distinct: patterns.length, matched: records.length, intervalMs: TREND_MS, meta }
}

function trendOf(records: readonly LogRecord[]): readonly object[] {
  const groups = Map.groupBy(records, ({ time }) => Math.floor(Date.parse(time) / TREND_MS) * TREND_MS)
  return [...groups]
    .toSorted(([a], [b]) => a - b)
    .map(([startMs, members]) => ({ start: new Date(startMs).toISOString(), count: members.length }))
}

function contextAnswer({ meta }: FoundRecords, all: readonly LogRecord[], asked: URLSearchParams): object {
  const record = all.find(({ id }) => id === asked.get('id'))
  const field = asked.get('of') === 'host' ? 'host' : 'path'
  const same = all
    .filter((other) => record !== undefined && other[field] === record[field])
    .toSorted((a, b) => a.time.localeCompare(b.time))
  const at = same.findIndex(({ id }) => id === record?.id)
  const before = same.slice(Math.max(0, at - Number(asked.get('before'))), at)
  return { before, record, after: same.slice(at + 1, at + 1 + Number(asked.get('after'))), meta }
}

/** How a scripted export ends: whole, with an error as its last line, or with nothing more at all. */
export type ExportEnding = 'whole' | 'error' | 'broken'

export function sendExport(
  response: ServerResponse,
  { records, meta }: FoundRecords,
  ending: ExportEnding,
): void {
  response.writeHead(200, { 'content-type': 'application/x-ndjson' })
  response.write(`${JSON.stringify({ plan: { query: meta.query } })}\n`)
  const sent = ending === 'whole' ? records : records.slice(0, Math.floor(records.length / 2))
  response.write(sent.map((record) => `${JSON.stringify(record)}\n`).join(''))
  if (ending === 'whole') response.end(`${JSON.stringify({ meta })}\n`)
  else {
    const last =
      ending === 'error'
        ? `${JSON.stringify({ error: { detail: 'the store cannot answer now' } })}\n`
        : '{"id":"ha'
    // What a client has not read when a connection breaks is lost to it: it gets the time to read.
    response.write(last, () => setTimeout(() => response.destroy(), READING_MS))
  }
}
