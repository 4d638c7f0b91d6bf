import { expect, test } from 'vitest'
import { openElasticStore } from '../../adapters/store-elastic.ts'
import type { ElasticOptions, ElasticStore } from '../../adapters/store-elastic.ts'
import { createNames } from '../../adapters/store-elastic/names.ts'
import { systemClock } from '../../core/clock.ts'
import type { LogRecord } from '../../core/record.ts'
import { MATCH_ALL } from '../../core/query/plan.ts'
import { KEEP_ALL } from '../../core/retention.ts'
import type { Retention } from '../../core/retention.ts'
import { PASS, startElasticProxy } from '../support/elastic-proxy.ts'
import type { ElasticProxy, Fate, Seen } from '../support/elastic-proxy.ts'
import { askElastic, elasticOptions, removeIndices } from '../support/elastic-under-test.ts'
import { describeWithElasticsearch, elasticsearchUrl } from '../support/engines/under-test.ts'
import { storedBatch } from '../support/records.ts'
import { all, messages, never } from '../support/store-under-test.ts'

/** Stores on one prefix, through a proxy or not; all is removed in the end. */
interface World extends AsyncDisposable {
  readonly prefix: string
  readonly proxy: ElasticProxy
  /** `direct`: not through the proxy. */
  open(more?: Partial<ElasticOptions> & { direct?: boolean }): Promise<ElasticStore>
}

async function createWorld(): Promise<World> {
  const { prefix } = elasticOptions()
  const proxy = await startElasticProxy(elasticsearchUrl)
  const stores: ElasticStore[] = []
  return {
    prefix,
    proxy,
    async open({ direct = false, ...more } = {}) {
      const nodes = [direct ? elasticsearchUrl : proxy.url]
      const store = await openElasticStore(elasticOptions({ prefix, nodes, ...more }))
      stores.push(store)
      return store
    },
    async [Symbol.asyncDispose]() {
      proxy.decide = () => PASS
      await Promise.all(stores.map((store) => store.close()))
      await removeIndices(prefix)
      await proxy[Symbol.asyncDispose]()
    },
  }
}

/** Elasticsearch may be busy with something else. */
const PATIENT = { timeout: 30_000 }

const isBulk = ({ path }: Seen) => path.startsWith('/_bulk')
const isLedgerWrite = ({ path }: Seen) => path.includes('-ledger/_bulk')

/** The fate for the first `count` requests of a kind. */
function firstOf(count: number, isIt: (seen: Seen) => boolean, fate: Fate): (seen: Seen) => Fate {
  let left = count
  return (seen) => (isIt(seen) && left-- > 0 ? fate : PASS)
}

const lines = (count: number, name = 'line') =>
  Array.from({ length: count }, (_, i) => ({ timeMs: i, message: `${name} ${i}` }))

const sorted = (records: readonly LogRecord[]) => messages(records).toSorted()

async function holdsOnce(store: ElasticStore, count: number, name = 'line'): Promise<void> {
  expect(sorted(await all(store))).toEqual(messages(storedBatch(lines(count, name)).records).toSorted())
}

describeWithElasticsearch('writing to Elasticsearch', () => {
  losses()
  outages()
  deletions()
  severalWriters()
  purging()
})

