import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { heldRecord } from '../../adapters/store-record.ts'
import { HISTOGRAM_BY, QUANTILE_OF } from '../../core/ports.ts'
import type {
  Arrival,
  HistogramBucket,
  HistogramRequest,
  Quantile,
  SearchRequest,
  Store,
  TimeRange,
  TopAnswer,
  TopRequest,
} from '../../core/ports.ts'
import { compileGrep } from '../../core/query/grep.ts'
import { compileMatcher, matches } from '../../core/query/matches.ts'
import { MATCH_ALL } from '../../core/query/plan.ts'
import type { QueryPlan } from '../../core/query/plan.ts'
import { RECORD_FIELDS, isFieldName, toPublicRecord } from '../../core/record.ts'
import type { LogRecord } from '../../core/record.ts'
import { KEEP_ALL } from '../../core/retention.ts'
import type { Retention } from '../../core/retention.ts'
import { plan, recordFields } from '../support/record-arbitraries.ts'
import { storedBatch } from '../support/records.ts'
import type { RecordFields } from '../support/records.ts'
import { EVER, never, newestFirst, oldestFirst, parseNdjson } from '../support/store-under-test.ts'
import type { MakeStore, StoreUnderTest } from '../support/store-under-test.ts'

/** Random cases for one store in `npm test`; test/soak runs many more. */
const RUNS = 2_000
/** Cases asked of the same records: opening a store takes as long as some ten of them. */
const RUNS_PER_WORLD = 250
const RECORDS_MAX = 160
const TIMEOUT_MS = 120_000

/** Every class in partitions of its own; nothing ever is old. */
const MANY_CLASSES: Retention = {
  classes: [
    { name: 'debug', maxAgeMs: Infinity, bytesMax: null, match: { levels: ['debug', 'trace'] } },
    { name: 'web', maxAgeMs: Infinity, bytesMax: null, match: { services: ['web', 'web-1'] } },
    { name: 'rest', maxAgeMs: Infinity, bytesMax: null, match: {} },
  ],
  bytesMax: null,
}

export interface OracleRun {
  readonly runs: number
  readonly seed: number
  /** Called after each world with the number of cases so far. */
  readonly progress?: (runs: number) => void
}

/** Part of the contract of `Store`: every answer is the one that `matches` gives, on random records and plans. */
export function storeOracle(make: MakeStore): void {
  const runs = Number(process.env['PROPERTY_RUNS'] ?? RUNS)
  const seed = Number(process.env['PROPERTY_SEED'] ?? Math.floor(Math.random() * 2 ** 31))

  test(
    `${runs} random queries`,
    async () => {
      await agreesWithMatcher(make, { runs, seed })
    },
    Math.max(TIMEOUT_MS, runs * 100),
  )
}

/** Asks a new world of records every RUNS_PER_WORLD cases. Throws with the seed of the world, and the smallest case that fails. */
export async function agreesWithMatcher(make: MakeStore, { runs, seed, progress }: OracleRun): Promise<void> {
  for (let done = 0; done < runs; done += RUNS_PER_WORLD) {
    const parameters = { numRuns: Math.min(RUNS_PER_WORLD, runs - done), seed: seed + done }
    try {
      const spread = sampleSpread(parameters.seed)
      await using made = await make({ retention: spread.retention })
      const world = await createWorld(made, spread)
      await fc.assert(
        fc.asyncProperty(question, (asked) => agrees(world, asked)),
        parameters,
      )
    } catch (error) {
      const repeat = `PROPERTY_SEED=${parameters.seed} PROPERTY_RUNS=${RUNS_PER_WORLD}`
      throw new Error(`repeat with ${repeat}`, { cause: error })
    }
    progress?.(done + parameters.numRuns)
  }
}

/** A store with records, and these as the store has to answer about them. */
interface World {
  readonly store: Store
  /** In order of arrival. */
  readonly arrived: readonly Arrival[]
}

