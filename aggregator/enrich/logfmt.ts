import type { AttrScalar } from '../../core/record.ts'
import { createSink, takeField } from './fields.ts'
import { isLetter } from './time.ts'
import type { Draft } from './draft.ts'
import type { ReadContext } from './time.ts'

/** Fewer pairs are prose with an equals sign in it. */
const PAIRS_MIN = 2
/** A line of more is kept as text: to take it apart would hold up the event loop. */
const PAIRS_MAX = 2_048
const SPACE = 0x20
const EQUALS = 0x3d
const QUOTE = 0x22
const BACKSLASH = 0x5c

/**
 * Reads a line of `key=value` and `key="value"`, with at most one bare word for two pairs; false when it is no such line.
 * A bare word is the key of `true`.
 */
export function readLogfmt(draft: Draft, text: string, read: ReadContext): boolean {
  if (!startsWithPair(text)) return false
  const fields = parsePairs(text)
  if (fields === null) return false
  const sink = createSink(draft, read)
  for (const [key, value] of fields) takeField(sink, key, value)
  return true
}

function startsWithPair(text: string): boolean {
  if (!isLetter(text.charCodeAt(0)) && text.charCodeAt(0) !== 0x40) return false
  return keyEnd(text, 0) > 0
}

/** Index of the `=` behind a key at `at`; 0 when there is no key. */
function keyEnd(text: string, at: number): number {
  let i = at
  while (i < text.length && isKeyCode(text.charCodeAt(i))) i++
  return i > at && text.charCodeAt(i) === EQUALS ? i : 0
}

/** Letters, digits and `_ - . @ / $`. */
function isKeyCode(code: number): boolean {
  return isLetter(code) || (code >= 0x2d && code <= 0x39) || code === 0x5f || code === 0x40 || code === 0x24
}

function parsePairs(text: string): [string, AttrScalar][] | null {
  const fields: [string, AttrScalar][] = []
  let bare = 0
  for (let at = 0; at < text.length;) {
    if (text.charCodeAt(at) === SPACE) {
      at++
      continue
    }
    const equals = keyEnd(text, at)
    const valueAt = equals > 0 ? equals + 1 : at
    const end = valueEnd(text, valueAt)
    if (end < 0) return null
    if (equals > 0) fields.push([text.slice(at, equals), valueOf(text, valueAt, end)])
    else {
      bare += 1
      fields.push([text.slice(at, end), true])
    }
    // Prose soon shows.
    if (bare * PAIRS_MIN > fields.length || fields.length > PAIRS_MAX) return null
    at = end
  }
  const pairs = fields.length - bare
  return pairs >= PAIRS_MIN && bare * PAIRS_MIN <= pairs ? fields : null
}

/** Index behind the value; -1 when its quote is not closed, or something is glued to it. */
function valueEnd(text: string, at: number): number {
  if (text.charCodeAt(at) !== QUOTE) {
    const end = text.indexOf(' ', at)
    return end < 0 ? text.length : end
  }
  let end = text.indexOf('"', at + 1)
  while (end > 0 && isEscaped(text, end)) end = text.indexOf('"', end + 1)
  if (end < 0) return -1
  return end + 1 === text.length || text.charCodeAt(end + 1) === SPACE ? end + 1 : -1
}

function isEscaped(text: string, at: number): boolean {
  let backslashes = 0
  while (text.charCodeAt(at - 1 - backslashes) === BACKSLASH) backslashes++
  return backslashes % 2 === 1
}

function valueOf(text: string, at: number, end: number): AttrScalar {
  if (text.charCodeAt(at) === QUOTE) return unquoted(text.slice(at, end))
  return scalarOf(text.slice(at, end))
}

/** The text in quotes; with a backslash in it, as JSON has it, or as it stands. */
function unquoted(quoted: string): string {
  if (!quoted.includes('\\')) return quoted.slice(1, -1)
  try {
    return String(JSON.parse(quoted))
  } catch {
    return quoted.slice(1, -1)
  }
}

/** A number when it prints as it was written; else the text. */
function scalarOf(text: string): string | number {
  const code = text.charCodeAt(0)
  if (text.length === 0 || text.length > 16 || code > 0x39 || code < 0x2d) return text
  const number = Number(text)
  return Number.isFinite(number) && String(number) === text ? number : text
}
