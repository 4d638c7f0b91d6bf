/**
 * Characters that are not seen, or that move what stands around them: controls (without tab and line feed), soft hyphen,
 * zero-width and bidirectional ones, line separators, tags, lone surrogates.
 */
const HIDDEN = new RegExp(
  '[\\u0000-\\u0008\\u000b-\\u001f\\u007f-\\u009f\\u00ad\\u061c\\u115f\\u180e\\u200b-\\u200f\\u2028-\\u202e' +
    '\\u2060-\\u206f\\ufeff\\u{e0000}-\\u{e007f}]|[\\ud800-\\udfff]',
  'gu',
)

/** A text of a line as it may be shown: nothing in it is unseen, or turns the text around it. Copies take the original. */
export function visible(text: string): string {
  return text.replace(HIDDEN, (char) => {
    const code = char.codePointAt(0) ?? 0
    if (code < 0x20) return String.fromCodePoint(0x2400 + code)
    if (code === 0x7f) return '\u2421'
    return `\u2039U+${code.toString(16).toUpperCase().padStart(4, '0')}\u203a`
  })
}

/** The first `charsMax` UTF-16 units, never half of a pair. */
export function cut(text: string, charsMax: number): string {
  if (text.length <= charsMax) return text
  const last = text.charCodeAt(charsMax - 1)
  return text.slice(0, last >= 0xd800 && last <= 0xdbff ? charsMax - 1 : charsMax)
}
