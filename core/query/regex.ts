import { RE2JS } from 're2js'
import { quoted, syntaxError, tooBroad } from './problems.ts'
import { isTokenChar, lowerCase } from './tokenize.ts'

/**
 * The regular expressions of the query language: literals, `.` (any character, also a newline), classes, groups, `|`, `* + ? {m,n}`, `\d \w \s`.
 * They always cover a whole token or value. A plan holds them in canonical form, which RE2 (with its flag `s`) and RE2JS read as it is;
 * for another engine, render the tree.
 */
export type RegexNode =
  | { readonly type: 'char'; readonly char: string }
  | { readonly type: 'any' }
  | { readonly type: 'class'; readonly negated: boolean; readonly ranges: readonly CharRange[] }
  | { readonly type: 'sequence'; readonly nodes: readonly RegexNode[] }
  | { readonly type: 'choice'; readonly nodes: readonly RegexNode[] }
  /** `max` null: as often as it likes. */
  | { readonly type: 'repeat'; readonly node: RegexNode; readonly min: number; readonly max: number | null }

/** Code points, both ends included. */
type CharRange = readonly [from: number, to: number]

/** RE2 refuses to repeat more often than 1,000 times; nobody needs as much. */
export const REGEX_REPEAT_MAX = 255
/** Characters and classes once every `{m,n}` is written out: bounds the work per character of text. */
export const REGEX_SIZE_MAX = 1_000
/**
 * What one pattern may be expanded to by its own text: wildcards of one word, alternatives of one regex. What it expands to among
 * the stored words cannot count, as a query would then be refused by what is stored, and not alike in every store.
 */
export const EXPANSIONS_MAX = 128
/** Groups inside groups. */
const REGEX_DEPTH_MAX = 32

const CLASSES: Readonly<Record<string, readonly CharRange[]>> = {
  d: [[0x30, 0x39]],
  w: [
    [0x30, 0x39],
    [0x41, 0x5a],
    [0x5f, 0x5f],
    [0x61, 0x7a],
  ],
  s: [
    [0x09, 0x0d],
    [0x20, 0x20],
  ],
}
const CONTROLS: Readonly<Record<string, string>> = { n: '\n', r: '\r', t: '\t' }

interface Reader {
  readonly source: string
  /** Column of the first character of `source` in the query. */
  readonly column: number
  readonly lower: boolean
  readonly tokens: boolean
  readonly depthMax: number
  at: number
  depth: number
}

export interface RegexOptions {
  /** Column of the regex in the query, for errors. */
  readonly column?: number
  /** It is meant for tokens: letters are lower-cased, separators are refused. */
  readonly tokens?: boolean
  /** It is meant for lower-cased values: letters are lower-cased. */
  readonly lower?: boolean
}

/** The tree of a regex. Throws QUERY_SYNTAX, QUERY_TOO_BROAD. */
export function parseRegex(source: string, options: RegexOptions = {}): RegexNode {
  const { column = 1 } = options
  const node = readTree(source, options, REGEX_DEPTH_MAX)
  if (sizeOf(node) > REGEX_SIZE_MAX)
    throw tooBroad(column, 'the pattern is too large once its repetitions are written out', REGEX_SIZE_MAX)
  if (alternativesOf(node) > EXPANSIONS_MAX)
    throw tooBroad(column, 'too many alternatives once they are written out', EXPANSIONS_MAX)
  return node
}

/** How many characters and classes a regex in canonical form has once every `{m,n}` is written out. */
export function regexSize(source: string): number {
  return sizeOf(readCanonical(source))
}

function readTree(source: string, options: RegexOptions, depthMax: number): RegexNode {
  const { column = 1, tokens = false, lower = tokens } = options
  const reader: Reader = { source, column, lower, tokens, depthMax, at: 0, depth: 0 }
  const node = readChoice(reader)
  if (reader.at < source.length) throw problem(reader, 'a character; a literal ")" is written "\\)"')
  return node
}

/** A plan was bounded when it was made. Its form may have one group more, around alternatives that had none. */
function readCanonical(source: string): RegexNode {
  return readTree(source, {}, REGEX_DEPTH_MAX + 1)
}

/** The canonical form of a tree. */
export function renderRegex(node: RegexNode): string {
  if (node.type === 'char') return escapeRegex(node.char)
  if (node.type === 'any') return '.'
  if (node.type === 'class') return `[${node.negated ? '^' : ''}${node.ranges.map(renderRange).join('')}]`
  if (node.type === 'sequence') return node.nodes.map((part) => renderRegex(part)).join('')
  if (node.type === 'choice') return `(${node.nodes.map((part) => renderRegex(part)).join('|')})`
  const inner = renderRegex(node.node)
  const grouped = node.node.type === 'sequence' || node.node.type === 'repeat' ? `(${inner})` : inner
  return grouped + renderCount(node.min, node.max)
}

