import { compareCodePoints, TAG_CHARS_MAX } from '../../core/metrics/wire.ts'

/** What could be smuggled into a terminal or turn the direction of its text: control characters, line separators, bidirectional marks. */
const UNPRINTABLE = /[\p{Cc}\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu
const HIGH_SURROGATE_MIN = 0xd800
const HIGH_SURROGATE_MAX = 0xdbff

/** Counts what was shortened. */
export interface Cuts {
  count: number
}

export function printable(text: string): string {
  return text.replace(UNPRINTABLE, '_')
}

/** At most `charsMax` UTF-16 units, without half a surrogate pair. */
export function shortened(text: string, charsMax: number, cuts: Cuts): string {
  if (text.length <= charsMax) return text
  cuts.count++
  const last = text.charCodeAt(charsMax - 1)
  return text.slice(0, last >= HIGH_SURROGATE_MIN && last <= HIGH_SURROGATE_MAX ? charsMax - 1 : charsMax)
}

/**
 * Adds the tags of a list like `env:prod,canary` to `tags`; a tag without a value has ''. Empty places are left out, an empty name is `_`.
 * A tag that comes several times has all its values in one: whatever their order, the series is the same.
 */
export function addTags(tags: Map<string, string[]>, list: string, separator: ':' | '='): void {
  for (const tag of list.split(',')) {
    if (tag === '') continue
    const at = tag.indexOf(separator)
    const name = at < 0 ? tag : tag.slice(0, at)
    addTag(tags, name === '' ? '_' : name, at < 0 ? '' : tag.slice(at + 1))
  }
}

export function addTag(tags: Map<string, string[]>, name: string, value: string): void {
  const values = tags.get(name)
  if (values === undefined) tags.set(name, [value])
  else values.push(value)
}

/** All values of a tag as one. */
export function joined(values: readonly string[], cuts: Cuts): string {
  if (values.length === 1) return shortened(values[0] ?? '', TAG_CHARS_MAX, cuts)
  return shortened([...new Set(values)].toSorted(compareCodePoints).join(), TAG_CHARS_MAX, cuts)
}
