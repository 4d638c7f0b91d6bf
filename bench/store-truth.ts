import { compileMatcher } from '../core/query/matches.ts'
import type { HistogramBucket } from '../core/ports.ts'
import type { LogRecord } from '../core/record.ts'
import { FIRST_HOUR, PLANS, QUARTER, RARE_WORD, SAMPLE_MINUTE } from './store-plans.ts'

export const HISTOGRAM_MS = 300_000
const NEWEST = 100
/** Candidates are sorted and cut to the newest when they are so many. */
const CANDIDATES_MAX = 20_000

/** What the store has to answer, counted while the records are made. */
export type Truth = ReturnType<typeof createTruth>

/** Counts by `core/query/matches.ts`, the meaning of every plan, on every record: a fast wrong answer must fail the bench. */
export function createTruth() {
  const isCommon = compileMatcher(PLANS.common)
  const isMedium = compileMatcher(PLANS.medium)
  const isPair = compileMatcher(PLANS.pair)
  const isService = compileMatcher(PLANS.service)
  const common = createNewest()
  const ofService = createNewest()
  const levels = new Map<string, number>()
  const mediumLevels = new Map<string, number>()
  const hostErrors = new Map<string, number>()
  const latencies = new Map<string, number[]>()
  const counts = { records: 0, rare: 0, pair: 0, common: 0, medium: 0, firstHour: 0, trace: 0 }
  let trace = ''

  function see(record: LogRecord): void {
    const { timeMs, level, host, service, latencyMs } = record
    counts.records += 1
    add(levels, cellOf(timeMs, level))
    if (timeMs < FIRST_HOUR.toMs) counts.firstHour += 1
    if (level === 'error') add(hostErrors, host)
    if (trace === '') trace = record.trace
    if (trace !== '' && record.trace === trace) counts.trace += 1
    if (record.message.includes(RARE_WORD)) counts.rare += 1
    seeWords(record)
    if (timeMs >= QUARTER.fromMs && timeMs < QUARTER.toMs && isService(record)) ofService.add(record)
    if (latencyMs === null || timeMs < SAMPLE_MINUTE.fromMs || timeMs >= SAMPLE_MINUTE.toMs) return
    const values = latencies.get(service)
    if (values === undefined) latencies.set(service, [latencyMs])
    else values.push(latencyMs)
  }

  function seeWords(record: LogRecord): void {
    if (isCommon(record)) {
      counts.common += 1
      common.add(record)
    }
    if (isMedium(record)) {
      counts.medium += 1
      add(mediumLevels, cellOf(record.timeMs, record.level))
    }
    if (isPair(record)) counts.pair += 1
  }

  return {
    see,
    counts,
    hostErrors,
    latencies,
    trace: () => trace,
    /** Ids, newest first. */
    newestCommon: () => common.ids(),
    newestOfService: () => ofService.ids(),
    /** Says how a histogram by level differs; null: it does not. */
    levelsProblem: (buckets: readonly HistogramBucket[]) => differenceOf(levels, buckets),
    mediumProblem: (buckets: readonly HistogramBucket[]) => differenceOf(mediumLevels, buckets),
  }
}

function add(counts: Map<string, number>, key: string): void {
  counts.set(key, (counts.get(key) ?? 0) + 1)
}

function cellOf(timeMs: number, level: string): string {
  return `${Math.floor(timeMs / HISTOGRAM_MS) * HISTOGRAM_MS} ${level}`
}

function differenceOf(
  expected: ReadonlyMap<string, number>,
  buckets: readonly HistogramBucket[],
): string | null {
  let cells = 0
  for (const { startMs, by } of buckets) {
    for (const [level, count] of Object.entries(by)) {
      const truth = expected.get(`${startMs} ${level}`) ?? 0
      if (count !== truth) return `${count} records of level '${level}' at ${startMs} instead of ${truth}`
      cells += 1
    }
  }
  return cells === expected.size ? null : `${cells} cells instead of ${expected.size}`
}

type Place = Pick<LogRecord, 'timeMs' | 'id'>

/** Remembers the newest records of a stream that is nearly in order. */
function createNewest() {
  let places: Place[] = []
  const cut = () => {
    places = places.toSorted(newestFirst).slice(0, NEWEST)
  }
  return {
    add({ timeMs, id }: Place) {
      places.push({ timeMs, id })
      if (places.length > CANDIDATES_MAX) cut()
    },
    ids() {
      cut()
      return places.map(({ id }) => id)
    },
  }
}

function newestFirst(a: Place, b: Place): number {
  return b.timeMs - a.timeMs || (a.id < b.id ? 1 : -1)
}