/** A text as a regex that matches just that. */
export function escapeRegex(text: string): string {
  return text.replaceAll(/[\\.+*?()|[\]{}^$]/g, String.raw`\$&`)
}

/** Does a regex in canonical form cover the whole of a text? Time is linear in the text, whatever the regex. */
export function compileRegex(source: string): (text: string) => boolean {
  const simple = simpleMatcher(readCanonical(source))
  if (simple !== null) return simple
  const compiled = RE2JS.compile(source, RE2JS.DOTALL)
  return (text) => compiled.testExact(text)
}

/** `abc`, `abc.*`, `.*abc`, `.*abc.*`: most wildcards, without an engine. */
function simpleMatcher(node: RegexNode): ((text: string) => boolean) | null {
  const nodes = node.type === 'sequence' ? [...node.nodes] : [node]
  const openStart = isAnything(nodes[0])
  if (openStart) nodes.shift()
  const openEnd = isAnything(nodes.at(-1))
  if (openEnd) nodes.pop()
  let literal = ''
  for (const part of nodes) {
    if (part.type !== 'char') return null
    literal += part.char
  }
  if (openStart && openEnd) return (text) => text.includes(literal)
  if (openStart) return (text) => text.endsWith(literal)
  if (openEnd) return (text) => text.startsWith(literal)
  return (text) => text === literal
}

function isAnything(node: RegexNode | undefined): boolean {
  return node?.type === 'repeat' && node.node.type === 'any' && node.min === 0 && node.max === null
}

function readChoice(reader: Reader): RegexNode {
  const nodes = [readSequence(reader)]
  while (peek(reader) === '|') {
    reader.at++
    nodes.push(readSequence(reader))
  }
  return nodes.length === 1 && nodes[0] !== undefined ? nodes[0] : { type: 'choice', nodes }
}

function readSequence(reader: Reader): RegexNode {
  const nodes: RegexNode[] = []
  while (reader.at < reader.source.length && peek(reader) !== '|' && peek(reader) !== ')')
    nodes.push(readRepeat(reader))
  if (nodes.length === 0) throw problem(reader, 'a character, a class or a group')
  return nodes.length === 1 && nodes[0] !== undefined ? nodes[0] : { type: 'sequence', nodes }
}

function readRepeat(reader: Reader): RegexNode {
  const node = readAtom(reader)
  const count = readCount(reader)
  if (count === null) return node
  if ('*+?{'.includes(peek(reader) || ' ')) throw problem(reader, 'no second repetition; group it with "( )"')
  return { type: 'repeat', node, ...count }
}

function readCount(reader: Reader): { min: number; max: number | null } | null {
  const char = peek(reader)
  const short = { '*': { min: 0, max: null }, '+': { min: 1, max: null }, '?': { min: 0, max: 1 } }
  if (char === '*' || char === '+' || char === '?') {
    reader.at++
    return short[char]
  }
  if (char !== '{') return null
  const [written, low, comma, high] = /^\{(\d{1,4})(,?)(\d{0,4})\}/.exec(reader.source.slice(reader.at)) ?? []
  if (written === undefined || (comma === '' && high !== ''))
    throw problem(reader, '{m}, {m,} or {m,n}; a literal "{" is written "\\{"')
  const min = Number(low)
  const max = comma === '' ? min : high === '' ? null : Number(high)
  if (Math.max(min, max ?? 0) > REGEX_REPEAT_MAX)
    throw tooBroad(reader.column + reader.at, 'too many repetitions', REGEX_REPEAT_MAX)
  if (max !== null && (max < min || max === 0)) throw problem(reader, '{m,n} with m ≤ n and n ≥ 1')
  reader.at += written.length
  return { min, max }
}

function readAtom(reader: Reader): RegexNode {
  const char = peek(reader)
  if (char === '(') return readGroup(reader)
  if (char === '[') return readClass(reader)
  if (char === '.') {
    reader.at++
    return { type: 'any' }
  }
  if ('*+?{'.includes(char)) throw problem(reader, 'something to repeat before it')
  if (char === '^' || char === '$')
    throw problem(reader, `no anchor, as a regex covers the whole anyway; a literal one is "\\${char}"`)
  if (char === ']' || char === '}') throw problem(reader, `"\\${char}" for a literal one`)
  const start = reader.at
  const read = char === '\\' ? readEscape(reader) : readChar(reader)
  if (typeof read !== 'string') return { type: 'class', negated: false, ranges: read }
  if (reader.tokens && !isTokenChar(read)) {
    reader.at = start
    throw problem(reader, 'a part of one word, as a regex covers one word of a text; words in a row: "…"')
  }
  return { type: 'char', char: reader.lower ? lowerCase(read) : read }
}

function readGroup(reader: Reader): RegexNode {
  if (++reader.depth > reader.depthMax)
    throw tooBroad(reader.column + reader.at, 'too many groups inside groups', REGEX_DEPTH_MAX)
  const start = reader.at++
  if (peek(reader) === '?') throw problem(reader, 'a plain group "( )"')
  const node = readChoice(reader)
  if (peek(reader) !== ')')
    throw syntaxError(reader.column + start, 'a group that is not closed', '")" at its end')
  reader.at++
  reader.depth--
  return node
}

