/** Larger ones are refused: sums of them, scaled by any sample rate, stay finite. */
export const VALUE_MAX = 1e200

const ZERO = 0x30
const NINE = 0x39
const DOT = 0x2e
const PLUS = 0x2b
const MINUS = 0x2d
/** An integer of so many digits is exact, and so is its quotient by a power of ten up to that: what IEEE 754 rounds once is what Number() gives. */
export const EXACT_DIGITS_MAX = 15
export const POWERS_OF_TEN = Float64Array.from({ length: EXACT_DIGITS_MAX + 1 }, (_, power) => 10 ** power)
/** Longer ones are no measurement. */
const DECIMAL_CHARS_MAX = 400
const DECIMAL = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/

/** The decimal number of bytes[start, end), exactly as Number() reads it (but never −0); NaN for everything else and beyond ±VALUE_MAX. */
export function parseDecimal(bytes: Uint8Array, start: number, end: number): number {
  const first = bytes[start] ?? 0
  let at = first === PLUS || first === MINUS ? start + 1 : start
  let mantissa = 0
  let digits = 0
  let point = -1
  for (; at < end; at++) {
    const byte = bytes[at] ?? 0
    if (byte >= ZERO && byte <= NINE) {
      mantissa = mantissa * 10 + (byte - ZERO)
      digits++
    } else if (byte === DOT && point < 0) point = at
    else break
  }
  if (at !== end || digits === 0 || digits > EXACT_DIGITS_MAX) return parseOdd(bytes, start, end)
  const value = point < 0 ? mantissa : mantissa / (POWERS_OF_TEN[end - point - 1] ?? 1)
  return first === MINUS ? 0 - value : value
}

/** Exponents, many digits, and what is no number. */
function parseOdd(bytes: Uint8Array, start: number, end: number): number {
  if (end <= start || end - start > DECIMAL_CHARS_MAX) return Number.NaN
  let text = ''
  for (let at = start; at < end; at++) text += String.fromCharCode(bytes[at] ?? 0)
  const value = DECIMAL.test(text) ? Number(text) + 0 : Number.NaN
  return Math.abs(value) <= VALUE_MAX ? value : Number.NaN
}