function losses(): void {
  test.each([
    { what: 'the answer to a bulk', isIt: isBulk, fate: { type: 'lose' } },
    { what: 'half of a bulk and its answer', isIt: isBulk, fate: { type: 'lose', lines: 20 } },
    { what: 'the answer to a write to the ledger', isIt: isLedgerWrite, fate: { type: 'lose' } },
    { what: 'a whole bulk', isIt: isBulk, fate: { type: 'answer', status: 503, error: 'unavailable' } },
    {
      what: 'bulks for too much work',
      isIt: isBulk,
      fate: { type: 'answer', status: 429, error: 'es_rejected' },
    },
    {
      what: 'writes to the ledger for too much work',
      isIt: isLedgerWrite,
      fate: { type: 'answer', status: 429, error: 'es_rejected' },
    },
  ] as const)('$what: tried again, and kept once', async ({ isIt, fate }) => {
    await using world = await createWorld()
    const store = await world.open()
    world.proxy.decide = firstOf(3, isIt, fate)
    expect(await store.append(storedBatch(lines(20)), never)).toBe('stored')
    await holdsOnce(store, 20)
    expect(await store.append(storedBatch(lines(20)), never)).toBe('duplicate')
  })

  test.each([
    { what: 'half of', lines: 14, kept: 7 },
    { what: 'all of, without saying so,', lines: 40, kept: 20 },
  ])('what a dead process wrote $what is completed, also when it belongs elsewhere now', async (half) => {
    await using world = await createWorld()
    const died = await world.open()
    let dead = false
    world.proxy.decide = (seen) => {
      if (dead) return { type: 'hang' }
      if (!isBulk(seen)) return PASS
      dead = true
      return { type: 'lose', lines: half.lines }
    }
    died.append(storedBatch(lines(20)), never).catch(() => undefined)
    await expect.poll(() => dead, PATIENT).toBe(true)
    const names = createNames(world.prefix)
    await expect
      .poll(async () => {
        await askElastic('POST', `/${names.all}/_refresh`)
        return await askElastic('GET', `/${names.all}/_count`)
      }, PATIENT)
      .toMatchObject({ count: half.kept })
    const elsewhere: Retention = {
      classes: [{ name: 'elsewhere', maxAgeMs: Infinity, bytesMax: null, match: {} }],
      bytesMax: null,
    }
    const store = await world.open({ direct: true, retention: elsewhere })
    expect(await store.append(storedBatch(lines(20)), never)).toBe('stored')
    await holdsOnce(store, 20)
    const told = async () =>
      (await store.arrivals({ plan: MATCH_ALL, after: 0, limit: 100 }, never)).arrivals.length
    await expect.poll(told, PATIENT).toBe(20)
  })

  test('another batch takes the place of one that was written in part and never stored', async () => {
    await using world = await createWorld()
    const died = await world.open()
    let dead = false
    world.proxy.decide = (seen) => {
      if (dead) return { type: 'hang' }
      if (!isBulk(seen)) return PASS
      dead = true
      return { type: 'lose' }
    }
    died.append(storedBatch(lines(5, 'old')), never).catch(() => undefined)
    await expect.poll(() => dead, PATIENT).toBe(true)
    const names = createNames(world.prefix)
    await expect
      .poll(async () => {
        await askElastic('POST', `/${names.all}/_refresh`)
        return await askElastic('GET', `/${names.all}/_count`)
      }, PATIENT)
      .toMatchObject({ count: 5 })
    const store = await world.open({ direct: true })
    expect(await store.append(storedBatch(lines(3, 'new')), never)).toBe('stored')
    await holdsOnce(store, 3, 'new')
  })

  test('a record that Elasticsearch refuses is named, and nothing of its batch is kept', async () => {
    await using world = await createWorld()
    const names = createNames(world.prefix)
    const store = await world.open()
    const index = names.index({ site: 'eu', class: 'all', slotMs: 0 })
    const mappings = { properties: { message: { type: 'long' } } }
    const aliases = { [names.alias(index)]: { is_write_index: true } }
    await askElastic('PUT', `/${index}`, { mappings, aliases })
    const batch = storedBatch(['1', 'no number', '3'].map((message) => ({ message })))
    await expect(store.append(batch, never)).rejects.toMatchObject({
      code: 'RECORD_REFUSED',
      details: { index: 1 },
    })
    await askElastic('POST', `/${names.all}/_refresh`)
    expect(await askElastic('GET', `/${names.all}/_count`)).toMatchObject({ count: 0 })
    const without = { ...batch, records: batch.records.filter((_, at) => at !== 1) }
    expect(await store.append(without, never)).toBe('stored')
    expect(await askElastic('GET', `/${names.all}/_count`)).toMatchObject({ count: 2 })
  })
}