/** How the records of a world are spread: batches of so many, from several collectors, with restarts in between. */
interface Spread {
  readonly retention: Retention
  readonly fields: readonly RecordFields[]
  readonly batches: readonly {
    readonly size: number
    readonly collector: string
    readonly restart: boolean
  }[]
}

const spreads: fc.Arbitrary<Spread> = fc.record({
  retention: fc.constantFrom(KEEP_ALL, MANY_CLASSES),
  fields: fc.array(recordFields, { minLength: 1, maxLength: RECORDS_MAX, size: 'max' }),
  batches: fc.array(
    fc.record({
      size: fc.oneof(fc.nat(5), fc.integer({ min: 10, max: 100 })),
      collector: fc.constantFrom('web-1', 'web-2', 'db'),
      restart: fc.nat(9).map((one) => one === 0),
    }),
    { maxLength: RECORDS_MAX, size: 'max' },
  ),
})

function sampleSpread(seed: number): Spread {
  const [spread] = fc.sample(spreads, { numRuns: 1, seed })
  if (spread === undefined) throw new Error('fast-check made no sample')
  return spread
}

async function createWorld(made: StoreUnderTest, { fields, batches }: Spread): Promise<World> {
  let { store } = made
  const records: LogRecord[] = []
  const rest = { size: RECORDS_MAX, collector: 'web-1', restart: false }
  for (const [index, { size, collector, restart }] of [...batches, rest].entries()) {
    if (records.length === fields.length) break
    const batch = storedBatch(fields.slice(records.length, records.length + size), {
      seq: index + 1,
      collector,
    })
    await store.append(batch, never)
    records.push(...batch.records.map(heldRecord))
    if (restart) store = (await made.reopen?.()) ?? store
  }
  const { arrivals } = await store.arrivals({ plan: MATCH_ALL, after: 0, limit: RECORDS_MAX + 1 }, never)
  expect(arrivals.map(({ record }) => record)).toEqual(records)
  return { store, arrived: arrivals }
}

/** One random question of one random kind. */
type Question = Readonly<{
  kind: (typeof KINDS)[number]
  plan: QueryPlan
  range: TimeRange
  limit: number
  order: 'newest' | 'oldest'
  grep: string | undefined
  /** Which record, counted modulo their number, the page comes after; undefined: from the start. */
  after: number | undefined
  intervalMs: number
  by: HistogramRequest['by']
  quantile: Quantile | undefined
  field: string
}>

const KINDS = ['search', 'export', 'histogram', 'top', 'arrivals', 'explain'] as const
const TOP_FIELDS = [
  ...Object.entries(RECORD_FIELDS).flatMap(([name, { kind }]) =>
    name !== 'id' && (kind === 'keyword' || kind === 'number') ? name : [],
  ),
  'user',
  'http.status',
  'labels.team',
  'größe',
  '__proto__',
  'toString',
  'odd key',
  'quo"te',
  'back\\slash',
  "it's",
  'nul\0',
  'nowhere',
]
const GREPS = [
  'error',
  '(?i)ERROR',
  '^$',
  'web-[0-9]',
  'user_id=4.',
  'r t',
  '[^\\x00-\\x7f]',
  '^(null|true)$',
]

const question: fc.Arbitrary<Question> = fc.record({
  kind: fc.constantFrom(...KINDS),
  plan,
  range: fc.oneof(
    fc.constant(EVER),
    fc
      .tuple(fc.integer({ min: -25, max: 25 }), fc.nat(50))
      .map(([fromMs, length]) => ({ fromMs, toMs: fromMs + length })),
  ),
  limit: fc.integer({ min: 1, max: 60 }),
  order: fc.constantFrom('newest' as const, 'oldest' as const),
  grep: fc.oneof(
    { weight: 3, arbitrary: fc.constant(undefined) },
    { weight: 1, arbitrary: fc.constantFrom(...GREPS) },
  ),
  after: fc.option(fc.nat(RECORDS_MAX), { nil: undefined }),
  intervalMs: fc.integer({ min: 1, max: 1e5 }),
  by: fc.constantFrom(undefined, ...HISTOGRAM_BY),
  quantile: fc.option(
    fc.record({
      of: fc.constantFrom(...QUANTILE_OF),
      p: fc.constantFrom(0.001, 0.07, 0.25, 0.5, 0.55, 0.9, 0.95, 0.99, 1),
    }),
    { nil: undefined },
  ),
  field: fc.constantFrom(...TOP_FIELDS),
})

