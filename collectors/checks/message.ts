import { CHECK_MESSAGE_CHARS_MAX } from '../../core/health.ts'

/** Control characters, and those that change the direction of text or end a line where nobody expects it. */
const HARMFUL = /[\p{Cc}\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]+/gu

/** One line of at most CHECK_MESSAGE_CHARS_MAX UTF-16 units that cannot harm a terminal or a page. */
export function harmless(text: string): string {
  // The replacement may join blanks, so look at some more than will be kept.
  const plain = text
    .slice(0, CHECK_MESSAGE_CHARS_MAX * 4)
    .toWellFormed()
    .replaceAll(HARMFUL, ' ')
    .trim()
  if (plain.length <= CHECK_MESSAGE_CHARS_MAX) return plain
  return `${wholeCharacters(plain, CHECK_MESSAGE_CHARS_MAX - 1)}…`
}

/** At most `units` UTF-16 units, no half of a character at the end. */
function wholeCharacters(text: string, units: number): string {
  const code = text.charCodeAt(units - 1)
  return text.slice(0, code >= 0xd800 && code <= 0xdbff ? units - 1 : units)
}
