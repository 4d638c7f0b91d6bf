import { describe, expect, test } from 'vitest'
import { HISTOGRAM_BY } from '../../core/ports.ts'
import type { SearchAfter, SearchRequest, StoredBatch } from '../../core/ports.ts'
import { ATTR_VALUE_COMPARED_BYTES_MAX, matches } from '../../core/query/matches.ts'
import { MATCH_ALL } from '../../core/query/plan.ts'
import { RECORD_FIELDS, toPublicRecord } from '../../core/record.ts'
import type { LogRecord } from '../../core/record.ts'
import { KEY, storedBatch } from '../support/records.ts'
import type { RecordFields } from '../support/records.ts'
import { EVER, all, messages, never, newestFirst, parseNdjson, query } from '../support/store-under-test.ts'
import type { MakeStore, StoreUnderTest } from '../support/store-under-test.ts'
import { storeOracle } from './store-oracle.ts'
import { storePurging } from './store-purge.ts'

/** Every bullet of `Store` in core/ports.ts. */
export function storeContract(name: string, make: MakeStore): void {
  describe(`${name}: appending`, () => appending(make))
  describe(`${name}: searching`, () => searching(make))
  describe(`${name}: exporting`, () => exporting(make))
  describe(`${name}: histograms`, () => histograms(make))
  describe(`${name}: quantiles`, () => quantiles(make))
  describe(`${name}: top values`, () => topValues(make))
  describe(`${name}: explaining`, () => explaining(make))
  describe(`${name}: arrivals`, () => arriving(make))
  describe(`${name}: the ledger`, () => ledgers(make))
  describe(`${name}: purging`, () => storePurging(make))
  describe(`${name}: means what the matcher means`, () => storeOracle(make))
}

