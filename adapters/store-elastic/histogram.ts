import type { HistogramAnswer, HistogramRequest, Quantile } from '../../core/ports.ts'
import { RECORD_FIELDS } from '../../core/record.ts'
import type { LogRecord } from '../../core/record.ts'
import { createCounts } from '../store-counts.ts'
import type { Counts } from '../store-counts.ts'
import {
  BESIDE_MAX,
  askOnce,
  atOneMoment,
  decidedBy,
  matchesAmong,
  tooManyBeside,
  undecidedBy,
  visible,
} from './ask.ts'
import type { Ask, Asking } from './ask.ts'
import { cellsOf, readCells } from './cells.ts'
import type { Cell } from './cells.ts'
import { NONE, allOf, planToDsl } from './dsl.ts'
import type { Dsl } from './dsl.ts'
import { addQuantiles } from './quantiles.ts'

export async function histogram(asking: Asking, request: HistogramRequest): Promise<HistogramAnswer> {
  const condition = planToDsl(request.plan, asking.patterns)
  const within = visible(asking, request.range)
  const decided = allOf([within, decidedBy(condition)])
  const rest = allOf([within, undecidedBy(condition)])
  if (rest === NONE && request.quantile === undefined) {
    const page = await readCells(askOnce(asking), decided, request, undefined)
    if (page.after === undefined) return answer(request, page.cells)
  }
  return atOneMoment(asking, (ask) => countAll(ask, asking, request, { decided, rest }))
}

async function countAll(
  ask: Ask,
  { numbersMax }: Asking,
  request: HistogramRequest,
  { decided, rest }: { readonly decided: Dsl; readonly rest: Dsl },
): Promise<HistogramAnswer> {
  const { plan, quantile } = request
  const counts = createCounts(quantile)
  let scanned = 0
  for await (const { startMs, value, count } of cellsOf(ask, decided, request)) {
    counts.add(startMs, value, count)
    scanned += count
  }
  const numbers: Cell[] = []
  for await (const record of matchesAmong(ask, plan, rest)) {
    const cell = cellOf(record, request)
    counts.add(cell.startMs, cell.value, 1)
    scanned += 1
    if (quantile !== undefined && numberOf(record, quantile) !== null && numbers.push(cell) > BESIDE_MAX)
      throw tooManyBeside('numbers')
  }
  if (quantile !== undefined)
    await addQuantiles({ ask, decided, request, quantile, beside: numbers, numbersMax }, counts)
  return { buckets: counts.buckets(request.by !== undefined), scanned }
}

function answer(request: HistogramRequest, cells: readonly Cell[]): HistogramAnswer {
  const counts: Counts = createCounts()
  for (const { startMs, value, count } of cells) counts.add(startMs, value, count)
  const scanned = cells.reduce((sum, { count }) => sum + count, 0)
  return { buckets: counts.buckets(request.by !== undefined), scanned }
}

function numberOf(record: LogRecord, { of }: Quantile): number | null {
  return record[RECORD_FIELDS[of].key]
}

function cellOf(record: LogRecord, { intervalMs, by, quantile }: HistogramRequest): Cell {
  return {
    startMs: Math.floor(record.timeMs / intervalMs) * intervalMs,
    value: by === undefined ? '' : record[by],
    number: (quantile && numberOf(record, quantile)) ?? 0,
    count: 1,
  }
}
