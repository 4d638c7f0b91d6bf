import { parseQuery } from '../core/query/parse.ts'
import type { QueryPlan } from '../core/query/plan.ts'

const HOUR_MS = 3_600_000
export const DAY_HOURS = 24
/** So long before now the generated day starts: the rest of it is in the future, so that an hour of it can be purged at will. */
const AGE_HOURS = 6
const QUARTER_MS = 900_000

export const RECORDS = Number(process.env['RECORDS'] ?? 5_000_000)
export const BATCH = Number(process.env['BATCH'] ?? 1_000)
export const IN_FLIGHT = Number(process.env['IN_FLIGHT'] ?? 4)
export const BODIES = process.env['BENCH_BODIES']

/** In a third of generated records, in a twentieth, and two that some errors hold together. */
const [common = '', medium = '', first = '', second = ''] = (
  process.env['WORDS'] ?? 'request,order,connection,refused'
).split(',')
/** Put into NEEDLES records of the day. */
export const RARE_WORD = 'needle7f3a9c0e51'
export const NEEDLES = 3
/** A service of the generator that is asked for by itself. */
export const SERVICE = process.env['SERVICE'] ?? 'checkout'

/** The day that is generated, and the parts of it that are asked for. */
export const DAY = (() => {
  const fromMs = Math.floor(Date.now() / HOUR_MS) * HOUR_MS - AGE_HOURS * HOUR_MS
  return { fromMs, toMs: fromMs + DAY_HOURS * HOUR_MS }
})()
const middleMs = (DAY.fromMs + DAY.toMs) / 2
export const QUARTER = { fromMs: middleMs, toMs: middleMs + QUARTER_MS }
export const FIRST_HOUR = { fromMs: DAY.fromMs, toMs: DAY.fromMs + HOUR_MS }
export const MINUTE_MS = 60_000
export const SAMPLE_MINUTE = { fromMs: middleMs, toMs: middleMs + MINUTE_MS }

export const planOf = (text: string): QueryPlan => parseQuery(text, { nowMs: DAY.toMs })

export const PLANS = {
  everything: planOf(''),
  rare: planOf(RARE_WORD),
  common: planOf(common),
  medium: planOf(medium),
  pair: planOf(`${first} ${second} level:error`),
  errors: planOf('level:error'),
  service: planOf(`service:${SERVICE}`),
} as const
