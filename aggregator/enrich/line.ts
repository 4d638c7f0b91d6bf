import { messageOf } from '../../core/errors.ts'
import { readAccess } from './access.ts'
import { createDraft, setAttr, type Draft } from './draft.ts'
import { setLevel, setTime } from './fields.ts'
import { readHeader, readLevelFirst } from './header.ts'
import { readJson } from './json.ts'
import { readLogfmt } from './logfmt.ts'
import { hasProcessTag, readPriority, readRfc5424, readTag } from './syslog.ts'
import {
  digits,
  isDigit,
  isLetter,
  readDayTime,
  readIso,
  readTime,
  resolveYear,
  type ReadContext,
  type TimeRead,
} from './time.ts'

/** A longer line is kept as plain text: taking 256 KiB with 25,000 keys apart held the event loop for 33 ms; 10 ms are allowed. */
const FIELDS_LINE_CHARS_MAX = 64 << 10
/** A wrapper (syslog, a container runtime) may wrap a wrapped line once more. */
const WRAPPED_MAX = 2

const BRACE = 0x7b
const LESS = 0x3c
const OPEN = 0x5b
const CLOSE = 0x5d

/** Where a line was read, and on which host. */
export interface LineContext extends ReadContext {
  readonly host: string
}

/**
 * Takes a line apart, whatever its format. Never throws: a fault of ours in one format must not hold up the batch and everything
 * behind it, so such a line stays plain text and says so in `reading_failed`.
 */
export function readLine(text: string, context: LineContext): Draft {
  const draft = createDraft(text)
  if (text.length === 0 || text.length > FIELDS_LINE_CHARS_MAX) return draft
  try {
    readAny(draft, text, context, 0)
    return draft
  } catch (error) {
    const plain = createDraft(text)
    setAttr(plain, 'reading_failed', messageOf(error))
    return plain
  }
}

/** The formats in order: the ones that cannot be mistaken for another come first. */
function readAny(draft: Draft, text: string, context: LineContext, depth: number): void {
  draft.message = text
  const first = text.charCodeAt(0)
  if (first === BRACE && readJson(draft, text, context)) return readDocker(draft, text, context, depth)
  if (first === LESS && readPrioritised(draft, text, context, depth)) return
  const time = depth === 0 ? timeAtStart(text, context) : readIso(text, 0, context)
  if (time !== null) {
    setTime(draft, time.ms, text.slice(first === OPEN ? 1 : 0, time.end))
    readTimed(draft, text, time, context, depth)
  } else if (!readGlog(draft, text, context)) readUntimed(draft, text, context)
}

function readUntimed(draft: Draft, text: string, context: LineContext): void {
  if (readAccess(draft, text, context) || readLogfmt(draft, text, context)) return
  readLevelFirst(draft, text)
}

function timeAtStart(text: string, context: LineContext): TimeRead | null {
  const first = text.charCodeAt(0)
  if (isDigit(first)) return readTime(text, 0, context)
  if (first === OPEN) return readTime(text, 1, context)
  if (!isLetter(first)) return null
  // Ruby: `I, [2026-11-21T06:25:01.123456 #1234]  INFO -- : text`.
  if (text.charCodeAt(1) === 0x2c && text.charCodeAt(3) === OPEN) return readIso(text, 4, context)
  return readTime(text, 0, context)
}

/** What stands behind a time: a level in its place, a container runtime's stream, syslog's host and program, or the message. */
function readTimed(draft: Draft, text: string, time: TimeRead, context: LineContext, depth: number): void {
  const at = text.charCodeAt(time.end) === CLOSE ? time.end + 1 : time.end
  const behindHeader = readHeader(draft, text, at)
  if (behindHeader >= 0) return readRest(draft, text, behindHeader, context)
  const wrapped = readStream(draft, text, at)
  if (wrapped >= 0) return readInner(draft, text, wrapped, context, depth)
  const named = isLetter(text.charCodeAt(0)) && at === time.end
  const tagged = named || time.offset || hasProcessTag(text, at) ? readTag(draft, text, at, context.host) : -1
  if (tagged >= 0) return readInner(draft, text, tagged, context, depth)
  readRest(draft, text, at, context)
}

/** The message behind a header, which may be an object or pairs. */
function readRest(draft: Draft, text: string, at: number, context: LineContext): void {
  const rest = text.slice(at).trimStart()
  if (rest === '') return
  draft.message = rest
  if (rest.charCodeAt(0) !== BRACE || !readJson(draft, rest, context)) readLogfmt(draft, rest, context)
}

/** A line inside another one. */
function readInner(draft: Draft, text: string, at: number, context: LineContext, depth: number): void {
  const inner = text.slice(at)
  if (depth + 1 < WRAPPED_MAX && inner !== '') readAny(draft, inner, context, depth + 1)
  else draft.message = inner
}

function readPrioritised(draft: Draft, text: string, context: LineContext, depth: number): boolean {
  const at = readPriority(draft, text)
  if (at === 0) return false
  const messageAt = readRfc5424(draft, text, at, context, context.host)
  if (messageAt >= 0) {
    readInner(draft, text, messageAt, context, depth)
    return true
  }
  const time = readTime(text, at, context)
  if (time !== null) setTime(draft, time.ms, text.slice(at, time.end))
  const tagged = readTag(draft, text, time?.end ?? at, context.host)
  if (tagged >= 0) readInner(draft, text, tagged, context, depth)
  else readRest(draft, text, time?.end ?? at, context)
  return true
}

/** Docker's json-file: `{"log":"a line\\n","stream":"stdout","time":"…"}`. The line is taken apart too. */
function readDocker(draft: Draft, text: string, context: LineContext, depth: number): void {
  if (!text.startsWith('{"log":"') || !Object.hasOwn(draft.attrs, 'stream')) return
  const { message } = draft
  readInner(draft, message.endsWith('\n') ? message.slice(0, -1) : message, 0, context, depth)
}

/** Container runtimes (CRI): `<time> stdout F text`; P marks a part of a longer line. */
const STREAM = / (stdout|stderr) ([FP])(?::\S*)? ?/y

function readStream(draft: Draft, text: string, at: number): number {
  STREAM.lastIndex = at
  const match = STREAM.exec(text)
  if (match === null) return -1
  setAttr(draft, 'stream', match[1] ?? '')
  if (match[2] === 'P') setAttr(draft, 'partial', true)
  return STREAM.lastIndex
}

const GLOG_LEVELS: Readonly<Record<string, string>> = { I: 'INFO', W: 'WARN', E: 'ERROR', F: 'FATAL' }
const GLOG_BEHIND = / +(\d+) (\S+:\d+)\] ?/y

/** glog and klog: `I1121 06:25:01.123456    1234 file.go:12] text`. */
function readGlog(draft: Draft, text: string, context: LineContext): boolean {
  const level = GLOG_LEVELS[text.charAt(0)]
  if (level === undefined || text.charCodeAt(5) !== 0x20) return false
  const clock = readDayTime(text, 6)
  if (clock === null) return false
  GLOG_BEHIND.lastIndex = clock.end
  const behind = GLOG_BEHIND.exec(text)
  const ms = resolveYear(digits(text, 1, 2), digits(text, 3, 2), clock.ms, context)
  if (behind === null || ms === null) return false
  setTime(draft, ms, text.slice(1, clock.end))
  setLevel(draft, level)
  setAttr(draft, 'pid', Number(behind[1]))
  setAttr(draft, 'logger', behind[2] ?? '')
  draft.message = text.slice(GLOG_BEHIND.lastIndex)
  return true
}
