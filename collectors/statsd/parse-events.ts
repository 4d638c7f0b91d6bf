import type { StatsdEvent, StatsdServiceCheck } from './aggregation.ts'
import { addTags, joined, printable } from './tags.ts'

const EVENT_HEAD = /^_e\{(\d{1,5}),(\d{1,5})\}:/
const CHECK_HEAD = '_sc|'
const ALERT_TYPES = ['error', 'warning', 'info', 'success'] as const
const STATUSES = ['0', '1', '2', '3'] as const
/** JavaScript's last day. */
const TIME_MS_MAX = 8.64e15

/** `_e{title bytes,text bytes}:title|text|d:time|h:host|k:key|p:priority|s:source|t:alert type|#tags`, else what is wrong. */
export function parseEvent(line: Buffer): StatsdEvent | string {
  const head = EVENT_HEAD.exec(line.toString('latin1'))
  if (head === null) return 'the event has no lengths'
  const body = line.subarray(head[0].length)
  const lengths = [Number(head[1]), Number(head[2])] as const
  // Some clients count characters instead of bytes.
  const parts = splitBytes(body, ...lengths) ?? splitText(body.toString('utf8'), ...lengths)
  if (parts === null) return 'the lengths of the event are wrong'
  const { fields, tags } = parseFields(parts.rest)
  const alertType = fields.get('t')
  return {
    title: printable(unescaped(parts.title)),
    text: printableText(unescaped(parts.text)),
    alertType: ALERT_TYPES.find((known) => known === alertType) ?? 'info',
    priority: fields.get('p') === 'low' ? 'low' : 'normal',
    atMs: timeOf(fields.get('d')),
    hostname: fields.get('h') ?? null,
    aggregationKey: fields.get('k') ?? null,
    sourceType: fields.get('s') ?? null,
    tags,
  }
}

/** `_sc|name|status|d:time|h:host|#tags|m:message`, else what is wrong. */
export function parseServiceCheck(line: Buffer): StatsdServiceCheck | string {
  const [name = '', status, ...rest] = line.toString('utf8').slice(CHECK_HEAD.length).split('|')
  if (name === '') return 'the service check has no name'
  const known = STATUSES.findIndex((one) => one === status)
  if (known < 0) return 'the status of the service check is not 0 to 3'
  const { fields, tags } = parseFields(rest)
  return {
    name: printable(name),
    status: known as StatsdServiceCheck['status'],
    message: printableText(unescaped(fields.get('m') ?? '').replaceAll('m\\:', 'm:')),
    atMs: timeOf(fields.get('d')),
    hostname: fields.get('h') ?? null,
    tags,
  }
}

interface EventParts {
  readonly title: string
  readonly text: string
  readonly rest: readonly string[]
}

function splitBytes(body: Buffer, titleBytes: number, textBytes: number): EventParts | null {
  const textStart = titleBytes + 1
  const textEnd = textStart + textBytes
  if (body.length < textEnd || body[titleBytes] !== 0x7c) return null
  if (body.length > textEnd && body[textEnd] !== 0x7c) return null
  return {
    title: body.toString('utf8', 0, titleBytes),
    text: body.toString('utf8', textStart, textEnd),
    rest: body.toString('utf8', textEnd).split('|').slice(1),
  }
}

function splitText(body: string, titleChars: number, textChars: number): EventParts | null {
  const textStart = titleChars + 1
  const textEnd = textStart + textChars
  if (body.length < textEnd || body[titleChars] !== '|') return null
  if (body.length > textEnd && body[textEnd] !== '|') return null
  return {
    title: body.slice(0, titleChars),
    text: body.slice(textStart, textEnd),
    rest: body.slice(textEnd).split('|').slice(1),
  }
}

/** `k:value` fields, but `m` is printed with its newlines; `#a:b,c` are tags; others are extensions for others. */
function parseFields(parts: readonly string[]) {
  const fields = new Map<string, string>()
  const tags = new Map<string, string[]>()
  for (const part of parts) {
    if (part.startsWith('#')) addTags(tags, printable(part.slice(1)), ':')
    else if (part[1] === ':') {
      const value = part.slice(2)
      fields.set(part.slice(0, 1), part.startsWith('m') ? value : printable(value))
    }
  }
  const named = [...tags].map(([name, values]) => [name, joined(values, { count: 0 })] as const)
  return { fields, tags: Object.fromEntries(named) }
}

function unescaped(text: string): string {
  return text.replaceAll('\\n', '\n')
}

function printableText(text: string): string {
  return text.split('\n').map(printable).join('\n')
}

function timeOf(seconds: string | undefined): number | null {
  const ms = /^\d+$/.test(seconds ?? '') ? Number(seconds) * 1000 : Number.NaN
  return ms <= TIME_MS_MAX ? ms : null
}
