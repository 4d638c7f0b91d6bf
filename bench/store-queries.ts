import { messageOf } from '../core/errors.ts'
import type { ExportPage, HistogramAnswer, SearchAfter, SearchPage, Store, TopAnswer } from '../core/ports.ts'
import { processCpuS } from './store-ingest.ts'
import { DAY, MINUTE_MS, NEEDLES, planOf, PLANS, QUARTER, RECORDS, SAMPLE_MINUTE } from './store-plans.ts'
import type { Row } from './store-table.ts'
import { HISTOGRAM_MS, type Truth } from './store-truth.ts'
import { quantile } from './support.ts'

const REPEATS = 7
const NEWEST = 100
const EXPORTED = Math.min(1_000_000, RECORDS)
const EXPORT_PAGE = 50_000
const EXPORT_REPEATS = 5
/** Sketches may be so far from the exact quantile. */
const QUANTILE_ERROR_MAX = 0.02
const NEWLINE = 0x0a
const never = new AbortController().signal

/** A question with what is asked of it; `problem` says what is wrong with an answer, null: nothing. */
interface Question<T> {
  readonly what: string
  readonly atMostMs: number
  readonly rival: number
  readonly repeats?: number
  readonly run: () => Promise<T>
  readonly problem: (answer: T) => string | null
}

async function measured<T>({
  what,
  atMostMs,
  rival,
  repeats = REPEATS,
  run,
  problem,
}: Question<T>): Promise<Row> {
  const row = { what, unit: 'p50 ms', target: { atMost: atMostMs }, rival }
  try {
    const firstStartMs = performance.now()
    const answer = await run()
    const firstMs = performance.now() - firstStartMs
    const wrong = problem(answer)
    const tookMs: number[] = []
    const cpuS = processCpuS()
    for (let i = 0; i < repeats; i++) {
      const startMs = performance.now()
      await run()
      tookMs.push(performance.now() - startMs)
    }
    const cpuMs = ((processCpuS() - cpuS) * 1_000) / repeats
    const note = `first ${firstMs.toFixed(1)} ms, CPU ${cpuMs.toFixed(1)} ms`
    const done = { ...row, result: quantile(tookMs, 0.5), note }
    return wrong === null ? done : { ...done, problem: wrong }
  } catch (error) {
    return { ...row, result: 'failed', problem: messageOf(error) }
  }
}

/** Every question of the issue, one after the other, each several times. */
export async function askEverything(store: Store, truth: Truth): Promise<Row[]> {
  return [
    await measured(rareWord(store, truth)),
    await measured(newestCommon(store, truth)),
    await measured(twoWordsAndLevel(store, truth)),
    await measured(histogram(store, truth)),
    await measured(histogramWithText(store, truth)),
    await measured(topHosts(store, truth)),
    await measured(latencyQuantiles(store, truth)),
    ...(truth.trace() === '' ? [] : [await measured(traceId(store, truth))]),
    await measured(newestOfService(store, truth)),
    await measured(exported(store)),
  ]
}

const differs = (what: string, found: number, expected: number) =>
  found === expected ? null : `${what}: ${found} instead of ${expected}`

function idsProblem({ records }: SearchPage, expected: readonly string[]): string | null {
  const at = expected.findIndex((id, i) => records[i]?.id !== id)
  return at < 0 ? differs('records', records.length, expected.length) : `record ${at} is another one`
}

function rareWord(store: Store, truth: Truth): Question<SearchPage> {
  return {
    what: 'rare word over 24 h',
    atMostMs: 40,
    rival: 3,
    run: () => store.search({ plan: PLANS.rare, range: DAY, limit: NEWEST }, never),
    problem: ({ records }) =>
      differs('planted', truth.counts.rare, NEEDLES) ?? differs('records', records.length, truth.counts.rare),
  }
}

function newestCommon(store: Store, truth: Truth): Question<SearchPage> {
  return {
    what: 'newest 100 of a common word',
    atMostMs: 40,
    rival: 131,
    run: () => store.search({ plan: PLANS.common, range: DAY, limit: NEWEST }, never),
    problem: (page) => idsProblem(page, truth.newestCommon()),
  }
}

function twoWordsAndLevel(store: Store, truth: Truth): Question<{ found: number; matched: number }> {
  const request = { plan: PLANS.pair, range: DAY, limit: NEWEST }
  return {
    what: 'two words + level, 100 and exact count',
    atMostMs: 350,
    rival: 106,
    async run() {
      const page = await store.search(request, never)
      const { matched } = await store.top({ ...request, field: 'level' }, never)
      return { found: page.records.length, matched }
    },
    problem: ({ found, matched }) =>
      differs('matched', matched, truth.counts.pair) ??
      differs('records', found, Math.min(NEWEST, truth.counts.pair)),
  }
}

