import { EXACT_DIGITS_MAX, parseDecimal, POWERS_OF_TEN } from './parse-decimal.ts'

/** Of MetricKind, as numbers for tables. ms, h and d are all distributions. */
export const COUNTER = 0
export const GAUGE = 1
export const SET = 2
export const DISTRIBUTION = 3

const NEWLINE = 0x0a
const RETURN = 0x0d
const HASH = 0x23
const PLUS = 0x2b
const MINUS = 0x2d
const DOT = 0x2e
const ZERO = 0x30
const COLON = 0x3a
const AT = 0x40
const T = 0x54
const C = 0x63
const D = 0x64
const G = 0x67
const H = 0x68
const M = 0x6d
const S = 0x73
const PIPE = 0x7c

/** A sample rate below it would give one value the weight of a thousand million. */
const RATE_MIN = 1e-9
/** 9999-12-31. */
const TIME_S_MAX = 253_402_300_799
/** Two lanes of FNV-1a: 32-bit primes, the second one of ours. */
const FNV_PRIME = 0x01000193
const CHECK_PRIME = 0x2f0b4a3b

/** Where the parts of a line are, and what they say. One is used for all lines: nothing is allocated per line. */
export interface Line {
  /** Start of hashes; a secret of the process. */
  seed: number
  nameStart: number
  nameEnd: number
  /** Behind '|#'; both 0 without tags. */
  tagsStart: number
  tagsEnd: number
  /** 64 bits, of name, kind and tags as they are spelled. */
  hash: number
  check: number
  kind: number
  /** Between the first ':' and the '|' behind it. */
  valuesStart: number
  valuesEnd: number
  /** NaN: it is no plain decimal, so `values` must be read. */
  value: number
  /** The value has a sign. */
  isSigned: boolean
  /** 1 / sample rate. */
  weight: number
  /** Of '|T'; −1 without. */
  atMs: number
  /** Why the line is malformed; '': it is not. */
  problem: string
}

export function createLine(seed: number): Line {
  return {
    seed,
    nameStart: 0,
    nameEnd: 0,
    tagsStart: 0,
    tagsEnd: 0,
    hash: 0,
    check: 0,
    kind: COUNTER,
    valuesStart: 0,
    valuesEnd: 0,
    value: 0.5,
    isSigned: false,
    weight: 0.5,
    atMs: -0.5,
    problem: '',
  }
}

/** Reads the line at `start` of a datagram that ends at `end`, and returns where the line ends: at '\n' or at `end`. */
export function parseLine(bytes: Uint8Array, start: number, end: number, line: Line): number {
  line.problem = ''
  line.nameStart = start
  let hash = line.seed
  let check = ~hash
  let at = start
  let byte = NEWLINE
  for (; at < end; at++) {
    byte = bytes[at] ?? 0
    if (byte === COLON || byte === NEWLINE) break
    hash = Math.imul(hash ^ byte, FNV_PRIME)
    check = Math.imul(check ^ byte, CHECK_PRIME)
  }
  if (byte !== COLON) return refuse(bytes, at, end, line, 'it has no value')
  if (at === start) return refuse(bytes, at, end, line, 'it has no name')
  line.nameEnd = at
  line.hash = hash
  line.check = check
  at = parseValue(bytes, at + 1, end, line)
  if (at >= end || bytes[at] !== PIPE) return refuse(bytes, at, end, line, 'it has no type')
  if (at === line.valuesStart) return refuse(bytes, at, end, line, 'it has no value')
  at = parseKind(bytes, at + 1, end, line)
  if (at < 0) return refuse(bytes, line.valuesEnd, end, line, 'its type is unknown')
  return parseSections(bytes, at, end, line)
}

/** Reads plain decimals while it looks for the end of the values; anything else is left to parseDecimal. */
function parseValue(bytes: Uint8Array, start: number, end: number, line: Line): number {
  let at = start
  const first = at < end ? (bytes[at] ?? 0) : 0
  line.valuesStart = start
  line.isSigned = first === PLUS || first === MINUS
  if (line.isSigned) at++
  let mantissa = 0
  let digits = 0
  let point = -1
  for (; at < end; at++) {
    const byte = bytes[at] ?? 0
    const digit = byte - ZERO
    if (digit >= 0 && digit <= 9) {
      mantissa = mantissa * 10 + digit
      digits++
    } else if (byte === DOT && point < 0) point = at
    else break
  }
  const isPlain = at < end && bytes[at] === PIPE && digits > 0 && digits <= EXACT_DIGITS_MAX
  if (isPlain) {
    const value = point < 0 ? mantissa : mantissa / (POWERS_OF_TEN[at - point - 1] ?? 1)
    line.value = first === MINUS ? 0 - value : value
  } else {
    while (at < end && bytes[at] !== PIPE && bytes[at] !== NEWLINE) at++
    line.value = Number.NaN
  }
  line.valuesEnd = at
  return at
}