function outages(): void {
  test('a store opens while Elasticsearch is down, says so, and works once it is there', async () => {
    await using world = await createWorld()
    world.proxy.decide = () => ({ type: 'answer', status: 503, error: 'not_yet' })
    const store = await world.open({ clock: { ...systemClock, sleep: soon } })
    expect(store.status()).toMatchObject({ ok: false, detail: expect.stringContaining('not_yet') as string })
    await expect(store.append(storedBatch([{}]), never)).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' })
    await expect(all(store)).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' })
    world.proxy.decide = () => PASS
    await expect.poll(() => store.status(), PATIENT).toEqual({ ok: true, detail: '' })
    expect(await store.append(storedBatch([{}]), never)).toBe('stored')
  })

  test('while an index is blocked batches are sent back; afterwards they are taken', async () => {
    await using world = await createWorld()
    const names = createNames(world.prefix)
    const store = await world.open()
    await store.append(storedBatch(lines(2)), never)
    const block = (write: boolean) =>
      askElastic('PUT', `/${names.all}/_settings`, { 'index.blocks.write': write })
    await block(true)
    const batch = storedBatch([{ timeMs: 5, message: 'line 2' }], { seq: 2 })
    await expect(store.append(batch, never)).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' })
    expect(await all(store)).toHaveLength(2)
    await block(false)
    expect(await store.append(batch, never)).toBe('stored')
    await holdsOnce(store, 3)
  })

  test('what does not get through in time is sent back, and kept once when it comes again', async () => {
    await using world = await createWorld()
    const store = await world.open()
    world.proxy.decide = firstOf(100, isBulk, { type: 'answer', status: 429, error: 'es_rejected' })
    await expect(store.append(storedBatch(lines(4)), never)).rejects.toMatchObject({ code: 'OVERLOADED' })
    expect(store.status().ok).toBe(true)
    world.proxy.decide = () => PASS
    expect(await store.append(storedBatch(lines(4)), never)).toBe('stored')
    await holdsOnce(store, 4)
  })

  test('a caller that goes away does not stop what was begun', async () => {
    await using world = await createWorld()
    const store = await world.open()
    const gone = new AbortController()
    const appending = store.append(storedBatch(lines(4)), gone.signal)
    gone.abort(new Error('gone'))
    await expect(appending).rejects.toThrow('gone')
    expect(await store.append(storedBatch(lines(4)), never)).toBe('duplicate')
    await holdsOnce(store, 4)
  })
}

/** Sleeps a little, whatever was asked for. */
async function soon(_delayMs: number, signal?: AbortSignal): Promise<void> {
  await systemClock.sleep(100, signal)
}