async function agrees(world: World, asked: Question): Promise<void> {
  if (asked.kind === 'arrivals') return await arrivalsAgree(world, asked)
  if (asked.kind === 'search' || asked.kind === 'export') return await pagesAgree(world, asked)
  const { store } = world
  const { plan, range, limit, field } = asked
  const found = matching(world, asked)
  if (asked.kind === 'top') {
    const { scanned, ...answer } = await store.top({ plan, range, limit, field }, never)
    expect(answer).toEqual(topOf(found, asked))
    expect(scanned).toBeGreaterThanOrEqual(found.length)
  } else if (asked.kind === 'histogram') {
    const { buckets } = await store.histogram(asked, never)
    expect(buckets).toEqual(bucketsOf(found, asked))
  } else {
    const { blocks, records } = await store.explain({ plan, range }, never)
    expect(records).toBeGreaterThanOrEqual(found.length)
    expect(blocks.read > 0).toBe(records > 0)
    expect(blocks.outOfRange + blocks.excludedByValues + blocks.excludedByWords + blocks.read).toBe(
      blocks.total,
    )
  }
}

async function pagesAgree(world: World, asked: Question): Promise<void> {
  const { plan, range, limit, order, grep } = asked
  const compare = order === 'oldest' ? oldestFirst : newestFirst
  const after = world.arrived[(asked.after ?? NaN) % world.arrived.length]?.record
  const hasText = grep === undefined ? () => true : compileGrep(grep)
  const found = matching(world, asked)
    .filter((record) => (after === undefined || compare(after, record) < 0) && hasText(record))
    .sort(compare)
  const request: SearchRequest = {
    plan,
    range,
    limit,
    order,
    grep,
    after: after && { timeMs: after.timeMs, id: after.id },
  }
  if (asked.kind === 'search') {
    const page = await world.store.search(request, never)
    expect(page.records).toEqual(found.slice(0, limit))
    expect(page.more).toBe(found.length > limit)
    return
  }
  await exportAgrees(world.store, request, found)
}

/** Pages add up to the whole, as far as they are read: to the limit of the first one. */
async function exportAgrees(
  store: Store,
  request: SearchRequest,
  found: readonly LogRecord[],
): Promise<void> {
  const lines: unknown[] = []
  let after = request.after
  let left = true
  for (let pages = 0; left && lines.length < request.limit; pages++) {
    expect(pages).toBeLessThanOrEqual(found.length + RECORDS_MAX)
    const page = await store.exportPage({ ...request, after }, never)
    const read = parseNdjson(page.ndjson)
    expect(read).toHaveLength(page.records)
    expect(page.records).toBeLessThanOrEqual(request.limit)
    lines.push(...read)
    after = page.next ?? undefined
    left = page.next !== null
  }
  const expected = found.map((record) => JSON.parse(JSON.stringify(toPublicRecord(record))) as unknown)
  expect(lines).toEqual(left ? expected.slice(0, lines.length) : expected)
}

async function arrivalsAgree({ store, arrived }: World, { plan, limit, after }: Question): Promise<void> {
  const isMatch = compileMatcher(plan)
  const position = arrived[(after ?? NaN) % arrived.length]?.position ?? 0
  const found = arrived.filter((one) => one.position > position && isMatch(one.record))
  const page = await store.arrivals({ plan, after: position, limit }, never)
  expect(page.arrivals).toEqual(found.slice(0, limit))
  if (found.length > limit) expect(page.position).toBe(found[limit - 1]?.position)
  else expect(page.position).toBeGreaterThanOrEqual(found.at(-1)?.position ?? position)
}

