/** A block with more counts than this does not list them. */
const COUNTS_LISTED_MAX = 4_096
const MINUTE_MS = 60_000

/** Of each value: a minute (since the first one), how many records have it in that minute, the next minute, … */
type MinuteCounts = readonly (readonly [value: string, counts: readonly number[]])[]

/** How many records of a block are in which minute, by level and by service. */
export interface BlockMinutes {
  /** The start of the first minute. */
  readonly firstMs: number
  readonly level: MinuteCounts
  readonly service: MinuteCounts
}

/** Records of one minute, level and service. */
export interface MinuteGroup {
  readonly minuteMs: number
  readonly level: string
  readonly service: string
  readonly records: number
}

/** What the sidecar keeps of these; null: too many to list. */
export function blockMinutes(groups: readonly MinuteGroup[]): BlockMinutes | null {
  const firstMs = groups.reduce((min, { minuteMs }) => Math.min(min, minuteMs), Infinity)
  const level = countsBy(groups, 'level', firstMs)
  const service = countsBy(groups, 'service', firstMs)
  const numbers = [...level, ...service].reduce((sum, [, counts]) => sum + counts.length, 0)
  return numbers / 2 > COUNTS_LISTED_MAX ? null : { firstMs, level, service }
}

function countsBy(groups: readonly MinuteGroup[], field: 'level' | 'service', firstMs: number): MinuteCounts {
  const values = new Map<string, Map<number, number>>()
  for (const group of groups) {
    const minutes = values.get(group[field]) ?? new Map<number, number>()
    values.set(group[field], minutes)
    const minute = (group.minuteMs - firstMs) / MINUTE_MS
    minutes.set(minute, (minutes.get(minute) ?? 0) + group.records)
  }
  return [...values].map(([value, minutes]) => [value, [...minutes].flat()] as const)
}

/** Gives every minute in which records have a value of the field. */
export function eachMinute(
  minutes: BlockMinutes,
  field: 'level' | 'service',
  visit: (minuteMs: number, value: string, records: number) => void,
): void {
  for (const [value, counts] of minutes[field])
    for (let at = 0; at < counts.length; at += 2)
      visit(minutes.firstMs + (counts[at] ?? 0) * MINUTE_MS, value, counts[at + 1] ?? 0)
}
