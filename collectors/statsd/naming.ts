import { compareCodePoints, METRIC_NAME_CHARS_MAX, TAG_CHARS_MAX, TAGS_MAX } from '../../core/metrics/wire.ts'
import { STAMPED_TAGS } from '../../core/metrics/types.ts'
import { addTag, addTags, joined, printable, shortened, type Cuts } from './tags.ts'

/** One series, however its name and tags were spelled. */
export interface NamedSeries {
  readonly name: string
  /** Start of its lines on the wire, `["name","c",{"tag":"value"},`: the same for the same series only. */
  readonly prefix: string
}

/** By COUNTER, GAUGE, SET, DISTRIBUTION. */
const LETTERS = 'cgsd'

/**
 * Names a series from its raw name, which may bring tags (`name,tag=value` of Influx, `name[tag=value]` of SignalFx), and the raw list behind
 * '|#'. What is too long is cut and counted in `cuts`. Null: nothing is left of the name.
 */
export function createNaming(stamped: Readonly<Record<string, string>>, cuts: Cuts) {
  const reserved = new Set([...STAMPED_TAGS, ...Object.keys(stamped)])
  const ownTags = Object.entries(stamped)
  const ownMax = Math.max(0, TAGS_MAX - ownTags.length)

  function exported(raw: Map<string, string[]>): [string, string][] {
    const tags = new Map<string, string[]>()
    for (const [name, values] of raw) {
      const own = shortened(reserved.has(name) ? `exported_${name}` : name, TAG_CHARS_MAX, cuts)
      for (const value of values) addTag(tags, own, value)
    }
    const named = [...tags].toSorted(([a], [b]) => compareCodePoints(a, b))
    if (named.length > ownMax) cuts.count++
    return named.slice(0, ownMax).map(([name, values]) => [name, joined(values, cuts)])
  }

  return (kind: number, rawName: string, rawTags: string): NamedSeries | null => {
    const tags = new Map<string, string[]>()
    const name = shortened(takeTags(printable(rawName), tags), METRIC_NAME_CHARS_MAX, cuts)
    if (name === '') return null
    addTags(tags, printable(rawTags), ':')
    const all = [...exported(tags), ...ownTags].toSorted(([a], [b]) => compareCodePoints(a, b))
    const pairs = all.map(([tag, value]) => `${JSON.stringify(tag)}:${JSON.stringify(value)}`)
    return { name, prefix: `[${JSON.stringify(name)},"${LETTERS[kind]}",{${pairs.join()}},` }
  }
}

/** The name without the tags in it, which are added to `tags`. */
function takeTags(rawName: string, tags: Map<string, string[]>): string {
  let name = rawName
  const open = name.indexOf('[')
  const close = open < 0 ? -1 : name.indexOf(']', open)
  if (close > 0) {
    addTags(tags, name.slice(open + 1, close), '=')
    name = name.slice(0, open) + name.slice(close + 1)
  }
  const comma = name.indexOf(',')
  if (comma < 0) return name
  addTags(tags, name.slice(comma + 1), '=')
  return name.slice(0, comma)
}