/** Returns where the type ends; −1: it is none. */
function parseKind(bytes: Uint8Array, start: number, end: number, line: Line): number {
  const byte = start < end ? bytes[start] : NEWLINE
  let at = start + 1
  if (byte === C) line.kind = COUNTER
  else if (byte === G) line.kind = GAUGE
  else if (byte === S) line.kind = SET
  else if (byte === D || byte === H) line.kind = DISTRIBUTION
  else if (byte === M && at < end && bytes[at] === S) {
    line.kind = DISTRIBUTION
    at++
  } else return -1
  if (at < end && bytes[at] === RETURN) at = lineEnd(bytes, at, end) === at + 1 ? at + 1 : -1
  return at < 0 || at >= end || bytes[at] === PIPE || bytes[at] === NEWLINE ? at : -1
}

/** '|@rate', '|#tags', '|Ttime'; others are extensions for others. */
function parseSections(bytes: Uint8Array, start: number, end: number, line: Line): number {
  line.weight = 1
  line.atMs = -1
  line.tagsStart = 0
  line.tagsEnd = 0
  // No byte: a name never goes on in the tags.
  let hash = Math.imul(line.hash ^ (0x100 + line.kind), FNV_PRIME)
  let check = Math.imul(line.check ^ (0x100 + line.kind), CHECK_PRIME)
  let at = start
  while (at < end && bytes[at] === PIPE) {
    const from = at + 2
    const mark = at + 1 < end ? bytes[at + 1] : NEWLINE
    at++
    if (mark === HASH) {
      for (at = from; at < end; at++) {
        const byte = bytes[at] ?? 0
        if (byte === PIPE || byte === NEWLINE) break
        hash = Math.imul(hash ^ byte, FNV_PRIME)
        check = Math.imul(check ^ byte, CHECK_PRIME)
      }
      line.tagsStart = from
      line.tagsEnd = withoutReturn(bytes, from, at, end)
      continue
    }
    while (at < end && bytes[at] !== PIPE && bytes[at] !== NEWLINE) at++
    if (mark === AT) parseRate(bytes, from, withoutReturn(bytes, from, at, end), line)
    else if (mark === T) parseTime(bytes, from, withoutReturn(bytes, from, at, end), line)
  }
  line.hash = scattered(hash ^ check)
  line.check = check
  return at
}

function parseRate(bytes: Uint8Array, start: number, end: number, line: Line): void {
  const rate = parseDecimal(bytes, start, end)
  if (rate >= RATE_MIN && rate <= 1) line.weight = 1 / rate
  else line.problem = 'its sample rate is not between 0 and 1'
}

function parseTime(bytes: Uint8Array, start: number, end: number, line: Line): void {
  const seconds = parseDecimal(bytes, start, end)
  if (seconds >= 0 && seconds <= TIME_S_MAX) line.atMs = Math.floor(seconds * 1000)
  else line.problem = 'its time is not in seconds since 1970'
}

/** The end of a section at `at`; a line may end with "\r\n". */
function withoutReturn(bytes: Uint8Array, start: number, at: number, end: number): number {
  const isLast = at === end || bytes[at] === NEWLINE
  return isLast && at > start && bytes[at - 1] === RETURN ? at - 1 : at
}

/** Where the line ends that `at` is in. */
export function lineEnd(bytes: Uint8Array, at: number, end: number): number {
  const found = bytes.indexOf(NEWLINE, at)
  return found < 0 || found > end ? end : found
}

function refuse(bytes: Uint8Array, at: number, end: number, line: Line, problem: string): number {
  line.problem = problem
  return lineEnd(bytes, at, end)
}

/** Every bit of a hash depends on all bits of its input. */
function scattered(hash: number): number {
  const half = Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d)
  return half ^ (half >>> 13)
}