function readClass(reader: Reader): RegexNode {
  const start = reader.at++
  const negated = peek(reader) === '^'
  if (negated) reader.at++
  const ranges: CharRange[] = []
  while (peek(reader) !== ']') {
    if (reader.at >= reader.source.length)
      throw syntaxError(reader.column + start, 'a class that is not closed', '"]" at its end')
    ranges.push(...readClassPart(reader))
  }
  if (ranges.length === 0) throw problem(reader, 'a character in the class')
  reader.at++
  return { type: 'class', negated, ranges: reader.lower ? ranges.flatMap(lowerCaseRange) : ranges }
}

function readClassPart(reader: Reader): readonly CharRange[] {
  const from = readClassChar(reader)
  if (typeof from !== 'string') return from
  const low = from.codePointAt(0) ?? 0
  if (peek(reader) !== '-' || reader.source[reader.at + 1] === ']') return [[low, low]]
  reader.at++
  if (reader.at >= reader.source.length) return [[low, low]]
  const to = readClassChar(reader)
  const high = typeof to === 'string' ? (to.codePointAt(0) ?? 0) : -1
  if (high < low) throw problem(reader, 'a range whose end is not before its start')
  return [[low, high]]
}

function readClassChar(reader: Reader): string | readonly CharRange[] {
  if (peek(reader) === '[') throw problem(reader, '"\\[" for a literal one')
  return peek(reader) === '\\' ? readEscape(reader) : readChar(reader)
}

/** A class, or the character that was escaped. */
function readEscape(reader: Reader): string | readonly CharRange[] {
  const start = reader.at++
  const char = reader.at < reader.source.length ? readChar(reader) : ''
  const known = CLASSES[char] ?? CONTROLS[char]
  if (known !== undefined) return known
  if (char === '' || /[A-Za-z0-9]/.test(char)) {
    reader.at = start
    throw problem(reader, '\\d, \\w, \\s, \\n, \\r, \\t or an escaped punctuation mark')
  }
  return char
}

function readChar(reader: Reader): string {
  const char = String.fromCodePoint(reader.source.codePointAt(reader.at) ?? 0)
  reader.at += char.length
  return char
}

function peek(reader: Reader): string {
  return reader.source[reader.at] ?? ''
}

function problem(reader: Reader, expected: string): Error {
  const rest = reader.source.slice(reader.at)
  const found =
    rest === ''
      ? 'the end of the regex'
      : `${quoted(String.fromCodePoint(rest.codePointAt(0) ?? 0))} in a regex`
  return syntaxError(reader.column + reader.at, found, expected)
}

/** Adds what its capital letters are in lower case: exactly for ASCII, by its ends otherwise. */
function lowerCaseRange([from, to]: CharRange): CharRange[] {
  const ranges: CharRange[] = [[from, to]]
  const [low, high] = [Math.max(from, 0x41), Math.min(to, 0x5a)]
  if (low <= high) ranges.push([low + 0x20, high + 0x20])
  if (from <= 0x7f) return ranges
  const [lowerFrom, lowerTo] = [from, to].map(
    (point) => lowerCase(String.fromCodePoint(point)).codePointAt(0) ?? 0,
  )
  if (lowerFrom !== undefined && lowerTo !== undefined && lowerFrom <= lowerTo)
    ranges.push([lowerFrom, lowerTo])
  return ranges
}

function sizeOf(node: RegexNode): number {
  if (node.type === 'repeat') return sizeOf(node.node) * Math.max(node.min, node.max ?? 1, 1)
  if (node.type === 'sequence' || node.type === 'choice')
    return node.nodes.reduce((sum, part) => sum + sizeOf(part), 0)
  return 1
}

/** How many texts a regex stands for by its `|` alone: a repeated group is written out, an endless repetition counts once. */
function alternativesOf(node: RegexNode): number {
  if (node.type === 'sequence') return node.nodes.reduce((product, part) => product * alternativesOf(part), 1)
  if (node.type === 'choice') return node.nodes.reduce((sum, part) => sum + alternativesOf(part), 0)
  if (node.type === 'repeat') return alternativesOf(node.node) ** (node.max ?? Math.max(node.min, 1))
  return 1
}

function renderRange([from, to]: CharRange): string {
  return from === to ? renderInClass(from) : `${renderInClass(from)}-${renderInClass(to)}`
}

function renderInClass(point: number): string {
  return String.fromCodePoint(point).replace(/[\\[\]^-]/, String.raw`\$&`)
}

function renderCount(min: number, max: number | null): string {
  if (max === null) return min === 0 ? '*' : min === 1 ? '+' : `{${min},}`
  if (min === 0 && max === 1) return '?'
  return min === max ? `{${min}}` : `{${min},${max}}`
}