function deletions(): void {
  test('an index of an older mapping gets the fields that it lacks', async () => {
    await using world = await createWorld()
    const names = createNames(world.prefix)
    const index = names.index({ site: 'eu', class: 'all', slotMs: 0 })
    const analyzer = { type: 'custom', tokenizer: 'whitespace' }
    const settings = { analysis: { analyzer: { noctule: analyzer } } }
    await askElastic('PUT', `/${index}`, { settings, mappings: { dynamic: false, _meta: { noctule: 0 } } })
    const store = await world.open()
    expect(await store.append(storedBatch(lines(2)), never)).toBe('stored')
    const after = (await askElastic('GET', `/${index}/_mapping`)) as Record<string, { mappings: object }>
    expect(after[index]?.mappings).toMatchObject({
      _meta: { noctule: 1 },
      properties: { batch: { type: 'keyword' }, arrival: { type: 'long' }, attrs: { type: 'flattened' } },
    })
    await holdsOnce(store, 2)
  })

  test('an index deleted under us is made again', async () => {
    await using world = await createWorld()
    const names = createNames(world.prefix)
    const store = await world.open()
    await store.append(storedBatch([{ message: 'gone' }]), never)
    await askElastic('DELETE', `/${names.index({ site: 'eu', class: 'all', slotMs: 0 })}`)
    const batches = [2, 3].map((seq) => storedBatch(lines(2, `batch ${seq}`), { seq }))
    expect(await Promise.all(batches.map((batch) => store.append(batch, never)))).toEqual([
      'stored',
      'stored',
    ])
    expect(await all(store)).toHaveLength(4)
    const mapping = (await askElastic('GET', `/${names.all}/_mapping`)) as Record<string, object>
    expect(Object.values(mapping)).toMatchObject([{ mappings: { dynamic: 'false' } }])
  })

  test.each([
    { what: 'a document of the ledger', path: (ledger: string) => `/${ledger}/_doc/` },
    { what: 'the index of the ledger', path: (ledger: string) => `/${ledger}` },
  ])('$what that is deleted is written again', async ({ path }) => {
    await using world = await createWorld()
    const { ledger } = createNames(world.prefix)
    const store = await world.open()
    await store.append(storedBatch(lines(2)), never)
    const before = await store.ledger()
    await askElastic('POST', `/${ledger}/_refresh`)
    const found = (await askElastic('GET', `/${ledger}/_search?_source=false`)) as {
      hits: { hits: { _id: string }[] }
    }
    const [{ _id: id } = { _id: '' }] = found.hits.hits
    await askElastic('DELETE', path(ledger).replace(/_doc\/$/, `_doc/${id}`))
    expect(await store.ledger()).toEqual(before)
    expect(await store.append(storedBatch(lines(2)), never)).toBe('duplicate')
    await store.append(storedBatch(lines(1, 'second'), { seq: 2 }), never)
    const after = await store.ledger()
    await store.close()
    const again = await world.open()
    expect(await again.ledger()).toEqual(after)
    expect(await again.append(storedBatch(lines(2)), never)).toBe('duplicate')
    expect(await all(again)).toHaveLength(3)
  })
}

function severalWriters(): void {
  test('what two writers get at once is kept once, and both know all of it', async () => {
    await using world = await createWorld()
    const stores = [await world.open({ direct: true }), await world.open({ direct: true })] as const
    const batches = Array.from({ length: 12 }, (_, i) =>
      storedBatch([{ timeMs: i, message: `line ${i}` }], {
        seq: i + 1,
        collector: `c${i % 3}`,
        host: `h${i % 3}`,
      }),
    )
    const fates = await Promise.all(
      batches.map((batch) => Promise.all(stores.map((store) => store.append(batch, never)))),
    )
    for (const fate of fates) expect(fate).toContain('stored')
    for (const store of stores) await holdsOnce(store, 12)
    const [first, second] = await Promise.all(stores.map((store) => store.ledger()))
    expect(first).toEqual(second)
    const other = storedBatch([{ message: 'other' }], { seq: 1, collector: 'c0', host: 'h0' })
    await expect(stores[0].append(other, never)).rejects.toMatchObject({ code: 'SEQUENCE_CONFLICT' })
  })

  test('a tail sees what others write, each record once, and is told of it', async () => {
    await using world = await createWorld()
    const reader = await world.open({ direct: true })
    const writers = [await world.open({ direct: true }), await world.open({ direct: true })]
    const seen: LogRecord[] = []
    let position = await reader.head()
    let told = 0
    reader.onArrival(() => (told += 1))
    const writing = Promise.all(
      writers.map(async (writer, of) => {
        for (let seq = 1; seq <= 8; seq++)
          await writer.append(
            storedBatch([{ message: `line ${of * 8 + seq - 1}` }], {
              seq,
              collector: `c${of}`,
              host: `h${of}`,
            }),
            never,
          )
      }),
    )
    await expect
      .poll(
        async () => {
          const page = await reader.arrivals({ plan: MATCH_ALL, after: position, limit: 3 }, never)
          seen.push(...page.arrivals.map(({ record }) => record))
          position = page.position
          return seen.length
        },
        { timeout: 60_000, interval: 50 },
      )
      .toBe(16)
    await writing
    expect(sorted(seen)).toEqual(sorted(storedBatch(lines(16)).records))
    await expect.poll(() => told, PATIENT).toBeGreaterThan(0)
  })

  test('marks noted by one are in the ledger of the other', async () => {
    await using world = await createWorld()
    const [one, other] = [await world.open({ direct: true }), await world.open({ direct: true })] as const
    await one.append(storedBatch(lines(1)), never)
    await other.note([{ type: 'retire', site: 'eu', collector: 'web-1', atMs: 7 }])
    expect((await one.ledger()).collectors['eu/web-1']).toMatchObject({ leftAtMs: 7 })
    await one.append(storedBatch(lines(1, 'second'), { seq: 2 }), never)
    expect((await other.ledger()).collectors['eu/web-1']).toMatchObject({
      leftAtMs: 7,
      epochs: [{ stored: [{ seqFrom: 1, seqTo: 2 }] }],
    })
  })
}