function matching({ arrived }: World, { plan, range }: Pick<Question, 'plan' | 'range'>): LogRecord[] {
  const isMatch = compileMatcher(plan)
  return arrived
    .map(({ record }) => record)
    .filter((record) => record.timeMs >= range.fromMs && record.timeMs < range.toMs && isMatch(record))
}

type Split = Pick<HistogramRequest, 'intervalMs' | 'by' | 'quantile'>

function bucketsOf(found: readonly LogRecord[], { intervalMs, by, quantile }: Split): HistogramBucket[] {
  const groups = Map.groupBy(found, ({ timeMs }) => Math.floor(timeMs / intervalMs) * intervalMs)
  return [...groups]
    .sort(([left], [right]) => left - right)
    .map(([startMs, records]) => {
      const values = [...Map.groupBy(records, (record) => (by === undefined ? '' : record[by]))]
      const counts = by === undefined ? [] : values.map(([value, of]) => [value, of.length] as const)
      const bucket = { startMs, total: records.length, by: Object.fromEntries(counts) }
      if (quantile === undefined) return bucket
      const quantiles = values.flatMap(([value, of]) => {
        const number = quantileOf(of, quantile)
        return number === undefined ? [] : [[value, number] as const]
      })
      return { ...bucket, quantiles: Object.fromEntries(quantiles) }
    })
}

/** As core/ports.ts defines it: the smallest value that at least the share p of the values do not exceed. */
function quantileOf(records: readonly LogRecord[], { of, p }: Quantile): number | undefined {
  const numbers = records
    .flatMap((record) => record[RECORD_FIELDS[of].key] ?? [])
    .sort((left, right) => left - right)
  // In thousandths, which are whole: 0.07 * 100 is more than 7.
  const share = Math.round(p * 1000) * numbers.length
  return numbers.find((number) => numbers.filter((other) => other <= number).length * 1000 >= share)
}

function topOf(
  found: readonly LogRecord[],
  { field, limit }: Pick<TopRequest, 'field' | 'limit'>,
): Omit<TopAnswer, 'scanned'> {
  const having = found.filter((record) => valuesOf(record, field).length > 0)
  const pairs = having.flatMap((record) =>
    valuesOf(record, field).map((value) => ({ value, timeMs: record.timeMs })),
  )
  const values = [...Map.groupBy(pairs, ({ value }) => value)].map(([value, of]) => ({
    value,
    count: of.length,
    firstMs: Math.min(...of.map(({ timeMs }) => timeMs)),
    lastMs: Math.max(...of.map(({ timeMs }) => timeMs)),
  }))
  const isNumber = isFieldName(field) && RECORD_FIELDS[field].kind === 'number'
  const byValue = isNumber ? (left: string, right: string) => Number(left) - Number(right) : byCodePoints
  values.sort((left, right) => right.count - left.count || byValue(left.value, right.value))
  return {
    values: values.slice(0, limit),
    matched: found.length,
    having: having.length,
    distinct: values.length,
  }
}

function byCodePoints(left: string, right: string): number {
  const points = (text: string) => Array.from(text, (char) => char.codePointAt(0) ?? 0)
  const [others, those] = [points(left), points(right)]
  const at = others.findIndex((point, index) => point !== those[index])
  return at < 0 ? others.length - those.length : (others[at] ?? 0) - (those[at] ?? -1)
}

/** The different values of a field that `field:value` finds the record by. */
function valuesOf(record: LogRecord, field: string): string[] {
  const value = isFieldName(field)
    ? record[RECORD_FIELDS[field].key]
    : Object.entries(record.attrs).find(([key]) => key === field)?.[1]
  return [...new Set([value].flat().map(String))].filter((text) =>
    matches({ text: '', root: { type: 'equals', field, value: text } }, record),
  )
}
