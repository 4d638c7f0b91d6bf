import { createClassifier, purgeAtMs, slotMsOf } from '../../core/retention.ts'
import type { Retained, Retention, RetentionClass } from '../../core/retention.ts'
import { SERVICES_LISTED_MAX } from './segment-index.ts'

/** What is purged as a whole: the records of a retention class in a time slot. */
export interface Partition {
  /** Name of the class. */
  readonly class: string
  /** The slot, half-open. */
  readonly slotMs: number
  readonly slotEndMs: number
}

/** The retention policy as it applies to partitions. */
export interface Policies {
  readonly bytesMax: number | null
  readonly classes: readonly RetentionClass[]
  /** Width of the slots of each class. */
  readonly slotsMs: readonly number[]
  readonly classOf: (record: Retained) => number
  partition(classIndex: number, slotMs: number): Partition
  /** When it is purged at the latest. A class that is no longer configured is kept as long as the last one. */
  purgeAtMs(partition: Pick<Partition, 'class' | 'slotMs'>): number
  /** For each class the first time that is kept at `nowMs`; older records are due. */
  keptFromMs(nowMs: number): readonly number[]
}

export function createPolicies(retention: Retention): Policies {
  const { classes, bytesMax } = retention
  const slotsMs = classes.map(slotMsOf)
  const last = classes.at(-1)
  const byName = new Map(classes.map((one) => [one.name, one]))
  if (last === undefined) throw new Error('a retention policy has at least one class')
  return {
    bytesMax,
    classes,
    slotsMs,
    classOf: createClassifier(retention),
    partition(classIndex, slotMs) {
      return {
        class: (classes[classIndex] ?? last).name,
        slotMs,
        slotEndMs: slotMs + (slotsMs[classIndex] ?? 0),
      }
    },
    purgeAtMs: (partition) => purgeAtMs(partition.slotMs, byName.get(partition.class) ?? last),
    keptFromMs(nowMs) {
      return classes.map(({ maxAgeMs }, index) => {
        const slotMs = slotsMs[index] ?? 0
        return maxAgeMs === Infinity ? -Infinity : (Math.floor((nowMs - maxAgeMs) / slotMs) + 1) * slotMs
      })
    },
  }
}

/** What a generation holds of a partition. */
export interface HotPartition {
  readonly classIndex: number
  readonly slotMs: number
  records: number
  firstPosition: number
  lastPosition: number
  minMs: number
  maxMs: number
  readonly levels: ReadonlySet<string>
  /** Services beyond SERVICES_COUNTED_MAX are left out. */
  readonly services: ReadonlySet<string>
}

/** More than are ever listed. */
const SERVICES_COUNTED_MAX = SERVICES_LISTED_MAX + 1

/** A record as its partition follows from it, and what is told of that when it is gone. */
export interface CountedRecord {
  readonly classIndex: number
  readonly position: number
  readonly timeMs: number
  readonly ingestedMs: number
  readonly level: string
  readonly service: string
}

/** Counts records by partition. Records that come together mostly lie in the same one. */
export interface PartitionCounts {
  add(record: CountedRecord): void
  /** Oldest slot first. */
  list(): readonly HotPartition[]
}

export function createPartitionCounts(slotsMs: readonly number[]): PartitionCounts {
  const counts = slotsMs.map(() => new Map<number, Counted>())
  const latest: (Counted | undefined)[] = slotsMs.map(() => undefined)

  function partitionOf(classIndex: number, agedMs: number, position: number): Counted {
    const widthMs = slotsMs[classIndex] ?? 1
    const last = latest[classIndex]
    if (last !== undefined && agedMs >= last.slotMs && agedMs < last.slotMs + widthMs) return last
    const slotMs = Math.floor(agedMs / widthMs) * widthMs
    const found = counts[classIndex]?.get(slotMs) ?? {
      classIndex,
      slotMs,
      records: 0,
      firstPosition: position,
      lastPosition: position,
      minMs: Infinity,
      maxMs: -Infinity,
      levels: new Set<string>(),
      services: new Set<string>(),
      last: { level: null, service: null },
    }
    counts[classIndex]?.set(slotMs, found)
    latest[classIndex] = found
    return found
  }

  return {
    add({ classIndex, position, timeMs, ingestedMs, level, service }) {
      const partition = partitionOf(classIndex, Math.min(timeMs, ingestedMs), position)
      partition.records += 1
      partition.lastPosition = position
      if (timeMs < partition.minMs) partition.minMs = timeMs
      if (timeMs > partition.maxMs) partition.maxMs = timeMs
      noteValues(partition, level, service)
    },
    list: () =>
      counts.flatMap((slots) => [...slots.values()]).sort((left, right) => left.slotMs - right.slotMs),
  }
}

interface Counted extends HotPartition {
  readonly levels: Set<string>
  readonly services: Set<string>
  /** The values of the record before, which mostly are those of the next. */
  readonly last: { level: string | null; service: string | null }
}

function noteValues({ last, levels, services }: Counted, level: string, service: string): void {
  if (last.level !== level) levels.add(level)
  if (last.service !== service && services.size < SERVICES_COUNTED_MAX) services.add(service)
  last.level = level
  last.service = service
}
