import { ServiceError } from '../../core/errors.ts'
import { TOKEN_CHARS_MAX, tokenize } from '../../core/query/tokenize.ts'

/** Where a hash begins, or the hash: two signed 32-bit numbers. A seed is random, so that colliding tokens cannot be prepared for every store. */
export interface HashSeed {
  readonly low: number
  readonly high: number
}

/**
 * Is told of every token in a text. `low` and `high` are its hash (signed 32-bit each), `start` and `end` say where it stands:
 * they are for `textOf` only, and only until the next token.
 */
export type TokenListener = (low: number, high: number, start: number, end: number) => void

/** A text among others. */
export interface TextSpan {
  readonly bytes: Buffer
  readonly start: number
  readonly end: number
}

export interface TokenScanner {
  scanText(text: string): void
  /** The leaf values of an object that JSON.stringify wrote: values are scalars or lists of scalars. '' is no object. */
  scanAttrs(json: string): void
  /** The same with texts that are UTF-8 already. While it runs, the byte behind the text is another one. */
  scanTextIn(span: TextSpan): void
  scanAttrsIn(span: TextSpan): void
  textOf(start: number, end: number): string
}

const SEPARATOR = 0
const ENDS = 1 // ends a token and the text
const UNSURE = 2 // from here on only `tokenize` knows; any larger class is the lower-cased character itself
const END_OF_BYTES = 0xff // is never part of UTF-8
const UNSURE_AT = -1

const code = (char: string) => char.charCodeAt(0)
const QUOTE = code('"')
const BACKSLASH = code('\\')
const COMMA = code(',')
const OPEN_LIST = code('[')
const CLOSE_LIST = code(']')

const TEXT_CLASSES = classesWith('', '')
const STRING_CLASSES = classesWith('"', '\\')
const LITERAL_CLASSES = classesWith(',]}', '')

const LOW_PRIME = 0x01000193
const HIGH_PRIME = 0x5bd1e995
const SCRATCH_BYTES = 64 << 10
const UTF8_BYTES_PER_UNIT_MAX = 3

function classesWith(ends: string, unsure: string): Uint8Array {
  return Uint8Array.from({ length: 256 }, (_, byte) => {
    const char = String.fromCharCode(byte)
    if (byte === END_OF_BYTES || ends.includes(char)) return ENDS
    if (byte > 0x7f || unsure.includes(char)) return UNSURE
    return /\w/.test(char) ? code(char.toLowerCase()) : SEPARATOR
  })
}

function notFlat(): ServiceError {
  return new ServiceError('DATA_CORRUPT', 'attrs are no flat JSON object')
}

/** The hash of a whole token as `tokenize` gives it: lower-cased. */
export function hashToken(token: string, seed: HashSeed): HashSeed {
  let { low, high } = seed
  for (let at = 0; at < token.length; at++) {
    const unit = token.charCodeAt(at)
    low = Math.imul(low ^ unit, LOW_PRIME)
    high = Math.imul(high ^ unit, HIGH_PRIME)
    high ^= high >>> 15
  }
  return { low: mixed(low ^ high), high: mixed(high + Math.imul(low, HIGH_PRIME)) }
}

/** Every bit of the result depends on every bit of the hash: the finaliser of MurmurHash3. */
function mixed(hash: number): number {
  let h = hash
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b)
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35)
  return h ^ (h >>> 16)
}

/**
 * Finds the tokens that `tokenize` finds and hashes them where they stand: no string is made for a token of ASCII text.
 * Texts must be well-formed Unicode.
 */