function appending(make: MakeStore): void {
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
    for (const wrong of [{ timeMs: NaN }, { timeMs: 8.64e15 + 1 }, { ingestedMs: 0.5 }, { offset: Infinity }])
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

async function withBatches(
  make: MakeStore,
  count: number,
): Promise<StoreUnderTest & { records: LogRecord[] }> {
  const made = await make()
  const batches = manyBatches(count)
  for (const batch of batches) await made.store.append(batch, never)
  const records = batches.flatMap(({ records }) => records).sort(newestFirst)
  return { ...made, [Symbol.asyncDispose]: () => made[Symbol.asyncDispose](), records }
}

function searching(make: MakeStore): void {
  test('records come newest first, by id where times are the same', async () => {
    await using made = await withBatches(make, 15)
    expect(await all(made.store)).toEqual(made.records)
  })

  test.each(
    ['', 'line', 'level:error OR "line 3"'].flatMap((text) =>
      [undefined, 'newest' as const, 'oldest' as const].map((order) => ({ text, order })),
    ),
  )('pages of $text, $order first, add up to the whole', async ({ text, order }) => {
    await using made = await withBatches(make, 15)
    const plan = query(text)
    const paged: LogRecord[] = []
    let after: SearchAfter | undefined
    for (let more = true; more;) {
      const page = await made.store.search({ plan, range: EVER, limit: 7, after, order }, never)
      paged.push(...page.records)
      after = page.records.at(-1)
      more = page.more
      expect(page.records).toHaveLength(more ? 7 : page.records.length)
      expect(page.scanned).toBeGreaterThanOrEqual(page.records.length)
    }
    const found = made.records.filter((record) => matches(plan, record))
    expect(paged).toEqual(order === 'oldest' ? found.toReversed() : found)
  })

  test('a page goes on behind a place where no record is', async () => {
    await using made = await withBatches(make, 2)
    const after = { timeMs: 7, id: '0'.repeat(28) }
    const request = { plan: MATCH_ALL, range: EVER, limit: 100, after }
    const older = await made.store.search(request, never)
    expect(older.records).toEqual(made.records.filter(({ timeMs }) => timeMs < 7))
    const newer = await made.store.search({ ...request, order: 'oldest' }, never)
    expect(newer.records).toEqual(made.records.filter(({ timeMs }) => timeMs >= 7).toReversed())
  })

  test('with grep, pages hold only records whose text it finds, also across words', async () => {
    await using made = await withBatches(make, 15)
    const request: SearchRequest = {
      plan: query('service:s1'),
      range: EVER,
      limit: 3,
      grep: '[13] line [2-4]$',
    }
    const expected = made.records.filter(
      ({ service, message }) => service === 's1' && /[13] line [2-4]$/.test(message),
    )
    for (const order of ['newest', 'oldest'] as const) {
      const paged: LogRecord[] = []
      let after: SearchAfter | undefined
      for (let more = true; more;) {
        const page = await made.store.search({ ...request, after, order }, never)
        paged.push(...page.records)
        after = page.records.at(-1)
        more = page.more
      }
      expect(paged).toEqual(order === 'oldest' ? expected.toReversed() : expected)
    }
    expect(expected.length).toBeGreaterThan(3)
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

function exporting(make: MakeStore): void {
  const asLines = (records: readonly LogRecord[]) =>
    records.map((record) => JSON.parse(JSON.stringify(toPublicRecord(record))) as unknown)

  test.each(
    ['', 'line', 'level:error'].flatMap((text) =>
      (['newest', 'oldest'] as const).map((order) => ({ text, order })),
    ),
  )('pages of $text, $order first, add up to the whole and read back', async ({ text, order }) => {
    await using made = await withBatches(make, 15)
    const plan = query(text)
    const lines: unknown[] = []
    for (let after: SearchAfter | null | undefined; after !== null;) {
      const page = await made.store.exportPage({ plan, range: EVER, limit: 7, after, order }, never)
      const read = parseNdjson(page.ndjson)
      expect(read).toHaveLength(page.records)
      expect(page.records).toBeLessThanOrEqual(7)
      expect(page.scanned).toBeGreaterThanOrEqual(page.records)
      lines.push(...read)
      after = page.next
    }
    const found = made.records.filter((record) => matches(plan, record))
    expect(lines).toEqual(asLines(order === 'oldest' ? found.toReversed() : found))
  })

  test('every field is written, absent ones are not, and hard texts stay on their line', async () => {
    await using made = await make()
    const batch = storedBatch([
      {
        timeMs: 1_700_000_000_123,
        message: 'a\nb\u2028 "q" \\ a\0b 漢字 \u{1f600}',
        level: 'warn',
        host: "o'neil",
        offset: 2 ** 40,
        status: 200,
        latencyMs: 0.1 + 0.2,
        bytes: 0,
        attrs: { tags: ['x', 1, true], 'a.b': '', ['__proto__']: 'p', n: 1e21 },
      },
      { timeMs: -62_198_755_200_000 },
      { timeMs: 8.64e15 - 1 },
    ])
    await made.store.append(batch, never)
    const request: SearchRequest = { plan: MATCH_ALL, range: EVER, limit: 10 }
    const page = await made.store.exportPage(request, never)
    expect(page).toMatchObject({ records: 3, next: null })
    expect(parseNdjson(page.ndjson)).toEqual(asLines(batch.records.toSorted(newestFirst)))
  })

  test('grep, a range and a page without a match', async () => {
    await using made = await withBatches(make, 10)
    const request: SearchRequest = {
      plan: query('line'),
      range: { fromMs: 5, toMs: 40 },
      limit: 100,
      grep: '[02468]$',
    }
    const even = made.records.filter(
      ({ timeMs, message }) => timeMs >= 5 && timeMs < 40 && /[02468]$/.test(message),
    )
    const page = await made.store.exportPage(request, never)
    expect(parseNdjson(page.ndjson)).toEqual(asLines(even))
    const none = await made.store.exportPage({ ...request, grep: 'nowhere' }, never)
    expect(none).toMatchObject({ records: 0, next: null })
    expect(none.ndjson).toHaveLength(0)
  })

  test('an export that was aborted rejects', async () => {
    await using made = await withBatches(make, 2)
    const signal = AbortSignal.abort(new Error('gone'))
    const request = { plan: MATCH_ALL, range: EVER, limit: 1 }
    await expect(made.store.exportPage(request, signal)).rejects.toBe(signal.reason)
  })
}

function histograms(make: MakeStore): void {
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
        const total = 2 * HISTOGRAM_BY.length
        expect(buckets).toEqual([{ startMs: 0, total, by: { error: 1, '': total - 1 } }])
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

function quantiles(make: MakeStore): void {
  const latencies = (values: readonly (number | null)[], more: Partial<RecordFields> = {}) =>
    values.map((latencyMs) => ({ message: 'tick', latencyMs, ...more }))

  test.each([
    { p: 0.25, expected: 1 },
    { p: 0.5, expected: 2 },
    { p: 0.51, expected: 3 },
    { p: 0.99, expected: 4 },
    { p: 1, expected: 4 },
    { p: 0.001, expected: 1 },
  ])('the $p quantile of 1 to 4 is $expected', async ({ p, expected }) => {
    await using made = await make()
    await made.store.append(storedBatch(latencies([3, null, 1, 4, 2])), never)
    for (const text of ['', 'tick']) {
      const request = {
        plan: query(text),
        range: EVER,
        intervalMs: 1000,
        quantile: { of: 'latency_ms', p },
      } as const
      const { buckets } = await made.store.histogram(request, never)
      expect(buckets).toEqual([{ startMs: 0, total: 5, by: {}, quantiles: { '': expected } }])
    }
  })

  test('0.07 of a hundred numbers, in many batches, is the seventh', async () => {
    await using made = await make()
    const numbers = Array.from({ length: 100 }, (_, i) => ((i * 37) % 100) + 1)
    for (let seq = 1; numbers.length > 0; seq++)
      await made.store.append(storedBatch(latencies(numbers.splice(0, 9)), { seq }), never)
    const request = {
      plan: MATCH_ALL,
      range: EVER,
      intervalMs: 1000,
      quantile: { of: 'latency_ms', p: 0.07 },
    } as const
    const { buckets } = await made.store.histogram(request, never)
    expect(buckets[0]?.quantiles).toEqual({ '': 7 })
  })

  test('they are told by bucket and value; a value without numbers has none', async () => {
    await using made = await make()
    const records = [
      ...latencies([5, 7, 9], { service: 'a' }),
      ...latencies([null], { service: 'b' }),
      ...latencies([-0.5], { service: '' }),
      ...latencies([0], { service: 'a', timeMs: 1000 }),
      ...latencies([null], { service: 'a', timeMs: 2000 }),
    ]
    await made.store.append(storedBatch(records), never)
    const quantile = { of: 'latency_ms', p: 0.5 } as const
    for (const text of ['', 'tick']) {
      const request = { plan: query(text), range: EVER, intervalMs: 1000, by: 'service', quantile } as const
      const { buckets } = await made.store.histogram(request, never)
      expect(buckets).toEqual([
        { startMs: 0, total: 5, by: { a: 3, b: 1, '': 1 }, quantiles: { a: 7, '': -0.5 } },
        { startMs: 1000, total: 1, by: { a: 1 }, quantiles: { a: 0 } },
        { startMs: 2000, total: 1, by: { a: 1 }, quantiles: {} },
      ])
    }
  })

  test('status and bytes have them, too', async () => {
    await using made = await make()
    await made.store.append(
      storedBatch([{ status: 200, bytes: 10 }, { status: 404 }, { bytes: 2 ** 40 }]),
      never,
    )
    const expected = { status: 404, bytes: 2 ** 40 }
    for (const of of ['status', 'bytes'] as const) {
      const request = { plan: MATCH_ALL, range: EVER, intervalMs: 1000, quantile: { of, p: 1 } }
      const { buckets } = await made.store.histogram(request, never)
      expect(buckets[0]?.quantiles).toEqual({ '': expected[of] })
    }
  })
}

function topValues(make: MakeStore): void {
  const top = { plan: MATCH_ALL, range: EVER, limit: 10 }

  test('keywords: the most frequent first, then by value; absent ones have no value', async () => {
    await using made = await make()
    const hosts = ['web-2', 'web-10', '', 'db', 'web-10', 'Web', 'db', '', '\u{1f600}', '\uffee']
    const records = hosts.map((host, i) => ({ host, timeMs: (i * 7) % 10, message: 'tick' }))
    await made.store.append(storedBatch(records.slice(0, 4)), never)
    await made.store.append(storedBatch(records.slice(4), { seq: 2 }), never)
    for (const text of ['', 'tick']) {
      const found = await made.store.top({ ...top, plan: query(text), field: 'host' }, never)
      expect(found.values).toEqual([
        { value: 'db', count: 2, firstMs: 1, lastMs: 2 },
        { value: 'web-10', count: 2, firstMs: 7, lastMs: 8 },
        { value: 'Web', count: 1, firstMs: 5, lastMs: 5 },
        { value: 'web-2', count: 1, firstMs: 0, lastMs: 0 },
        { value: '\uffee', count: 1, firstMs: 3, lastMs: 3 },
        { value: '\u{1f600}', count: 1, firstMs: 6, lastMs: 6 }, // Its first UTF-16 unit is the smaller one.
      ])
      expect(found).toMatchObject({ matched: 10, having: 8, distinct: 6 })
      expect(found.scanned).toBeGreaterThanOrEqual(10)
    }
  })

  test('a limit cuts the list and nothing else', async () => {
    await using made = await withBatches(make, 12)
    const whole = await made.store.top({ ...top, limit: 1_000, field: 'service' }, never)
    expect(whole.values.map(({ value, count }) => [value, count])).toEqual([
      ['s0', 40],
      ['s1', 40],
      ['s2', 40],
    ])
    const cut = await made.store.top({ ...top, limit: 2, field: 'service' }, never)
    expect(cut).toMatchObject({ values: whole.values.slice(0, 2), matched: 120, having: 120, distinct: 3 })
  })

  test('only matches in the range count', async () => {
    await using made = await withBatches(make, 12)
    const range = { fromMs: 10, toMs: 30 }
    const found = await made.store.top({ ...top, range, plan: query('level:error'), field: 'service' }, never)
    expect(found.values).toEqual([
      { value: 's2', count: 2, firstMs: 10, lastMs: 25 },
      { value: 's0', count: 1, firstMs: 15, lastMs: 15 },
      { value: 's1', count: 1, firstMs: 20, lastMs: 20 },
    ])
    expect(found).toMatchObject({ matched: 4, having: 4, distinct: 3 })
    const none = await made.store.top({ ...top, plan: query('nowhere'), field: 'service' }, never)
    expect(none).toMatchObject({ values: [], matched: 0, having: 0, distinct: 0 })
  })

  test.each([
    { field: 'status', key: 'status' },
    { field: 'latency_ms', key: 'latencyMs' },
    { field: 'bytes', key: 'bytes' },
  ])('numbers of $field stand as JSON prints them', async ({ field, key }) => {
    await using made = await make()
    const numbers = [200, 0.1, 1e21, -5, null, 200, 1e-7, -0, 123456789012345680]
    await made.store.append(storedBatch(numbers.map((number) => ({ [key]: number }))), never)
    const found = await made.store.top({ ...top, field }, never)
    expect(found.values.map(({ value, count }) => [value, count])).toEqual([
      ['200', 2],
      ['-5', 1],
      ['0', 1],
      ['1e-7', 1],
      ['0.1', 1],
      ['123456789012345680', 1],
      ['1e+21', 1],
    ])
    expect(found).toMatchObject({ matched: 9, having: 8, distinct: 7 })
  })

  test('offsets are numbers, too', async () => {
    await using made = await make()
    await made.store.append(storedBatch([{ offset: 2 ** 40 }, { offset: 0 }, { offset: 0 }, {}]), never)
    const { values } = await made.store.top({ ...top, field: 'offset' }, never)
    expect(values.map(({ value, count }) => [value, count])).toEqual([
      ['0', 2],
      [String(2 ** 40), 1],
    ])
  })

  test('attrs: as JavaScript prints them, each different element of a list once, and an empty text is a value', async () => {
    await using made = await make()
    const values = [
      'x',
      ['x', 'y', 'x'],
      [],
      '',
      [1, '1', true],
      1,
      true,
      0.5,
      'o"neil\\',
      ['größe'],
      undefined,
    ]
    const records = values.map((value, timeMs) => ({
      timeMs,
      message: 'tick',
      attrs: { other: 'x', 'labels.tag.x': 'no', ...(value === undefined ? {} : { 'labels.tag': value }) },
    }))
    await made.store.append(storedBatch(records.slice(0, 5)), never)
    await made.store.append(storedBatch(records.slice(5), { seq: 2 }), never)
    for (const text of ['', 'tick']) {
      const found = await made.store.top({ ...top, plan: query(text), field: 'labels.tag' }, never)
      expect(found.values).toEqual([
        { value: '1', count: 2, firstMs: 4, lastMs: 5 },
        { value: 'true', count: 2, firstMs: 4, lastMs: 6 },
        { value: 'x', count: 2, firstMs: 0, lastMs: 1 },
        { value: '', count: 1, firstMs: 3, lastMs: 3 },
        { value: '0.5', count: 1, firstMs: 7, lastMs: 7 },
        { value: 'größe', count: 1, firstMs: 9, lastMs: 9 },
        { value: 'o"neil\\', count: 1, firstMs: 8, lastMs: 8 },
        { value: 'y', count: 1, firstMs: 1, lastMs: 1 },
      ])
      expect(found).toMatchObject({ matched: 11, having: 9, distinct: 8 })
    }
  })

  test('a value of an attr that is too long to be compared does not count, as with field:*', async () => {
    await using made = await make()
    const longest = 'ä'.repeat(Math.floor(ATTR_VALUE_COMPARED_BYTES_MAX / 2))
    const values = [`${longest}ää`, longest, [`${longest}ää`, 'short']]
    await made.store.append(storedBatch(values.map((tag) => ({ attrs: { tag } }))), never)
    const found = await made.store.top({ ...top, field: 'tag' }, never)
    expect(found.values.map(({ value }) => value)).toEqual(['short', longest])
    expect(found).toMatchObject({ matched: 3, having: 2, distinct: 2 })
    expect(await all(made.store, query('tag:*'))).toHaveLength(found.having)
  })

  test('an attr may be called like a property of every object, or like an inner name of a field', async () => {
    await using made = await make()
    await made.store.append(
      storedBatch([{ latencyMs: 5, attrs: { ['__proto__']: 'p', latencyMs: 7 } }, {}]),
      never,
    )
    for (const [field, value] of [['__proto__', 'p'] as const, ['latencyMs', '7'] as const]) {
      const found = await made.store.top({ ...top, field }, never)
      expect(found).toMatchObject({ values: [{ value, count: 1 }], having: 1 })
    }
    for (const field of ['constructor', 'toString', 'nowhere', "o'neil"])
      expect(await made.store.top({ ...top, field }, never)).toMatchObject({
        values: [],
        matched: 2,
        having: 0,
      })
  })

  const refused = Object.entries(RECORD_FIELDS).flatMap(([field, { kind }]) =>
    kind === 'time' || kind === 'text' || field === 'id' ? field : [],
  )
  test.each(refused)('values of %s are not counted, and the message says what is', async (field) => {
    await using made = await make()
    await expect(made.store.top({ ...top, field }, never)).rejects.toMatchObject({
      code: 'UNSUPPORTED',
      message: expect.stringMatching(new RegExp(`"${field}".*; .*use `)) as string,
    })
  })
}

function explaining(make: MakeStore): void {
  test('an empty store has nothing to read', async () => {
    await using made = await make()
    const found = await made.store.explain({ plan: MATCH_ALL, range: EVER }, never)
    expect(found).toMatchObject({ partitionsRead: 0, blocks: { read: 0 }, records: 0, bytes: 0 })
  })

  test.each(['', 'line', 'level:error', 'service:s1 "line 3"', 'NOT line', 'trace:abc', 'nowhere'])(
    'of %j every block is accounted for, and what matches is read',
    async (text) => {
      await using made = await withBatches(make, 15)
      const plan = query(text)
      for (const range of [EVER, { fromMs: 20, toMs: 30 }, { fromMs: 1_000, toMs: 2_000 }]) {
        const found = made.records.filter(
          (record) => record.timeMs >= range.fromMs && record.timeMs < range.toMs && matches(plan, record),
        )
        const { partitions, partitionsRead, blocks, ...read } = await made.store.explain(
          { plan, range },
          never,
        )
        const { total, outOfRange, excludedByValues, excludedByWords } = blocks
        expect(outOfRange + excludedByValues + excludedByWords + blocks.read).toBe(total)
        expect(
          Math.min(outOfRange, excludedByValues, excludedByWords, blocks.read, read.bytes),
        ).toBeGreaterThanOrEqual(0)
        expect(partitionsRead).toBeLessThanOrEqual(partitions)
        expect(read.records).toBeGreaterThanOrEqual(found.length)
        expect(read.records).toBeLessThanOrEqual(made.records.length)
        expect(blocks.read > 0).toBe(read.records > 0)
        expect(typeof read.exact).toBe('boolean')
      }
    },
  )
}

function arriving(make: MakeStore): void {
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

function ledgers(make: MakeStore): void {
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
