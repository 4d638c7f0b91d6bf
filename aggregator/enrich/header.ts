import { setAttr, type Draft } from './draft.ts'
import { setLevel } from './fields.ts'
import { levelOfToken, levelOfWord } from './levels.ts'

/** What programs put between the time and the level, at most: zone, process, thread, session, logger and dashes. */
const TOKENS_BEFORE_LEVEL_MAX = 8
/** A longer first part of a line is no header. */
const HEADER_CHARS_MAX = 512

/** A group in brackets (which may hold one more pair), or a word. */
const TOKEN = /[ \t]*(?:\[((?:[^[\]]|\[[^\]]*\])*)\]|([^\s[]+))/y
const DASH = /^(?:[-|*]|--|---|::)$/
const DASH_NEXT = /[ \t]+[-|][ \t]/y
const PROCESS = /^#?(\d+)(?:#\d+)?[\]:]?$/
const ZONE = /^[A-Z]{3,5}$/
const LOGGER_NAME = /^[A-Za-z_][\w.$:/-]*$/

/** Behind the level: `12345 --- `, `1234#0: `. */
const PROCESS_BEHIND = /(\d+)(?:#\d+)?(?:[ \t]+---|:)[ \t]*/y
/** `[thread] - `, or `[thread] ` in front of a logger. */
const THREAD_BEHIND = /\[((?:[^[\]]|\[[^\]]*\])*)\][ \t]*(-[ \t]+)?/y
/** `com.example.Orders: `, `c.e.Orders - `, `my_crate::db] `; one without a dot is only believed behind a thread. */
const LOGGER_BEHIND =
  /([A-Za-z_][\w$-]*(?:(?:\.|::|\$|\/)[\w$.:/-]*[\w$])?)(?:[ \t]*:[ \t]+|[ \t]+[-|][ \t]+|\][ \t]+)/y
const SEPARATOR_BEHIND = /[ \t]*(?:\][ \t]*)?(?:[:|][ \t]+|-{1,2}[ \t]+)*[ \t]*/y

interface Header {
  pid: string
  thread: string
  logger: string
  session: string
  zone: string
}

const emptyHeader = (): Header => ({ pid: '', thread: '', logger: '', session: '', zone: '' })

/**
 * Reads `[thread] LEVEL logger - ` and its kin at `at`, behind a time: log4j, logback, Spring, Python, Rust, nginx, PostgreSQL, MySQL, ….
 * Returns where the message starts; -1, and nothing is changed, when there is no level in its place.
 */
export function readHeader(draft: Draft, text: string, at: number): number {
  const header = emptyHeader()
  const level = findLevel(text, at, header)
  if (level === null) return -1
  setLevel(draft, level.word)
  let next = skip(SEPARATOR_BEHIND, text, level.end)
  next = readBehind(text, next, header)
  putHeader(draft, header)
  return next
}

function findLevel(text: string, from: number, header: Header): { word: string; end: number } | null {
  let at = from
  for (let n = 0; n < TOKENS_BEFORE_LEVEL_MAX && at - from < HEADER_CHARS_MAX; n++) {
    TOKEN.lastIndex = at
    const token = TOKEN.exec(text)
    if (token === null) return null
    const [, group, word = ''] = token
    const end = TOKEN.lastIndex
    const levelWord = group === undefined ? levelInWord(word) : levelInGroup(group)
    if (levelWord !== '') return { word: levelWord, end }
    if (group !== undefined) takeGroup(group, header)
    else if (!takeWord(text, word, end, n, header)) return null
    at = end
  }
  return null
}

/** `INFO`, `INFO:`, `ERROR]`; PostgreSQL's everyday `LOG:`. */
function levelInWord(word: string): string {
  if (levelOfToken(word) !== '') return word
  if (word === 'LOG:') return 'LOG'
  const bare = /[:\],|]$/.test(word) ? word.slice(0, -1) : ''
  return levelOfToken(bare) === '' ? '' : bare
}

/** `[error]`, `[INFO ]`, Apache's `[core:error]`. */
function levelInGroup(group: string): string {
  const word = group.slice(group.lastIndexOf(':') + 1).trim()
  return word.length > 2 && levelOfWord(word) !== '' ? word : ''
}

function takeGroup(group: string, header: Header): void {
  if (/^\d+$/.test(group)) header.pid = group
  else header.thread = group.trim()
}

/** False when the word does not belong into a header. */
function takeWord(text: string, word: string, end: number, n: number, header: Header): boolean {
  if (DASH.test(word)) return true
  const process = PROCESS.exec(word)
  if (process !== null) header.pid = process[1] ?? ''
  else if (word.includes('@')) header.session = word
  else if (LOGGER_NAME.test(word) && skip(DASH_NEXT, text, end) > end) header.logger = word
  else if (n === 0 && ZONE.test(word)) header.zone = word
  else return false
  return true
}

function readBehind(text: string, at: number, header: Header): number {
  let next = at
  PROCESS_BEHIND.lastIndex = at
  const process = PROCESS_BEHIND.exec(text)
  if (process !== null) {
    header.pid = process[1] ?? ''
    next = PROCESS_BEHIND.lastIndex
  }
  THREAD_BEHIND.lastIndex = next
  const thread = THREAD_BEHIND.exec(text)
  const behindThread = thread === null ? next : THREAD_BEHIND.lastIndex
  LOGGER_BEHIND.lastIndex = behindThread
  const logger = LOGGER_BEHIND.exec(text)
  const named = logger !== null && (header.thread !== '' || thread !== null || /[.$:/]/.test(logger[1] ?? ''))
  if (named) header.logger = logger[1] ?? ''
  if (thread !== null && (named || thread[2] !== undefined)) {
    header.thread = thread[1]?.trim() ?? ''
    next = behindThread
  }
  return named ? LOGGER_BEHIND.lastIndex : next
}

function skip(pattern: RegExp, text: string, at: number): number {
  pattern.lastIndex = at
  return pattern.test(text) ? pattern.lastIndex : at
}

function putHeader(draft: Draft, header: Header): void {
  if (header.pid !== '') setAttr(draft, 'pid', Number(header.pid))
  if (header.thread !== '') setAttr(draft, 'thread', header.thread)
  if (header.logger !== '') setAttr(draft, 'logger', header.logger)
  if (header.session !== '') setAttr(draft, 'session', header.session)
  if (header.zone !== '') setAttr(draft, 'zone', header.zone)
}

/** `ERROR: text`, `WARN text`, `[error] text`, `INFO:logger:text`. */
const LEVEL_FIRST = /^(?:\[([A-Za-z]{3,13}) ?\]|([A-Z]{3,13})(?=[:|]|[ \t]|$))/
const PYTHON_LOGGER = /:([\w.]{1,128}):/y

/** A level at the very start of a line without a time: the message is what stands behind it. */
export function readLevelFirst(draft: Draft, text: string): void {
  const match = LEVEL_FIRST.exec(text)
  if (match === null) return
  const [whole, group, word = ''] = match
  if (group === undefined && levelOfToken(word) === '') return
  if (!setLevel(draft, group ?? word)) return
  const header = emptyHeader()
  PYTHON_LOGGER.lastIndex = whole.length
  header.logger = PYTHON_LOGGER.exec(text)?.[1] ?? ''
  const next = header.logger === '' ? skip(SEPARATOR_BEHIND, text, whole.length) : PYTHON_LOGGER.lastIndex
  draft.message = text.slice(header.logger === '' ? readBehind(text, next, header) : next)
  putHeader(draft, header)
}
