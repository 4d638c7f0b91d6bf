import { RE2JS, RE2JSSyntaxException } from 're2js'
import type { LogRecord } from '../record.ts'
import { searchedTexts } from './matches.ts'
import { quoted, syntaxError, tooBroad } from './problems.ts'

/** Longest expression. */
export const GREP_CHARS_MAX = 1_000
/** Characters and classes once every `{m,n}` is written out: bounds the work per character of text. */
const GREP_SIZE_MAX = 1_000

/** Escapes, classes, counts, parentheses, and every other character by itself. */
const PIECE =
  /\((?:\?[a-z-]*:|\?P?<\w+>)?|\\Q.*?(?:\\E|$)|\\[xpP]\{[^}]*\}|\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|\{(?<low>\d+)(?:,(?<high>\d*))?\}|./gsu

/** What RE2 complains of → what it would take. */
const EXPECTED: Readonly<Record<string, string>> = {
  'invalid escape sequence': String.raw`\d \w \s \b and the like, or an escaped punctuation mark`,
  'invalid character class range': 'a class that RE2 knows, and ranges whose end is not before their start',
  'missing closing ]': '"]" at the end of the class',
  'missing closing )': '")" at its end',
  'unexpected )': String.raw`a "(" before it; a literal ")" is written "\)"`,
  'missing argument to repetition operator': 'something to repeat before it',
  'invalid nested repetition operator': 'no second repetition; group it with "( )"',
  'invalid repeat count': '{m,n} with m ≤ n',
  'invalid named capture': 'a plain group "( )"',
  'duplicate capture group name': 'a plain group "( )"',
  'invalid or unsupported Perl syntax': 'no look-around or other extension of RE2 syntax',
  'trailing backslash at end of expression': String.raw`the character that "\" makes literal`,
}

/**
 * The test of the parameter `grep`: is the expression (RE2 syntax, case-sensitive unless it says `(?i)`) found in one of the texts
 * that words search? It may reach across words and blanks, never from one value into the next. Time is linear in the text.
 * Compiled once. Throws QUERY_SYNTAX and QUERY_TOO_BROAD, `details.column` points into `source`.
 */
export function compileGrep(source: string): (record: LogRecord) => boolean {
  const found = compileExpression(source)
  return (record) => searchedTexts(record).some(found)
}

/** Is the expression found in a text? Bounds and errors are those of `compileGrep`. */
export function compileExpression(source: string): (text: string) => boolean {
  if (source === '') throw syntaxError(1, 'an empty expression', 'a regular expression')
  if (source.length > GREP_CHARS_MAX)
    throw tooBroad(GREP_CHARS_MAX + 1, 'the expression is too long', GREP_CHARS_MAX)
  const { size, unbalancedAt } = measure(source)
  if (size > GREP_SIZE_MAX)
    throw tooBroad(1, 'the expression is too large once its repetitions are written out', GREP_SIZE_MAX)
  const regex = compile(source, unbalancedAt)
  return (text) => regex.test(text)
}

/** Sizes up an expression before RE2 writes out its repetitions. `unbalancedAt`: a parenthesis without its partner, if any. */
function measure(source: string): { size: number; unbalancedAt: number | undefined } {
  const groups: { at: number; size: number }[] = []
  let extraAt: number | undefined
  let size = 0
  let last = 0
  for (const { 0: piece, index, groups: count } of source.matchAll(PIECE)) {
    if (piece.startsWith('(')) {
      groups.push({ at: index, size })
      size = 0
    } else if (piece === ')') {
      last = size
      const outer = groups.pop()
      if (outer === undefined) extraAt ??= index
      size += outer?.size ?? 0
    } else if (count?.['low'] !== undefined) {
      size += last * (Math.max(Number(count['low']), Number(count['high'] ?? 0), 1) - 1)
    } else {
      last = piece.startsWith('\\Q') ? piece.length : 1
      size += last
    }
  }
  return {
    size: groups.reduce((sum, outer) => sum + outer.size, size),
    unbalancedAt: extraAt ?? groups.at(-1)?.at,
  }
}

function compile(source: string, unbalancedAt: number | undefined): RE2JS {
  try {
    return RE2JS.compile(source)
  } catch (error) {
    if (!(error instanceof RE2JSSyntaxException)) throw error
    const { error: problem, input } = error
    // RE2JS has bounds of its own.
    if (/too large|too deeply/.test(problem)) throw tooBroad(1, `the ${problem}`, GREP_SIZE_MAX)
    const at = problem.endsWith(')') ? (unbalancedAt ?? 0) : placeOf(source, input ?? '')
    const found = at === source.length ? 'the end of the expression' : quoted(source.slice(at))
    throw syntaxError(at + 1, found, EXPECTED[problem] ?? 'RE2 syntax')
  }
}

/** RE2 names the text that it could not read: the rest of the expression, or a piece of it. */
function placeOf(source: string, piece: string): number {
  return source.endsWith(piece) ? source.length - piece.length : Math.max(source.indexOf(piece), 0)
}
