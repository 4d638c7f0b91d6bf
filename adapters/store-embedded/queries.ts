import type {
  ArrivalsPage,
  ArrivalsRequest,
  ExplainRequest,
  Explanation,
  ExportPage,
  HistogramAnswer,
  HistogramRequest,
  SearchPage,
  SearchRequest,
  TopAnswer,
  TopRequest,
} from '../../core/ports.ts'
import type { Sql } from './duckdb.ts'
import { exportPage } from './exporting.ts'
import { histogram } from './histogram.ts'
import { arrivals, search } from './listing.ts'
import { recordsOf, selectParts } from './parts.ts'
import type { Part } from './parts.ts'
import { planToSql } from './plan-sql.ts'
import { createRun } from './run.ts'
import type { Run } from './run.ts'
import type { Shelf, Snapshot, Source } from './shelf.ts'
import { top } from './top.ts'

/** Answers queries over what is on the shelf, each from one moment. */
export interface Queries {
  search(request: SearchRequest, signal: AbortSignal): Promise<SearchPage>
  exportPage(request: SearchRequest, signal: AbortSignal): Promise<ExportPage>
  histogram(request: HistogramRequest, signal: AbortSignal): Promise<HistogramAnswer>
  top(request: TopRequest, signal: AbortSignal): Promise<TopAnswer>
  explain(request: ExplainRequest): Promise<Explanation>
  arrivals(request: ArrivalsRequest, signal: AbortSignal): Promise<ArrivalsPage>
}

type Answer<Request, Answered> = (
  request: Request,
  held: Snapshot,
  run: Run,
  signal: AbortSignal,
) => Promise<Answered>

/** Latency quantiles of more than `exactQuantileRecordsMax` records are estimated. */
export function createQueries(sql: Sql, shelf: Shelf, exactQuantileRecordsMax?: number): Queries {
  const run = createRun(sql, shelf)

  function holding<Request, Answered>(answer: Answer<Request, Answered>) {
    return async (request: Request, signal: AbortSignal): Promise<Answered> => {
      const held = shelf.snapshot()
      try {
        return await answer(request, held, run, signal)
      } finally {
        held.release()
      }
    }
  }

  const explained = holding(explain)
  return {
    search: holding(search),
    exportPage: holding(exportPage),
    histogram: holding((request: HistogramRequest, held, run, signal) =>
      histogram(request, held, run, signal, exactQuantileRecordsMax),
    ),
    top: holding(top),
    arrivals: holding(arrivals),
    explain: (request) => explained(request, new AbortController().signal),
  }
}

async function explain({ plan, range }: ExplainRequest, { sources }: Snapshot): Promise<Explanation> {
  const { parts, ...excluded } = await selectParts(sources, plan, range)
  const read = new Set(parts.map(({ source }) => source))
  const { outOfRange, excludedByValues, excludedByWords } = excluded
  return {
    partitions: partitionsOf(sources).size,
    partitionsRead: partitionsOf(read).size,
    blocks: {
      total: parts.length + outOfRange + excludedByValues + excludedByWords,
      ...excluded,
      read: parts.length,
    },
    records: recordsOf(parts),
    bytes: bytesOf(parts),
    exact: planToSql(plan).undecided === 'none',
  }
}

/** Hot tables count as one: what is in them is in no partition yet. */
function partitionsOf(sources: Iterable<Source>): ReadonlySet<string> {
  return new Set(
    [...sources].map(({ from }) =>
      from.type === 'hot' ? 'hot' : `${from.segment.class} ${from.segment.slotMs}`,
    ),
  )
}

/** Of a segment, the share that its blocks have of its records. */
function bytesOf(parts: readonly Part[]): number {
  const shares = parts.map(({ source: { from }, records }) =>
    from.type === 'hot' ? 0 : (from.segment.bytes * records) / from.segment.records,
  )
  return Math.round(shares.reduce((sum, share) => sum + share, 0))
}
