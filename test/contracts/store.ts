import * as fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { heldRecord } from '../../adapters/store-record.ts'
import { HISTOGRAM_BY } from '../../core/ports.ts'
import type { HistogramBucket, HistogramRequest, SearchAfter, Store, StoredBatch } from '../../core/ports.ts'
import { parseQuery } from '../../core/query/parse.ts'
import { matches } from '../../core/query/matches.ts'
import { MATCH_ALL } from '../../core/query/plan.ts'
import type { QueryPlan } from '../../core/query/plan.ts'
import type { LogRecord } from '../../core/record.ts'
import { plan, recordFields } from '../support/record-arbitraries.ts'
import { KEY, storedBatch } from '../support/records.ts'
import type { RecordFields } from '../support/records.ts'

export interface StoreUnderTest extends AsyncDisposable {
  readonly store: Store
  /** Closes the store and opens it again on what it kept; absent when it keeps nothing. */
  readonly reopen?: () => Promise<Store>
}

const EVER = { fromMs: -8.64e15, toMs: 8.64e15 }
const never = new AbortController().signal
const query = (text: string) => parseQuery(text, { nowMs: 0 })
const messages = (records: readonly LogRecord[]) => records.map(({ message }) => message)

/** Every bullet of `Store` in core/ports.ts. `make` opens a new, empty store; segments are small, if it has any. */
export function storeContract(name: string, make: () => Promise<StoreUnderTest>): void {
  describe(`${name}: appending`, () => appending(make))
  describe(`${name}: searching`, () => searching(make))
  describe(`${name}: histograms`, () => histograms(make))
  describe(`${name}: arrivals`, () => arriving(make))
  describe(`${name}: the ledger`, () => ledgers(make))
  describe(`${name}: means what the matcher means`, () => oracle(make))
}

type Make = () => Promise<StoreUnderTest>

async function all(store: Store, plan: QueryPlan = MATCH_ALL): Promise<readonly LogRecord[]> {
  return (await store.search({ plan, range: EVER, limit: 10_000 }, never)).records
}

