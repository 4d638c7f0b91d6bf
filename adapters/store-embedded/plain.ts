import type { Attrs } from '../../core/record.ts'
import { TOKEN_CHARS_MAX } from '../../core/query/tokenize.ts'

const ASCII = /^[\x01-\x7f]*$/ // eslint-disable-line no-control-regex -- NUL would end a text in SQL
const LONG_TOKEN = new RegExp(String.raw`\w{${TOKEN_CHARS_MAX + 1}}`)
const SIMPLE_KEY = /^[\w.@-]{1,200}$/
/** A longer value could be one that is not indexed by value: QUERY.md. */
const ATTRS_CHARS_MAX = 8_191
/** Keys that were found simple; systems have few different ones. */
const KEYS_KNOWN_MAX = 10_000
const knownKeys = new Set<string>()

/** Printable ASCII that stands in JSON as it is. */
const UNESCAPED = /^[ !#-[\]-~]*$/

/** Does this stand in JSON as it is? */
export function isUnescaped(text: string): boolean {
  return UNESCAPED.test(text)
}

/**
 * Can SQL decide every query about this record's words and attrs (plan-sql.ts)? Its texts are ASCII without NUL, no token is so long
 * that it is cut, and the JSON text of the attrs has no escapes, simple keys, and lists of strings only: then `"` and `,` outside of
 * values are structure. (A plain record's keyword fields are `isUnescaped`, too: columns.ts sees to that.) Nearly all records are plain;
 * the others are looked at one by one.
 */
export function isPlain(message: string, attrs: Attrs, attrsText: string): boolean {
  if (!ASCII.test(message) || (message.length > TOKEN_CHARS_MAX && LONG_TOKEN.test(message))) return false
  if (attrsText === '') return true
  if (attrsText.length > ATTRS_CHARS_MAX || attrsText.includes('\\') || !ASCII.test(attrsText)) return false
  if (attrsText.length > TOKEN_CHARS_MAX && LONG_TOKEN.test(attrsText)) return false
  for (const key of Object.keys(attrs)) if (!isSimpleKey(key) || isMixedList(attrs[key])) return false
  return true
}

function isSimpleKey(key: string): boolean {
  if (knownKeys.has(key)) return true
  if (!SIMPLE_KEY.test(key)) return false
  if (knownKeys.size < KEYS_KNOWN_MAX) knownKeys.add(key)
  return true
}

function isMixedList(value: Attrs[string] | undefined): boolean {
  return typeof value === 'object' && value.some((element) => typeof element !== 'string')
}
