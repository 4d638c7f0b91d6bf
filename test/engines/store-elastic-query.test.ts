import { afterAll, beforeAll, expect, test } from 'vitest'
import { matches } from '../../core/query/matches.ts'
import { MATCH_ALL } from '../../core/query/plan.ts'
import type { QueryNode, QueryPlan } from '../../core/query/plan.ts'
import type { LogRecord } from '../../core/record.ts'
import { indexedStore } from '../support/engines/indexed-store.ts'
import type { IndexedStore } from '../support/engines/indexed-store.ts'
import { describeWithElasticsearch } from '../support/engines/under-test.ts'
import { storedBatch } from '../support/records.ts'
import { EVER, all, messages, never, newestFirst, parseNdjson, query } from '../support/store-under-test.ts'

/** More words that fit a pattern than Elasticsearch counts inside a phrase, with the heap of the tests. */
const MANY = 18_000
const BATCH_RECORDS = 3_000

describeWithElasticsearch('queries of store-elastic on many records', () => many())
describeWithElasticsearch('queries of store-elastic on a few records', () => few())

function many(): void {
  let made: IndexedStore
  let records: LogRecord[]

  beforeAll(async () => {
    made = await indexedStore(['eu', 'us'], { quantileNumbersMax: 500 })
    records = []
    for (let seq = 1; records.length < MANY; seq++) {
      const fields = Array.from({ length: BATCH_RECORDS }, (_, i) => recordFields(records.length + i))
      const batch = storedBatch(fields, { seq })
      await made.store.append(batch, never)
      records.push(...batch.records)
    }
    records.sort(newestFirst)
  })
  afterAll(() => made[Symbol.asyncDispose]())

  test('a pattern inside a phrase may fit any number of words', async () => {
    for (const text of ['q*-tail', '/q.*7/ tail q*-tail-1', 'NOT q*-tail']) {
      const found = records.filter((record) => matches(query(text), record))
      const request = { plan: query(text), range: EVER, intervalMs: 1_000_000 }
      const { buckets } = await made.store.histogram(request, never)
      expect(buckets.reduce((sum, { total }) => sum + total, 0)).toBe(found.length)
      const page = await made.store.search({ ...request, limit: 20 }, never)
      expect(page.records).toEqual(found.slice(0, 20))
    }
  })

  test('a regex may be harder to compile than Elasticsearch wants', async () => {
    const plan = query('/[q0-9]*1[q0-9]{3}/ OR /[qx]*x[qx]{25}/')
    const found = records.filter((record) => matches(plan, record))
    expect(found.length).toBeGreaterThan(0)
    expect(messages((await made.store.search({ plan, range: EVER, limit: 5_000 }, never)).records)).toEqual(
      messages(found),
    )
  })

  test('pages of listings and exports add up, however large they are', async () => {
    const plan = query('NOT host:h1')
    const found = records.filter((record) => matches(plan, record))
    const page = await made.store.search({ plan, range: EVER, limit: 15_000 }, never)
    expect(messages(page.records)).toEqual(messages(found.slice(0, 15_000)))
    const lines: unknown[] = []
    for (let after: LogRecord | { timeMs: number; id: string } | null | undefined; after !== null;) {
      const part = await made.store.exportPage({ plan, range: EVER, limit: 50_000, after }, never)
      lines.push(...parseNdjson(part.ndjson))
      after = part.next
    }
    expect(lines.map((line) => (line as { id: string }).id)).toEqual(found.map(({ id }) => id))
  })

  test.each(['user', 'trace', 'latency_ms'])('more values of %s than one request gives', async (field) => {
    const request = { plan: query('tail'), range: EVER, limit: 3, field }
    const found = await made.store.top(request, never)
    expect(found).toMatchObject({ matched: MANY, having: MANY, distinct: MANY - 9 })
    expect(found.values[0]).toMatchObject({ count: 10 })
    expect(found.values.slice(1).map(({ count }) => count)).toEqual([1, 1])
  })

  test('more buckets than one request gives', async () => {
    const { buckets } = await made.store.histogram(
      { plan: MATCH_ALL, range: EVER, intervalMs: 1, by: 'host' },
      never,
    )
    expect(buckets).toHaveLength(MANY)
    expect(buckets[5]).toEqual({ startMs: -95, total: 1, by: { h5: 1 } })
  })

  test.each([0.01, 0.25, 0.5, 0.99, 1])('the %s quantile of many numbers is at most 1 % off', async (p) => {
    const request = { plan: MATCH_ALL, range: EVER, intervalMs: 100_000, by: 'host' } as const
    const { buckets } = await made.store.histogram({ ...request, quantile: { of: 'latency_ms', p } }, never)
    for (const host of ['h0', 'h1', 'h6']) {
      const numbers = records.flatMap((record) =>
        record.timeMs >= 0 && record.host === host ? (record.latencyMs ?? []) : [],
      )
      const exact = numbers.toSorted((left, right) => left - right)[Math.ceil(p * numbers.length) - 1] ?? NaN
      const found = buckets[1]?.quantiles?.[host] ?? NaN
      expect(Math.abs(found - exact)).toBeLessThanOrEqual(Math.abs(exact) * 0.010_001)
    }
  })

  test('a query that is aborted stops', async () => {
    const control = new AbortController()
    const asked = made.store.top(
      { plan: query('/.*1.*2.*3/'), range: EVER, limit: 3, field: 'user' },
      control.signal,
    )
    control.abort(new Error('gone'))
    await expect(asked).rejects.toBe(control.signal.reason)
  })
}