function appending(make: Make): void {
  test('a batch is found once append has resolved, every field of it', async () => {
    await using made = await make()
    const batch = storedBatch([
      {
        timeMs: 1_700_000_000_123,
        ingestedMs: 1_700_000_000_456,
        message: 'GET /a\0b',
        level: 'warn',
        service: 'shop',
        version: '1.2',
        host: 'web-1',
        tier: 'web',
        path: '/var/log/a.log',
        offset: 2 ** 40,
        trace: 'abc',
        pattern: 'p1',
        status: 200,
        latencyMs: 0.25,
        bytes: 0,
        attrs: { user: 'ann', tags: ['x', 1, true], 'a.b': '' },
      },
      {},
    ])
    expect(await made.store.append(batch, never)).toBe('stored')
    expect(await all(made.store)).toEqual(batch.records)
  })

  test('a batch sent twice is kept once', async () => {
    await using made = await make()
    const batch = storedBatch([{ message: 'a' }])
    expect(await made.store.append(batch, never)).toBe('stored')
    expect(await made.store.append(batch, never)).toBe('duplicate')
    expect(await all(made.store)).toHaveLength(1)
  })

  test('a batch sent many times at once is kept once', async () => {
    await using made = await make()
    const batch = storedBatch([{ message: 'a' }])
    const fates = await Promise.all(Array.from({ length: 5 }, () => made.store.append(batch, never)))
    expect(fates.toSorted()).toEqual(['duplicate', 'duplicate', 'duplicate', 'duplicate', 'stored'])
    expect(await all(made.store)).toHaveLength(1)
  })

  test('another digest under the same number is a conflict, and nothing of it is kept', async () => {
    await using made = await make()
    await made.store.append(storedBatch([{ message: 'a' }]), never)
    await expect(made.store.append(storedBatch([{ message: 'b' }]), never)).rejects.toMatchObject({
      code: 'SEQUENCE_CONFLICT',
    })
    expect(messages(await all(made.store))).toEqual(['a'])
  })

  test('the same number of another site, collector or epoch is another batch', async () => {
    await using made = await make()
    for (const key of [{}, { site: 'us' }, { collector: 'web-2' }, { epoch: 'f'.repeat(32) }])
      expect(await made.store.append(storedBatch([{ message: 'a' }], key), never)).toBe('stored')
    expect(await all(made.store)).toHaveLength(4)
  })

  test('a record that cannot be held refuses the batch whole and names it', async () => {
    await using made = await make()
    for (const wrong of [{ timeMs: NaN }, { ingestedMs: 0.5 }, { offset: Infinity }])
      await expect(made.store.append(storedBatch([{ message: 'a' }, wrong]), never)).rejects.toMatchObject({
        code: 'RECORD_REFUSED',
        details: { index: 1 },
      })
    expect(await all(made.store)).toEqual([])
    expect(await made.store.append(storedBatch([{ message: 'a' }]), never)).toBe('stored')
  })

  test('a batch without records counts in the ledger', async () => {
    await using made = await make()
    expect(await made.store.append(storedBatch([]), never)).toBe('stored')
    expect(await made.store.append(storedBatch([]), never)).toBe('duplicate')
  })

  test("the caller's arrays are neither changed nor kept", async () => {
    await using made = await make()
    const batch = storedBatch([{ message: 'a' }, { message: 'b' }])
    const records = [...batch.records]
    const before = structuredClone(records)
    const appended = made.store.append({ ...batch, records }, never)
    records.pop()
    await appended
    expect(records).toEqual(before.slice(0, 1))
    records.length = 0
    expect(await all(made.store)).toHaveLength(2)
  })

  test('half surrogate pairs and numbers that are none do not come back', async () => {
    await using made = await make()
    const odd = {
      message: 'a\ud800',
      status: NaN,
      latencyMs: Infinity,
      attrs: { k: ['\udfff', NaN, 1], n: NaN },
    }
    const batch = storedBatch([{ ...odd, service: '\udc00' }])
    await made.store.append(batch, never)
    const held = {
      message: 'a\ufffd',
      status: null,
      latencyMs: null,
      attrs: { k: ['\ufffd', 1] },
      service: '\ufffd',
    }
    expect(await all(made.store)).toEqual([{ ...batch.records[0], ...held }])
  })

  test('everything is there after it was opened again, and what was stored is still known', async ({
    skip,
  }) => {
    await using made = await make()
    if (made.reopen === undefined) return skip('keeps nothing')
    const batches = manyBatches(15)
    for (const batch of batches) await made.store.append(batch, never)
    await made.store.note([{ type: 'retire', site: KEY.site, collector: KEY.collector, atMs: 7 }])
    const before = {
      records: await all(made.store),
      ledger: await made.store.ledger(),
      head: await made.store.head(),
    }
    const store = await made.reopen()
    expect(await all(store)).toEqual(before.records)
    expect(await store.ledger()).toEqual(before.ledger)
    expect(await store.head()).toBe(before.head)
    for (const batch of batches) expect(await store.append(batch, never)).toBe('duplicate')
    await store.append(storedBatch([{ message: 'after' }], { seq: 16 }), never)
    expect(await all(store)).toHaveLength(before.records.length + 1)
  })

  test('statistics count what is there', async () => {
    await using made = await make()
    expect(await made.store.stats()).toMatchObject({
      records: 0,
      oldestMs: null,
      newestMs: null,
      setAside: [],
    })
    await made.store.append(storedBatch([{ timeMs: 5 }, { timeMs: -3 }]), never)
    expect(await made.store.stats()).toMatchObject({ records: 2, oldestMs: -3, newestMs: 5 })
  })

  test('after close every call is refused', async () => {
    await using made = await make()
    await made.store.close()
    await expect(made.store.append(storedBatch([{}]), never)).rejects.toMatchObject({ code: 'SHUTTING_DOWN' })
    await expect(all(made.store)).rejects.toMatchObject({ code: 'SHUTTING_DOWN' })
  })
}

/** 10 records each; times overlap between batches. */
function manyBatches(count: number): StoredBatch[] {
  return Array.from({ length: count }, (_, batch) =>
    storedBatch(
      Array.from({ length: 10 }, (_, i) => ({
        timeMs: batch * 5 + i,
        message: `batch ${batch} line ${i}`,
        service: `s${batch % 3}`,
        level: i === 0 ? ('error' as const) : ('info' as const),
      })),
      { seq: batch + 1 },
    ),
  )
}

async function withBatches(make: Make, count: number): Promise<StoreUnderTest & { records: LogRecord[] }> {
  const made = await make()
  const batches = manyBatches(count)
  for (const batch of batches) await made.store.append(batch, never)
  const records = batches.flatMap(({ records }) => records).sort(newestFirst)
  return { ...made, [Symbol.asyncDispose]: () => made[Symbol.asyncDispose](), records }
}

function newestFirst(left: LogRecord, right: LogRecord): number {
  return right.timeMs - left.timeMs || (right.id > left.id ? 1 : -1)
}