function purging(): void {
  const nowMs = Date.UTC(2026, 0, 10)
  const day = 86_400_000
  const at = (daysAgo: number) => ({ timeMs: nowMs - daysAgo * day, ingestedMs: nowMs - daysAgo * day })

  test('a purge that was cut off is finished by the next one, and counted once', async () => {
    await using world = await createWorld()
    let wallMs = nowMs
    const clock = { ...systemClock, nowMs: () => wallMs }
    const retention = {
      classes: [{ name: 'all', maxAgeMs: 4 * day, bytesMax: null, match: {} }],
      bytesMax: null,
    }
    const store = await world.open({ clock, retention })
    await store.append(
      storedBatch([
        { ...at(0), message: 'a' },
        { ...at(0), message: 'b' },
      ]),
      never,
    )
    wallMs += 5 * day
    world.proxy.decide = firstOf(1, ({ method }) => method === 'DELETE', {
      type: 'answer',
      status: 500,
      error: 'cut_off',
    })
    await expect(store.purge()).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' })
    expect((await store.stats()).purged.records).toBe(0)
    expect(await all(store)).toEqual([])
    const other = await world.open({ clock, retention, direct: true })
    expect(await other.purge()).toMatchObject([{ class: 'all', reason: 'age', records: 2 }])
    expect(await other.purge()).toEqual([])
    for (const one of [store, other]) {
      expect((await one.stats()).purged).toMatchObject({ partitions: 1, records: 2 })
      expect(await one.purged({ plan: MATCH_ALL, range: { fromMs: 0, toMs: 8.64e15 } })).toMatchObject([
        { records: 2 },
      ])
    }
  })

  test('what is too large goes from its oldest slot on', async () => {
    await using world = await createWorld()
    const clock = { ...systemClock, nowMs: () => nowMs }
    const keep = await world.open({ clock, retention: KEEP_ALL, direct: true })
    for (const [index, daysAgo] of [3, 1, 2, 0].entries())
      await keep.append(storedBatch([{ ...at(daysAgo), message: `${daysAgo}` }], { seq: index + 1 }), never)
    const { bytesOnDisk } = await keep.stats()
    const [all1] = KEEP_ALL.classes
    if (all1 === undefined) throw new Error('no class')
    const retention = { classes: [{ ...all1, bytesMax: Math.floor(bytesOnDisk * 0.6) }], bytesMax: null }
    const store = await world.open({ clock, retention, direct: true })
    const went = await store.purge()
    expect(went.map(({ reason, fromMs }) => [reason, fromMs])).toEqual([
      ['size', at(3).timeMs],
      ['size', at(2).timeMs],
    ])
    expect(sorted(await all(store))).toEqual(['0', '1'])
  })
}
