import { randomInt } from 'node:crypto'
import { createKeySlices, sliceOfKey } from './key-slices.ts'
import { SEVERAL_SLICES, createPairCounts } from './pair-counts.ts'
import type { SlicedKeys } from './key-slices.ts'
import type { PairCounts } from './pair-counts.ts'
import { createTokenScanner, hashToken } from './token-hash.ts'
import type { HashSeed, TextSpan } from './token-hash.ts'

/** A word is listed with its patterns when at least so many records of one pattern have it, ... */
const LISTED_RECORDS_MIN = 16
/** ... or when all records of one pattern have it, and they are at least so many. */
const LISTED_WHOLE_PATTERN_MIN = 4
/** The group in which trace ids are counted; patterns are 1 and up. */
const TRACES = 0
const NO_GROUP = 0
const HASH_LIMIT = 2 ** 32
/** Words between two entries of the word table; a look-up reads at most so many. */
const WORDS_PER_ENTRY = 8
const U32_BYTES = 4
const NOTHING = new Uint8Array()
/** Seed (2), 1 if pairs were left out, byte lengths of: patterns, word table, words, rare; the rest are the traces. */
const HEADER_FIELDS = 7
/** The first and last time of the block, before the header's fields. */
const SPAN_BYTES = 16

/** Times, ms since 1970, both ends included. */
export interface Span {
  readonly minMs: number
  readonly maxMs: number
}

/** Where in a block a word is. Of the records of any other pattern: none has it, unless `rare`. */
export interface WordFacts {
  /** Patterns of which every record in the block has the word. */
  readonly always: readonly string[]
  /** Patterns of which at least one record has the word, and at least one has not. */
  readonly some: readonly string[]
  /** The word may be in a record of any pattern, within these times; also for 0.4 % of the words that the block does not have. */
  readonly rare: Span | null
}

/** What is known about the words of one block of records without reading them. A token is one that `tokenize` gives. */
export interface WordIndex {
  word(token: string): WordFacts
  /** Records with this trace id are within these times; null: there are none. '' is none. */
  traceTimes(trace: string): Span | null
  /** The times of the whole block. */
  readonly span: Span
  /** The pattern ids of all records of the block, each once. */
  readonly patterns: readonly string[]
}

export interface WordIndexBuilder {
  /** Before the records of a block: their times. */
  begin(span: Span): void
  /** `attrs` is what JSON.stringify made of a record's attrs, or ''. Texts are well-formed Unicode. */
  add(timeMs: number, message: string, attrs: string, pattern: string, trace: string): void
  /** The same with texts that are UTF-8 already. */
  addBytes(timeMs: number, message: TextSpan, attrs: TextSpan, pattern: string, trace: string): void
  /** The index of the records added since the last call; its memory is kept for the next block. */
  finish(): Uint8Array
}

/** A word that may turn out to be listed. */
interface Candidate {
  readonly low: number
  readonly high: number
  readonly group: number
  readonly text: string
}

interface ListedWord {
  readonly text: string
  /** For each pattern that has it: its place among the patterns × 2, + 1 if all of its records have the word. */
  readonly patterns: number[]
}