function histogram(store: Store, truth: Truth): Question<HistogramAnswer> {
  const request = { plan: PLANS.everything, range: DAY, intervalMs: HISTOGRAM_MS, by: 'level' as const }
  return {
    what: 'histogram by level, no text',
    atMostMs: 30,
    rival: 80,
    run: () => store.histogram(request, never),
    problem: ({ buckets }) => truth.levelsProblem(buckets),
  }
}

function histogramWithText(store: Store, truth: Truth): Question<HistogramAnswer> {
  const request = { plan: PLANS.medium, range: DAY, intervalMs: HISTOGRAM_MS, by: 'level' as const }
  return {
    what: 'histogram by level, with text',
    atMostMs: 300,
    rival: 80,
    run: () => store.histogram(request, never),
    problem: ({ buckets }) => truth.mediumProblem(buckets),
  }
}

function topHosts(store: Store, truth: Truth): Question<TopAnswer> {
  const expected = [...truth.hostErrors].toSorted(([a, n], [b, m]) => m - n || (a < b ? -1 : 1)).slice(0, 10)
  const total = [...truth.hostErrors.values()].reduce((sum, count) => sum + count, 0)
  return {
    what: 'top 10 hosts by errors',
    atMostMs: 50,
    rival: 10.5,
    run: () => store.top({ plan: PLANS.errors, range: DAY, field: 'host', limit: 10 }, never),
    problem: ({ values, matched }) =>
      JSON.stringify(values.map(({ value, count }) => [value, count])) === JSON.stringify(expected)
        ? differs('matched', matched, total)
        : 'other hosts or counts',
  }
}

function latencyQuantiles(store: Store, truth: Truth): Question<HistogramAnswer> {
  const request = {
    plan: PLANS.everything,
    range: DAY,
    intervalMs: MINUTE_MS,
    by: 'service' as const,
    quantile: { of: 'latency_ms' as const, p: 0.99 },
  }
  return {
    what: 'p99 per service and minute',
    atMostMs: 100,
    rival: 279,
    run: () => store.histogram(request, never),
    problem({ buckets }) {
      const quantiles = buckets.find(({ startMs }) => startMs === SAMPLE_MINUTE.fromMs)?.quantiles ?? {}
      for (const [service, values] of truth.latencies) {
        const exact = values.toSorted((a, b) => a - b)[Math.ceil(0.99 * values.length) - 1] ?? 0
        const found = quantiles[service] ?? Number.NaN
        if (!(Math.abs(found - exact) <= QUANTILE_ERROR_MAX * exact))
          return `p99 of ${service}: ${found} instead of ${exact}`
      }
      return differs('services', Object.keys(quantiles).length, truth.latencies.size)
    },
  }
}

function traceId(store: Store, truth: Truth): Question<SearchPage> {
  const plan = planOf(`trace:${truth.trace()}`)
  return {
    what: 'trace id',
    atMostMs: 20,
    rival: 3.5,
    run: () => store.search({ plan, range: DAY, limit: 1_000 }, never),
    problem: ({ records }) => differs('records', records.length, Math.min(1_000, truth.counts.trace)),
  }
}

function newestOfService(store: Store, truth: Truth): Question<SearchPage> {
  return {
    what: 'newest 100 of one service in 15 min',
    atMostMs: 71,
    rival: 71,
    run: () => store.search({ plan: PLANS.service, range: QUARTER, limit: NEWEST }, never),
    problem: (page) => idsProblem(page, truth.newestOfService()),
  }
}

function exported(store: Store): Question<Exported> {
  return {
    what: `${EXPORTED} rows exported`,
    atMostMs: 2_500,
    rival: 1_200,
    repeats: EXPORT_REPEATS,
    run: () => exportRows(store, EXPORTED),
    problem: ({ records, last }) =>
      differs('rows', records, EXPORTED) ?? differs('lines of the last page', linesOf(last), last.records),
  }
}

interface Exported {
  readonly records: number
  readonly last: ExportPage
}

async function exportRows(store: Store, rows: number): Promise<Exported> {
  let records = 0
  let after: SearchAfter | undefined
  for (;;) {
    const limit = Math.min(EXPORT_PAGE, rows - records)
    const last = await store.exportPage({ plan: PLANS.everything, range: DAY, limit, after }, never)
    records += last.records
    if (last.next === null || records >= rows) return { records, last }
    after = last.next
  }
}

function linesOf({ ndjson }: ExportPage): number {
  return ndjson.reduce((lines, byte) => (byte === NEWLINE ? lines + 1 : lines), 0)
}
