import { PURGED_LISTED_MAX } from '../core/ports.ts'
import type { ExplainRequest, PurgedRange } from '../core/ports.ts'
import type { QueryNode } from '../core/query/plan.ts'
import { mayMatch } from '../core/query/possible.ts'
import type { LogRecord } from '../core/record.ts'

/** Values of records, kept to tell later what cannot have been among them. */
export interface HeldValues {
  readonly levels: readonly string[]
  /** null: too many to keep. */
  readonly services: readonly string[] | null
  /** Absent: they may be of any site. */
  readonly site?: string
}

/** What was purged, and which values it held. */
export interface Purged extends PurgedRange, HeldValues {}

const SERVICES_MAX = 256

/** Collects what is to be said of records when they are gone. */
export interface PurgedCount {
  add(record: Pick<LogRecord, 'timeMs' | 'level' | 'service'>): void
  /** null: no record was added. */
  purged(because: Pick<PurgedRange, 'site' | 'class' | 'reason' | 'atMs'>): Purged | null
}

export function createPurgedCount(): PurgedCount {
  const levels = new Set<string>()
  const services = new Set<string>()
  let [fromMs, toMs, records] = [Infinity, -Infinity, 0]
  return {
    add({ timeMs, level, service }) {
      fromMs = Math.min(fromMs, timeMs)
      toMs = Math.max(toMs, timeMs + 1)
      records += 1
      levels.add(level)
      if (services.size <= SERVICES_MAX) services.add(service)
    },
    purged: (because) =>
      records === 0
        ? null
        : { ...because, fromMs, toMs, records, levels: [...levels], services: boundedServices(services) },
  }
}

/**
 * Adds to what was purged. What expired at ingest is one range per class, and of many ranges the two oldest of a class become one:
 * the list stays short, and says of no time that nothing is missing there when something is.
 */
export function withPurged(list: readonly Purged[], added: Purged): readonly Purged[] {
  const same = list.find((other) => added.reason === 'expired' && isSameKind(other, added))
  if (same !== undefined) return list.map((other) => (other === same ? merged(same, added) : other))
  const all = [...list, added].sort(oldestFirst)
  return all.length <= PURGED_LISTED_MAX ? all : shortened(all)
}

/** Those that touch the range and may have held a match; oldest first. */
export function listPurged(list: readonly Purged[], { plan, range }: ExplainRequest): readonly PurgedRange[] {
  return list
    .filter(({ fromMs, toMs }) => fromMs < range.toMs && toMs > range.fromMs)
    .filter((purged) => mayHold(plan.root, purged))
    .sort(oldestFirst)
    .slice(0, PURGED_LISTED_MAX)
    .map(publicRange)
}

/** What a caller sees of it. */
export function publicRange(purged: Purged): PurgedRange {
  const { levels: _levels, services: _services, ...range } = purged
  return range
}

/** False when no record among these values can be found: not one of any of the levels. */
export function mayHold(node: QueryNode, { levels, services, site }: HeldValues): boolean {
  const others = {
    ...(services === null ? {} : { service: services }),
    ...(site === undefined ? {} : { site: [site] }),
  }
  return levels.some((level) => mayMatch(node, { ...others, level: [level] }))
}

function oldestFirst(left: PurgedRange, right: PurgedRange): number {
  return left.fromMs - right.fromMs || left.toMs - right.toMs
}

function isSameKind(left: Purged, right: Purged): boolean {
  return left.site === right.site && left.class === right.class && left.reason === right.reason
}

/** Makes one range of the two oldest of the same kind. */
function shortened(all: readonly Purged[]): readonly Purged[] {
  for (const [index, oldest] of all.entries()) {
    const next = all.slice(index + 1).find((other) => isSameKind(oldest, other))
    if (next === undefined) continue
    return all.filter((other) => other !== next).map((one) => (one === oldest ? merged(oldest, next) : one))
  }
  return all
}

function merged(left: Purged, right: Purged): Purged {
  return {
    ...left,
    atMs: Math.max(left.atMs, right.atMs),
    fromMs: Math.min(left.fromMs, right.fromMs),
    toMs: Math.max(left.toMs, right.toMs),
    records: left.records + right.records,
    levels: [...new Set([...left.levels, ...right.levels])],
    services:
      left.services === null || right.services === null
        ? null
        : boundedServices(new Set([...left.services, ...right.services])),
  }
}

function boundedServices(services: ReadonlySet<string>): readonly string[] | null {
  return services.size <= SERVICES_MAX ? [...services] : null
}