/** `pairsMax`: how many different (pattern, word) pairs are counted; with more, every word is `rare` too. */
export function createWordIndexBuilder(pairsMax?: number): WordIndexBuilder {
  const seed = { low: randomInt(HASH_LIMIT) | 0, high: randomInt(HASH_LIMIT) | 0 }
  const pairs = createPairCounts(pairsMax)
  const listed = createPairCounts(pairsMax)
  const rare = createPairCounts(pairsMax)
  const traces = createPairCounts(pairsMax)
  const groups = new Map<string, number>()
  const recordsOf: number[] = [0] // by group
  let candidates: Candidate[] = []
  let records = 0
  let group = 0
  let slice = 0
  let span: Span = { minMs: 0, maxMs: 0 }

  const scanner = createTokenScanner(seed, (low, high, start, end) => {
    if (pairs.add(low, high, group, records, slice) === LISTED_WHOLE_PATTERN_MIN)
      candidates.push({ low, high, group, text: scanner.textOf(start, end) })
  })

  function groupOf(pattern: string): number {
    const known = groups.get(pattern)
    if (known !== undefined) return known
    recordsOf.push(0)
    groups.set(pattern, groups.size + 1)
    return groups.size
  }

  function isListed(count: number, group: number): boolean {
    return count >= LISTED_RECORDS_MIN || (count >= LISTED_WHOLE_PATTERN_MIN && count === recordsOf[group])
  }

  function listWords(): ListedWord[] {
    const words: ListedWord[] = []
    for (const { low, high, group, text } of candidates) {
      const count = pairs.countOf(pairs.find(low, high, group))
      if (isListed(count, group) && listed.add(low, high, NO_GROUP, 0, 0) === 1)
        words.push({ text, patterns: [] })
    }
    return words
  }

  /** Every pair goes to a listed word, to the traces, or makes a word rare. */
  function sortOut(words: readonly ListedWord[]): void {
    let nth = 0
    pairs.forEach((low, high, group, count, slice) => {
      nth++
      if (group === TRACES) return traces.add(low, high, NO_GROUP, nth, slice)
      const word = words[listed.find(low, high, NO_GROUP)]
      if (word === undefined) return rare.add(low, high, NO_GROUP, nth, slice)
      return word.patterns.push((group - 1) * 2 + (count === recordsOf[group] ? 1 : 0))
    })
  }

  function clear(): void {
    for (const counts of [pairs, listed, rare, traces]) counts.clear()
    groups.clear()
    recordsOf.length = 1
    candidates = []
    records = 0
  }

  /** The next words are those of a new record. */
  function start(timeMs: number, pattern: string, trace: string): void {
    records++
    slice = sliceAt(timeMs, span)
    group = groupOf(pattern)
    recordsOf[group] = (recordsOf[group] ?? 0) + 1
    if (trace === '') return
    const { low, high } = hashToken(trace, seed)
    pairs.add(low, high, TRACES, records, slice)
  }

  return {
    begin(times) {
      span = times
    },
    add(timeMs, message, attrs, pattern, trace) {
      start(timeMs, pattern, trace)
      scanner.scanText(message)
      scanner.scanAttrs(attrs)
    },
    addBytes(timeMs, message, attrs, pattern, trace) {
      start(timeMs, pattern, trace)
      scanner.scanTextIn(message)
      scanner.scanAttrsIn(attrs)
    },
    finish() {
      const words = listWords()
      sortOut(words)
      const { isOver } = pairs
      const bytes = encode({
        span,
        seed,
        isOver,
        patterns: [...groups.keys()],
        words,
        rare: isOver ? NOTHING : createKeySlices(slicesIn(rare)),
        traces: isOver ? NOTHING : createKeySlices(slicesIn(traces)),
      })
      clear()
      return bytes
    },
  }
}

function slicesIn(keys: PairCounts): SlicedKeys {
  return {
    size: keys.size,
    forEach: (visit) => keys.forEach((low, high, _group, _count, slice) => visit(low, high, slice)),
  }
}

/** The times of a block are cut into as many slices of the same length as there are numbers below SEVERAL_SLICES. */
function sliceAt(timeMs: number, { minMs, maxMs }: Span): number {
  return Math.floor(((timeMs - minMs) / (maxMs - minMs + 1)) * SEVERAL_SLICES)
}

/** Rounded outwards: who has the slice is within. */
function timesOfSlice(slice: number, { minMs, maxMs }: Span): Span {
  if (slice === SEVERAL_SLICES) return { minMs, maxMs }
  const lengthMs = (maxMs - minMs + 1) / SEVERAL_SLICES
  return {
    minMs: Math.max(minMs, Math.floor(minMs + slice * lengthMs) - 1),
    maxMs: Math.min(maxMs, Math.ceil(minMs + (slice + 1) * lengthMs)),
  }
}

interface Parts {
  readonly span: Span
  readonly seed: HashSeed
  readonly isOver: boolean
  readonly patterns: readonly string[]
  readonly words: readonly ListedWord[]
  readonly rare: Uint8Array
  readonly traces: Uint8Array
}

function encode({ span, seed, isOver, patterns, words, rare, traces }: Parts): Uint8Array {
  const patternBytes = Buffer.from(JSON.stringify(patterns))
  const table = encodeWords(words)
  const lengths = [patternBytes.length, table.entries.length, table.words.length, rare.length]
  const header = u32Bytes([seed.low, seed.high, isOver ? 1 : 0, ...lengths])
  const times = Buffer.from(Float64Array.of(span.minMs, span.maxMs).buffer)
  return Buffer.concat([times, header, patternBytes, table.entries, table.words, rare, traces])
}

function u32Bytes(values: readonly number[]): Buffer {
  const bytes = Buffer.allocUnsafe(values.length * U32_BYTES)
  values.forEach((value, at) => bytes.writeUInt32LE(value >>> 0, at * U32_BYTES))
  return bytes
}