export function createTokenScanner(seed: HashSeed, onToken: TokenListener): TokenScanner {
  let scratch: Buffer = Buffer.allocUnsafe(SCRATCH_BYTES)
  let bytes: Buffer = scratch
  let start = 0
  let end = 0
  let listed = '' // the token that was told of by `tellEach`

  function take(text: string): void {
    const needed = text.length * UTF8_BYTES_PER_UNIT_MAX + 1
    if (needed > scratch.length) scratch = Buffer.allocUnsafe(needed * 2)
    bytes = scratch
    start = 0
    end = bytes.write(text, 'utf8')
    bytes[end] = END_OF_BYTES
  }

  function within(span: TextSpan, work: () => void): void {
    if (span.end === span.bytes.length) {
      take(span.bytes.toString('utf8', span.start, span.end))
      return work()
    }
    const behind = span.bytes[span.end] ?? 0
    bytes = span.bytes
    start = span.start
    end = span.end
    bytes[end] = END_OF_BYTES
    try {
      work()
    } finally {
      bytes[end] = behind
    }
  }

  /** Tells of the tokens from `at` to what ends them; returns where that is, or UNSURE_AT. */
  function scan(from: number, classes: Uint8Array): number {
    const source = bytes
    let [first, { low, high }] = [from, seed]
    for (let at = from; ; at++) {
      const kind = classes[source[at] ?? 0] ?? 0
      if (kind > UNSURE) {
        low = Math.imul(low ^ kind, LOW_PRIME)
        high = Math.imul(high ^ kind, HIGH_PRIME)
        high ^= high >>> 15
        continue
      }
      if (kind === UNSURE || at - first > TOKEN_CHARS_MAX) return UNSURE_AT
      if (at > first) onToken(mixed(low ^ high), mixed(high + Math.imul(low, HIGH_PRIME)), first, at)
      if (kind === ENDS) return at
      first = at + 1
      low = seed.low
      high = seed.high
    }
  }

  /** Tokens that `scan` told of before it was unsure are told of again; the listener counts a record once. */
  function tellEach(text: string): void {
    for (const token of tokenize(text)) {
      listed = token
      const { low, high } = hashToken(token, seed)
      onToken(low, high, UNSURE_AT, UNSURE_AT)
    }
  }

  /** `at` is behind the opening quote; returns where the closing one is. */
  function endOfString(from: number): number {
    let at = from
    while (bytes[at] !== QUOTE && at < end) at += bytes[at] === BACKSLASH ? 2 : 1
    return at
  }

  /** Returns what is behind the value. */
  function scanScalar(at: number): number {
    if (bytes[at] !== QUOTE) return scan(at, LITERAL_CLASSES)
    const sureEnd = scan(at + 1, STRING_CLASSES)
    if (sureEnd !== UNSURE_AT) return sureEnd + 1
    const behind = endOfString(at + 1) + 1
    if (behind > end) throw notFlat()
    tellEach(JSON.parse(bytes.toString('utf8', at, behind)) as string)
    return behind
  }

  function scanValue(from: number): number {
    if (bytes[from] !== OPEN_LIST) return scanScalar(from)
    let at = from + 1
    while (bytes[at] !== CLOSE_LIST && at < end) {
      at = scanScalar(at)
      if (bytes[at] === COMMA) at++
    }
    return at + 1
  }

  function scanText(): void {
    if (scan(start, TEXT_CLASSES) === UNSURE_AT) tellEach(bytes.toString('utf8', start, end))
  }

  function scanAttrs(): void {
    let at = start + 1
    while (bytes[at] === QUOTE && at < end) {
      const colon = endOfString(at + 1) + 1
      at = scanValue(colon + 1) + 1 // the comma or the closing brace
    }
    if (at !== end) throw notFlat()
  }

  return {
    scanText(text) {
      take(text)
      scanText()
    },
    scanAttrs(json) {
      if (json === '' || json === '{}') return
      take(json)
      scanAttrs()
    },
    scanTextIn: (span) => within(span, scanText),
    scanAttrsIn(span) {
      if (span.end - span.start > '{}'.length) within(span, scanAttrs)
    },
    textOf(from, to) {
      return from === UNSURE_AT ? listed : bytes.toString('latin1', from, to).toLowerCase()
    },
  }
}
