/** A longer token is cut here, in UTF-16 units; the same number stands in the index settings of Elasticsearch. */
export const TOKEN_CHARS_MAX = 255

const ASCII_ONLY = /^[\0-\x7f]*$/ // eslint-disable-line no-control-regex -- "ASCII" is what it says
const ASCII_TOKENS = /[a-z0-9_]+/g
/** Everything but the separators: ASCII outside `[A-Za-z0-9_]`, and the blanks of Unicode. */
const TOKENS = /(?:\w|[^\0-\x7f\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000\ufeff])+/gu // eslint-disable-line no-control-regex
const DOTTED_CAPITAL_I = '\u0130'

/**
 * The words of a text, in order: maximal runs of characters that are no separators, each code point lower-cased by itself.
 * This is what every store indexes, so that a word means the same everywhere.
 */
export function tokenize(text: string): string[] {
  const tokens = isAscii(text)
    ? text.toLowerCase().match(ASCII_TOKENS)
    : text.match(TOKENS)?.map((token) => lowerCase(token))
  if (!tokens) return []
  return text.length > TOKEN_CHARS_MAX ? tokens.flatMap(cutLong) : tokens
}

export function isAscii(text: string): boolean {
  return ASCII_ONLY.test(text)
}

/** Lower-cases code point by code point: never longer or shorter than the text, whatever stands around a letter. */
export function lowerCase(text: string): string {
  if (isAscii(text)) return text.toLowerCase()
  let out = ''
  for (const char of text) out += lowerCaseChar(char)
  return out
}

function lowerCaseChar(char: string): string {
  if (char === DOTTED_CAPITAL_I) return 'i'
  const lower = char.toLowerCase()
  return lower.length === char.length ? lower : char
}

/** Is this character part of a token? `char` is one code point. */
export function isTokenChar(char: string): boolean {
  return tokenize(char).length > 0
}

/** A surrogate pair is never torn: such a piece has one unit more. */
function cutLong(token: string): string | string[] {
  if (token.length <= TOKEN_CHARS_MAX) return token
  const pieces: string[] = []
  for (let at = 0; at < token.length;) {
    let end = at + TOKEN_CHARS_MAX
    if ((token.codePointAt(end - 1) ?? 0) > 0xffff) end++
    pieces.push(token.slice(at, end))
    at = end
  }
  return pieces
}