/** Words ascend by their UTF-8 bytes: length of the text, text, length of the patterns, patterns as differences. */
function encodeWords(words: readonly ListedWord[]): { entries: Buffer; words: Buffer } {
  const sorted = words
    .map(({ text, patterns }) => ({ text: Buffer.from(text), patterns }))
    .sort((a, b) => Buffer.compare(a.text, b.text))
  const starts: number[] = []
  const out: number[] = []
  sorted.forEach(({ text, patterns }, nth) => {
    if (nth % WORDS_PER_ENTRY === 0) starts.push(out.length)
    putNumber(out, text.length)
    for (const byte of text) out.push(byte)
    const list = encodePatterns(patterns)
    putNumber(out, list.length)
    for (const byte of list) out.push(byte)
  })
  return { entries: u32Bytes(starts), words: Buffer.from(out) }
}

function encodePatterns(patterns: readonly number[]): number[] {
  const out: number[] = []
  let last = 0
  for (const pattern of patterns.toSorted((a, b) => a - b)) {
    putNumber(out, pattern - last)
    last = pattern
  }
  return out
}

/** Seven bits a byte, the lowest first; the eighth says that more follow. */
function putNumber(out: number[], value: number): void {
  let rest = value
  for (; rest > 0x7f; rest >>>= 7) out.push((rest & 0x7f) | 0x80)
  out.push(rest)
}

/** Reads what `finish` gave; keeps the bytes and copies none of them. They must be as they were written. */
export function openWordIndex(bytes: Uint8Array): WordIndex {
  const all = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const span = { minMs: all.readDoubleLE(0), maxMs: all.readDoubleLE(SPAN_BYTES / 2) }
  const field = (nth: number) => all.readUInt32LE(SPAN_BYTES + nth * U32_BYTES)
  const seed = { low: field(0) | 0, high: field(1) | 0 }
  const isOver = field(2) === 1
  let end = SPAN_BYTES + HEADER_FIELDS * U32_BYTES
  const part = (length: number) => all.subarray(end, (end += length))
  const patternBytes = part(field(3))
  const lookUp = createLookUp(part(field(4)), part(field(5)))
  const rare = part(field(6))
  const traces = all.subarray(end)
  let patterns: readonly string[] | undefined
  const patternIds = () => (patterns ??= JSON.parse(patternBytes.toString()) as readonly string[])

  function timesIn(table: Uint8Array, text: string): Span | null {
    if (isOver) return span
    const { low, high } = hashToken(text, seed)
    const slice = sliceOfKey(table, low, high)
    return slice === null ? null : timesOfSlice(slice, span)
  }

  return {
    span,
    get patterns() {
      return patternIds()
    },
    traceTimes: (trace) => (trace === '' ? null : timesIn(traces, trace)),
    word(token) {
      const found = lookUp(token)
      if (found === undefined) return { always: [], some: [], rare: timesIn(rare, token) }
      const idsOf = (whole: number) =>
        found.flatMap((pattern) => ((pattern & 1) === whole ? (patternIds()[pattern >>> 1] ?? []) : []))
      return { always: idsOf(1), some: idsOf(0), rare: isOver ? span : null }
    },
  }
}

/** Finds the patterns of a listed word, as in `ListedWord`. */
function createLookUp(entries: Buffer, words: Buffer): (token: string) => number[] | undefined {
  let at = 0
  function number(): number {
    let value = 0
    for (let shift = 0; ; shift += 7) {
      const byte = words[at++] ?? 0
      value |= (byte & 0x7f) << shift
      if (byte < 0x80) return value
    }
  }
  /** Reads the text at `at`: below 0 when it stands before the wanted one, 0 when it is. */
  function compareText(wanted: Buffer): number {
    const length = number()
    at += length
    return words.compare(wanted, 0, wanted.length, at - length, at)
  }
  /** The start of the last run of words whose first is not behind the wanted one. */
  function runOf(wanted: Buffer): number {
    let [low, high] = [0, entries.length / U32_BYTES]
    while (high - low > 1) {
      const middle = (low + high) >>> 1
      at = entries.readUInt32LE(middle * U32_BYTES)
      if (compareText(wanted) <= 0) low = middle
      else high = middle
    }
    return entries.readUInt32LE(low * U32_BYTES)
  }
  function patternList(end: number): number[] {
    const patterns: number[] = []
    for (let last = 0; at < end;) patterns.push((last += number()))
    return patterns
  }
  return (token) => {
    if (entries.length === 0) return undefined
    const wanted = Buffer.from(token)
    at = runOf(wanted)
    for (let nth = 0; nth < WORDS_PER_ENTRY && at < words.length; nth++) {
      const order = compareText(wanted)
      const length = number()
      if (order === 0) return patternList(at + length)
      if (order > 0) return undefined
      at += length
    }
    return undefined
  }
}
