import type { TagFilter } from './types.ts'

type Tags = Readonly<Record<string, string>>

/** Whether tags fulfil every filter. */
export function compileTagFilters(filters: readonly TagFilter[]): (tags: Tags) => boolean {
  const tests = filters.map(compileFilter)
  return (tags) => tests.every((test) => test(tags))
}

function compileFilter({ tag, values, exclude }: TagFilter): (tags: Tags) => boolean {
  const exact = new Set(values.filter((value) => !/[*?]/.test(value)))
  const globs = values.filter((value) => !exact.has(value)).map((glob) => Array.from(glob))
  return (tags) => {
    const value = Object.hasOwn(tags, tag) ? tags[tag] : undefined
    // A series without the tag has no value that a wildcard could stand for.
    const isOne = value === undefined ? exact.has('') : exact.has(value) || matchesAny(value, globs)
    return isOne !== exclude
  }
}

function matchesAny(value: string, globs: readonly (readonly string[])[]): boolean {
  if (globs.length === 0) return false
  const characters = Array.from(value)
  return globs.some((glob) => matchesGlob(characters, glob))
}

/** `*` stands for any characters, `?` for one. Takes at most |value| × |glob| steps, whatever the glob. */
function matchesGlob(value: readonly string[], glob: readonly string[]): boolean {
  let at = 0
  let inGlob = 0
  let star = -1
  let starAt = 0
  while (at < value.length) {
    if (glob[inGlob] === '*') {
      star = inGlob++
      starAt = at
    } else if (inGlob < glob.length && (glob[inGlob] === '?' || glob[inGlob] === value[at])) {
      at += 1
      inGlob += 1
    } else if (star >= 0) {
      inGlob = star + 1
      at = ++starAt
    } else return false
  }
  while (glob[inGlob] === '*') inGlob += 1
  return inGlob === glob.length
}
