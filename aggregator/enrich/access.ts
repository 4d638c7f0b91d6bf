import { putAttr, setAttr, type Draft } from './draft.ts'
import { createSink, durationMs, setTime, takeField } from './fields.ts'
import { digits, readTime, type ReadContext } from './time.ts'

/** The date of an access log stands within the first so many characters. */
const DATE_AT_MAX = 512
/** Behind the status no more is read; the message holds it all. */
const REST_CHARS_MAX = 8 << 10
const SECONDS_MS = 1_000
const MICROSECONDS_MS = 1e-3

/** `[date] "request" status bytes` and what servers add: referrer, agent, more in quotes, a latency, `key=value`. */
const HEAD = /^(?:(\S+) )?(\S+) (\S+) (.+?) $/
const REQUEST = /^([A-Z]{1,20}) (\S+)(?: ([A-Z]+\/[\d.]+))?$/
const REST_PART = /"((?:[^"\\]|\\.)*)"|(\S+)/g

/**
 * Reads a line of the common or combined log format (Apache, nginx, …); false when it is none. The message stays the whole line.
 * Level by status: 5xx error, 4xx warn, else info.
 */
export function readAccess(draft: Draft, text: string, read: ReadContext): boolean {
  const open = text.indexOf('[')
  if (open < 5 || open > DATE_AT_MAX || text.charCodeAt(open + 3) !== 0x2f) return false
  const head = HEAD.exec(text.slice(0, open))
  const time = readTime(text, open + 1, read)
  if (head === null || time === null || !text.startsWith('] "', time.end)) return false
  const requestAt = time.end + 3
  const requestEnd = closingQuote(text, requestAt)
  if (requestEnd < 0) return false
  const status = digits(text, requestEnd + 2, 3)
  if (status < 100 || status > 599) return false
  setTime(draft, time.ms, text.slice(open + 1, time.end))
  draft.status = status
  draft.level = status >= 500 ? 'error' : status >= 400 ? 'warn' : 'info'
  putPresent(draft, 'vhost', head[1])
  putPresent(draft, 'client', head[2])
  putPresent(draft, 'user', head[4])
  readRequest(draft, text.slice(requestAt, requestEnd))
  readRest(draft, text.slice(requestEnd + 5, requestEnd + 5 + REST_CHARS_MAX).trim(), read)
  return true
}

/** Index of the quote that ends what starts at `at`; -1 when there is none. */
function closingQuote(text: string, at: number): number {
  let end = text.indexOf('"', at)
  while (end > at && text.charCodeAt(end - 1) === 0x5c) end = text.indexOf('"', end + 1)
  return end
}

function readRequest(draft: Draft, request: string): void {
  const parts = REQUEST.exec(request)
  if (parts === null) return putPresent(draft, 'request', request)
  putPresent(draft, 'method', parts[1])
  putPresent(draft, 'url', parts[2])
  putPresent(draft, 'protocol', parts[3])
}

function readRest(draft: Draft, rest: string, read: ReadContext): void {
  const quoted = ['referrer', 'user_agent']
  let first = true
  const sink = createSink(draft, read)
  for (const [, inQuotes, word] of rest.matchAll(REST_PART)) {
    if (inQuotes !== undefined) putPresent(draft, quoted.shift() ?? 'extra', inQuotes)
    else if (word === undefined) continue
    else if (first) readBytes(draft, word)
    else if (!readExtra(draft, word)) putPair(word)
    first = false
  }

  function putPair(word: string) {
    const equals = word.indexOf('=')
    if (equals > 0) takeField(sink, word.slice(0, equals), word.slice(equals + 1).replaceAll('"', ''))
    else putPresent(draft, 'extra', word)
  }
}

function readBytes(draft: Draft, word: string): void {
  const bytes = /^\d{1,15}$/.test(word) ? Number(word) : null
  if (bytes === null) putPresent(draft, 'extra', word)
  else draft.bytes = bytes
}

/** nginx writes seconds with decimals, Apache whole microseconds; others bring a unit. */
function readExtra(draft: Draft, word: string): boolean {
  const ms =
    draft.latencyMs === null
      ? durationMs(word, word.includes('.') ? SECONDS_MS : MICROSECONDS_MS)
      : Number.NaN
  if (Number.isNaN(ms)) return false
  draft.latencyMs = ms
  return true
}

function putPresent(draft: Draft, key: string, value: string | undefined): void {
  if (value === undefined || value === '-' || value === '') return
  if (key === 'extra') putAttr(draft, key, value)
  else setAttr(draft, key, value)
}