function searching(make: Make): void {
  test('records come newest first, by id where times are the same', async () => {
    await using made = await withBatches(make, 15)
    expect(await all(made.store)).toEqual(made.records)
  })

  test.each(['', 'line', 'level:error OR "line 3"'])('pages of %j add up to the whole', async (text) => {
    await using made = await withBatches(make, 15)
    const plan = query(text)
    const paged: LogRecord[] = []
    let after: SearchAfter | undefined
    for (let more = true; more;) {
      const page = await made.store.search({ plan, range: EVER, limit: 7, after }, never)
      paged.push(...page.records)
      after = page.records.at(-1)
      more = page.more
      expect(page.records).toHaveLength(more ? 7 : page.records.length)
      expect(page.scanned).toBeGreaterThanOrEqual(page.records.length)
    }
    expect(paged).toEqual(made.records.filter((record) => matches(plan, record)))
  })

  test('a page that is full exactly says that there is no more', async () => {
    await using made = await make()
    await made.store.append(storedBatch([{}, {}]), never)
    expect(await made.store.search({ plan: MATCH_ALL, range: EVER, limit: 2 }, never)).toMatchObject({
      more: false,
    })
  })

  test('a range holds its start and not its end', async () => {
    await using made = await make()
    await made.store.append(
      storedBatch([-1, 0, 9, 10].map((timeMs) => ({ timeMs, message: `${timeMs}` }))),
      never,
    )
    const found = await made.store.search(
      { plan: MATCH_ALL, range: { fromMs: 0, toMs: 10 }, limit: 10 },
      never,
    )
    expect(messages(found.records)).toEqual(['9', '0'])
  })

  test('a query that was aborted rejects', async () => {
    await using made = await withBatches(make, 2)
    const reason = new Error('gone')
    const signal = AbortSignal.abort(reason)
    await expect(made.store.search({ plan: MATCH_ALL, range: EVER, limit: 1 }, signal)).rejects.toBe(reason)
    await expect(made.store.append(storedBatch([{}], { seq: 9 }), signal)).rejects.toBe(reason)
  })
}

function histograms(make: Make): void {
  const times = [-1, -1000, -1001, 0, 999, 1000, 3000]

  test.each(['', 'tick'])(
    'buckets of %j start at multiples of the interval, also before 1970',
    async (text) => {
      await using made = await make()
      await made.store.append(storedBatch(times.map((timeMs) => ({ timeMs, message: 'tick' }))), never)
      const request = { plan: query(text), range: EVER, intervalMs: 1000 }
      const { buckets } = await made.store.histogram(request, never)
      expect(buckets).toEqual([
        { startMs: -2000, total: 1, by: {} },
        { startMs: -1000, total: 2, by: {} },
        { startMs: 0, total: 2, by: {} },
        { startMs: 1000, total: 1, by: {} },
        { startMs: 3000, total: 1, by: {} },
      ])
    },
  )

  test('buckets are split by the value of a field, also where there is none', async () => {
    await using made = await make()
    const batch = storedBatch(
      HISTOGRAM_BY.flatMap((by) => [{ [by]: 'error' }, { [by]: '' }] as Partial<RecordFields>[]).map(
        (fields) => ({ message: 'tick', site: '', ...fields }),
      ),
    )
    await made.store.append(batch, never)
    for (const by of HISTOGRAM_BY)
      for (const text of ['', 'tick']) {
        const request = { plan: query(text), range: EVER, intervalMs: 60_000, by }
        const { buckets } = await made.store.histogram(request, never)
        expect(buckets).toEqual([{ startMs: 0, total: 12, by: { error: 1, '': 11 } }])
      }
  })

  test('only what is in the range is counted', async () => {
    await using made = await withBatches(make, 10)
    const range = { fromMs: 13, toMs: 77 }
    const { buckets } = await made.store.histogram({ plan: query('line'), range, intervalMs: 7 }, never)
    const inside = made.records.filter(({ timeMs }) => timeMs >= 13 && timeMs < 77)
    expect(buckets.reduce((sum, { total }) => sum + total, 0)).toBe(inside.length)
  })
}