/** Ten of the records have the same user, trace and latency. */
function recordFields(place: number) {
  const number = place % 1_800 === 0 ? 0 : place
  return {
    timeMs: place - 100,
    message: `q${place} tail ${place % 3}`,
    host: `h${place % 7}`,
    site: place % 2 === 0 ? 'eu' : 'us',
    trace: `t${place % 1_800 === 0 ? 'x' : place}`,
    latencyMs: (number - 9_000) / 7,
    attrs: { user: place % 1_800 === 0 ? ['u', 'u'] : `u${place}` },
  }
}

function few(): void {
  test('indices that are due to be purged are not shown', async () => {
    await using made = await indexedStore(['eu', 'us'])
    await made.store.append(
      storedBatch([
        { site: 'eu', message: 'a' },
        { site: 'us', message: 'b' },
      ]),
      never,
    )
    made.hidden.add(made.index('eu'))
    expect(messages(await all(made.store))).toEqual(['b'])
    const request = { plan: MATCH_ALL, range: EVER, intervalMs: 1, limit: 9, after: 0 }
    expect((await made.store.histogram(request, never)).buckets).toMatchObject([{ total: 1 }])
    expect(await made.store.top({ ...request, field: 'site' }, never)).toMatchObject({ matched: 1 })
    expect((await made.store.arrivals(request, never)).arrivals).toHaveLength(1)
    expect(await made.store.explain(request, never)).toMatchObject({ partitions: 1, records: 1 })
  })

  test('a tail sees nothing above the horizon, and equal positions together', async () => {
    let horizon = 4
    await using made = await indexedStore(['eu'], {
      position: (place) => 1 + Math.floor(place / 3),
      horizon: () => horizon,
    })
    await made.store.append(storedBatch('abcdefghijkl'.split('').map((message) => ({ message }))), never)
    const pages: string[] = []
    let after = 0
    for (let asked = 0; asked < 5; asked++) {
      const page = await made.store.arrivals({ plan: query('NOT e'), after, limit: 2 }, never)
      pages.push(messages(page.arrivals.map(({ record }) => record)).join(''))
      after = page.position
    }
    expect(pages).toEqual(['abc', 'df', 'ghi', '', ''])
    expect(after).toBe(3)
    horizon = 5
    const rest = await made.store.arrivals({ plan: query('NOT e'), after, limit: 4 }, never)
    expect(rest).toMatchObject({ position: 4, arrivals: [{ position: 4 }, { position: 4 }, { position: 4 }] })
    const fitting = await made.store.arrivals({ plan: MATCH_ALL, after: 0, limit: 4 }, never)
    expect(fitting).toMatchObject({ position: 1, arrivals: [{}, {}, {}] })
  })

  test('an empty store answers everything', async () => {
    await using made = await indexedStore([], { horizon: () => 1 })
    const request = { plan: query('web* OR NOT a:>5'), range: EVER, intervalMs: 10, limit: 5, after: 0 }
    const quantile = { of: 'status', p: 0.5 } as const
    expect(await made.store.histogram({ ...request, quantile }, never)).toEqual({ buckets: [], scanned: 0 })
    expect(await made.store.top({ ...request, field: 'a' }, never)).toMatchObject({ matched: 0, distinct: 0 })
    expect(await made.store.arrivals(request, never)).toEqual({ arrivals: [], position: 0 })
    expect(await all(made.store)).toEqual([])
  })

  test.each<[string, QueryPlan]>([
    [
      'as many words as a query may have',
      query(Array.from({ length: 1_000 }, (_, i) => `w${i}`).join(' OR ')),
    ],
    ['nested as deeply as a query may be', query(`${'(a OR (b '.repeat(31)}c${'))'.repeat(31)}`)],
    ['NOT inside NOT', query(`${'NOT ('.repeat(31)}a${')'.repeat(31)}`)],
    ['a phrase of many words', query(`"${'a '.repeat(255)}"`)],
    ['a prefix longer than Elasticsearch takes', query(`host:${'h'.repeat(1_500)}*`)],
    ['a prefix of an attr longer than Elasticsearch takes', query(`user:${'h'.repeat(1_500)}*`)],
    [
      'a regex of every kind of character',
      query(String.raw`host:/["#@~&<>\[\]^\-\\\/{}|()*+?.]+[^"#a-c\-\]]*/`),
    ],
    ['a key longer than a term', plan({ type: 'exists', field: 'k'.repeat(30_000) })],
    ['a key with every kind of character', plan({ type: 'prefix', field: 'a*b.?"{}\\,\n ', prefix: 'x' })],
  ])('%s', async (_, asked) => {
    await using made = await indexedStore(['eu'])
    const odd = '"#@~&<>[]^-\\/{}|()*+?.'
    const hosts = ['', 'a', 'h'.repeat(1_499), `${'h'.repeat(1_500)}x`, odd]
    const batch = storedBatch(
      hosts.map((host, place) => ({
        host,
        message: 'a '.repeat(place * 100),
        attrs: { user: host, 'a*b.?"{}\\,\n ': `x${host}`, ['k'.repeat(place * 10_000)]: 'v' },
      })),
    )
    await made.store.append(batch, never)
    const found = batch.records.filter((record) => matches(asked, record)).sort(newestFirst)
    expect(await all(made.store, asked)).toEqual(found)
    const { matched } = await made.store.top({ plan: asked, range: EVER, field: 'user', limit: 1 }, never)
    expect(matched).toBe(found.length)
  })
}

function plan(root: QueryNode): QueryPlan {
  return { text: '', root }
}