function arriving(make: Make): void {
  test('a reader that asks again from its position sees every match once, in order of arrival', async () => {
    await using made = await withBatches(make, 12)
    for (const text of ['', 'service:s1', '"line 3"']) {
      const plan = query(text)
      const seen: LogRecord[] = []
      const head = await made.store.head()
      for (let position = 0; position < head;) {
        const page = await made.store.arrivals({ plan, after: position, limit: 7 }, never)
        seen.push(...page.arrivals.map(({ record }) => record))
        expect(page.arrivals.length).toBeLessThanOrEqual(7)
        expect(page.position).toBeGreaterThan(position)
        for (const arrival of page.arrivals) expect(arrival.position).toBeGreaterThan(position)
        position = page.position
      }
      const expected = manyBatches(12).flatMap(({ records }) => records)
      expect(seen).toEqual(expected.filter((record) => matches(plan, record)))
    }
  })

  test('behind the head are only news', async () => {
    await using made = await withBatches(make, 2)
    const after = await made.store.head()
    const none = await made.store.arrivals({ plan: MATCH_ALL, after, limit: 5 }, never)
    expect(none).toEqual({ arrivals: [], position: after })
    await made.store.append(storedBatch([{ timeMs: -5, message: 'old but new' }], { seq: 3 }), never)
    const page = await made.store.arrivals({ plan: MATCH_ALL, after, limit: 5 }, never)
    expect(page.arrivals.map(({ record }) => record.message)).toEqual(['old but new'])
    expect(page.position).toBe(await made.store.head())
  })

  test('positions outlive a restart', async ({ skip }) => {
    await using made = await withBatches(make, 12)
    if (made.reopen === undefined) return skip('keeps nothing')
    const request = { plan: MATCH_ALL, after: 0, limit: 1_000 }
    const before = await made.store.arrivals(request, never)
    const store = await made.reopen()
    expect(await store.arrivals(request, never)).toEqual(before)
  })

  test('listeners are told of arrivals until they leave', async () => {
    await using made = await make()
    const told = Promise.withResolvers<void>()
    let left = 0
    const leave = made.store.onArrival(() => (left += 1))
    leave()
    made.store.onArrival(() => told.resolve())
    await made.store.append(storedBatch([{}]), never)
    await told.promise
    expect(left).toBe(0)
  })
}

function ledgers(make: Make): void {
  test('holds the facts of every batch and mark', async () => {
    await using made = await withBatches(make, 3)
    const mark = {
      v: 1 as const,
      collector: KEY.collector,
      host: 'web-1',
      epoch: KEY.epoch,
      sentAtMs: 1_000,
      readAgeMs: 5,
      epochs: [{ epoch: KEY.epoch, lastSeq: 3, spoolLow: 4, pending: [] }],
    }
    await made.store.note([{ type: 'mark', site: KEY.site, arrivedAtMs: 1_000, mark }])
    const { collectors } = await made.store.ledger()
    const collector = collectors[`${KEY.site}/${KEY.collector}`]
    expect(collector).toMatchObject({ host: 'web-1', markAtMs: 1_000 })
    expect(collector?.epochs[0]?.stored).toMatchObject([{ seqFrom: 1, seqTo: 3 }])
  })
}

function oracle(make: Make): void {
  let made: StoreUnderTest | undefined
  const expected: LogRecord[] = []

  beforeAll(async () => {
    made = await make()
    const fields = fc.sample(recordFields, 100)
    for (let seq = 1; fields.length > 0; seq += 1) {
      const batch = storedBatch(fields.splice(0, 20), { seq })
      await made.store.append(batch, never)
      expected.push(...batch.records.map(heldRecord))
    }
  })
  afterAll(async () => made?.[Symbol.asyncDispose]())

  test('searches, histograms and arrivals agree with it on random records and plans', async () => {
    const range = fc
      .tuple(fc.integer({ min: -25, max: 25 }), fc.nat(50))
      .map(([fromMs, length]) => ({ fromMs, toMs: fromMs + length }))
    const shape = fc.record({
      plan,
      range: fc.oneof(fc.constant(EVER), range),
      limit: fc.integer({ min: 1, max: 60 }),
      intervalMs: fc.integer({ min: 1, max: 1e5 }),
      by: fc.constantFrom(undefined, ...HISTOGRAM_BY),
      after: fc.nat(100),
    })
    await fc.assert(
      fc.asyncProperty(shape, async ({ after, limit, ...request }) => {
        const store = made?.store
        if (store === undefined) throw new Error('the store did not open')
        const { plan, range } = request
        const found = expected
          .filter(
            (record) => record.timeMs >= range.fromMs && record.timeMs < range.toMs && matches(plan, record),
          )
          .sort(newestFirst)
        const page = await store.search({ plan, range, limit }, never)
        expect(page.records).toEqual(found.slice(0, limit))
        expect(page.more).toBe(found.length > limit)
        expect((await store.histogram(request, never)).buckets).toEqual(bucketsOf(found, request))
        const arrived = expected.slice(after).filter((record) => matches(plan, record))
        const { arrivals } = await store.arrivals({ plan, after, limit }, never)
        expect(arrivals.map(({ record }) => record)).toEqual(arrived.slice(0, limit))
      }),
      { numRuns: 200 },
    )
  })
}

function bucketsOf(found: readonly LogRecord[], { intervalMs, by }: HistogramRequest): HistogramBucket[] {
  const groups = Map.groupBy(found, ({ timeMs }) => Math.floor(timeMs / intervalMs) * intervalMs)
  return [...groups]
    .sort(([left], [right]) => left - right)
    .map(([startMs, records]) => {
      const values = by === undefined ? new Map() : Map.groupBy(records, (record) => record[by])
      const counts = [...values].map(([value, of]) => [value, of.length] as const)
      return { startMs, total: records.length, by: Object.fromEntries(counts) }
    })
}
