import { expect, test } from 'vitest'
import type { PurgedRange, Store, TimeRange } from '../../core/ports.ts'
import { MATCH_ALL } from '../../core/query/plan.ts'
import type { LogRecord } from '../../core/record.ts'
import { slotMsOf } from '../../core/retention.ts'
import type { Retention } from '../../core/retention.ts'
import { createFakeClock } from '../support/fake-clock.ts'
import type { FakeClock } from '../support/fake-clock.ts'
import { storedBatch } from '../support/records.ts'
import type { RecordFields } from '../support/records.ts'
import { EVER, all, messages, never, parseNdjson, query } from '../support/store-under-test.ts'
import type { MakeStore, StoreUnderTest } from '../support/store-under-test.ts'

const MINUTE_MS = 60_000
const HOUR_MS = 60 * MINUTE_MS
const START_MS = Date.UTC(2025, 0, 1)
const YEAR_2099_MS = Date.UTC(2099, 0, 1)

const DEBUG = { name: 'debug', maxAgeMs: HOUR_MS, bytesMax: null, match: { levels: ['debug', 'trace'] } }
const SLOW = { name: 'slow', maxAgeMs: 24 * HOUR_MS, bytesMax: null, match: { paths: ['/var/slow/**'] } }
const LOGS = { name: 'logs', maxAgeMs: 4 * HOUR_MS, bytesMax: null, match: {} }
const RETENTION: Retention = { classes: [DEBUG, SLOW, LOGS], bytesMax: null }
const DEBUG_SLOT_MS = slotMsOf(DEBUG)

type Aged = StoreUnderTest & { readonly clock: FakeClock }

/** A store that keeps debug 1 h in slots of 15 min, and the rest 4 h in slots of 1 h or a day; its clock stands at START_MS. */
async function aged(make: MakeStore): Promise<Aged> {
  const clock = createFakeClock({ nowMs: START_MS })
  const made = await make({ retention: RETENTION, clock })
  return { ...made, clock, [Symbol.asyncDispose]: () => made[Symbol.asyncDispose]() }
}

/** A record that was taken when it was made. */
function at(afterMs: number, fields: Partial<RecordFields> = {}): Partial<RecordFields> {
  return { timeMs: START_MS + afterMs, ingestedMs: START_MS + afterMs, message: 'line', ...fields }
}

/** In the debug slot that begins at START_MS and in the one after the next, and info beside them. */
async function withTwoSlots(make: MakeStore): Promise<Aged> {
  const made = await aged(make)
  made.clock.jump(3 * DEBUG_SLOT_MS)
  const batches = [0, 2 * DEBUG_SLOT_MS].map((startMs, index) =>
    storedBatch(
      [
        at(startMs + 5, { level: 'debug', service: 'a', status: index, message: `debug line ${index}` }),
        at(startMs + 90, { level: 'trace', service: 'b', message: `trace line ${index}` }),
        at(startMs + 60, { level: 'info', service: 'a', message: `info line ${index}` }),
      ],
      { seq: index + 1 },
    ),
  )
  for (const batch of batches) await made.store.append(batch, never)
  return made
}

/** The moment at which nothing of the debug slot that starts so long after START_MS may be left. */
const dueAfter = (startMs: number) => startMs + DEBUG.maxAgeMs

function jumpTo({ clock }: Aged, afterMs: number): void {
  clock.jump(START_MS + afterMs - clock.nowMs())
}

/** Everything that the store shows by whatever query. */
async function shown(store: Store, text = ''): Promise<Record<string, unknown>> {
  const plan = query(text)
  const request = { plan, range: EVER, limit: 1_000 }
  const by = { by: 'message' as const }
  const { buckets } = await store.histogram({ plan, range: EVER, intervalMs: 1e15, by: 'level' }, never)
  const top = await store.top({ ...request, field: 'level' }, never)
  const { ndjson } = await store.exportPage(request, never)
  const { arrivals } = await store.arrivals({ plan, after: 0, limit: 1_000 }, never)
  const exported = parseNdjson(ndjson) as readonly Record<typeof by.by, string>[]
  return {
    searched: messages(await all(store, plan)).toSorted(),
    oldest: messages((await store.search({ ...request, order: 'oldest' }, never)).records).toSorted(),
    exported: exported.map(({ message }) => message).toSorted(),
    arrived: messages(arrivals.map(({ record }) => record)).toSorted(),
    levels: Object.assign({}, ...buckets.map((bucket) => bucket.by)) as unknown,
    top: Object.fromEntries(top.values.map(({ value, count }) => [value, count])),
    matched: top.matched,
  }
}

function expected(records: readonly { readonly message: string; readonly level: string }[]): object {
  const searched = records.map(({ message }) => message).toSorted()
  const levels = Object.fromEntries(
    [...Map.groupBy(records, ({ level }) => level)].map(([level, of]) => [level, of.length]),
  )
  return {
    searched,
    oldest: searched,
    exported: searched,
    arrived: searched,
    levels,
    top: levels,
    matched: searched.length,
  }
}

/** How many records each kind of query tells of. */
const COUNTS: Readonly<Record<string, (store: Store) => Promise<number>>> = {
  search: async (store) => (await all(store)).length,
  exportPage: async (store) =>
    (await store.exportPage({ plan: MATCH_ALL, range: EVER, limit: 100 }, never)).records,
  async histogram(store) {
    const { buckets } = await store.histogram({ plan: MATCH_ALL, range: EVER, intervalMs: 1e15 }, never)
    return buckets.reduce((sum, { total }) => sum + total, 0)
  },
  top: async (store) =>
    (await store.top({ plan: MATCH_ALL, range: EVER, field: 'site', limit: 1 }, never)).matched,
  arrivals: async (store) =>
    (await store.arrivals({ plan: MATCH_ALL, after: 0, limit: 100 }, never)).arrivals.length,
  stats: async (store) => (await store.stats()).records,
}

async function purged(store: Store, text = '', range: TimeRange = EVER): Promise<readonly PurgedRange[]> {
  return await store.purged({ plan: query(text), range })
}

/** Without what differs between runs and stores: when it was, and whether the store tells sites apart. */
const withoutMoment = (ranges: readonly PurgedRange[]) =>
  ranges.map(({ atMs: _at, site: _site, ...range }) => range)

/** How much is gone, and from when to when, however a store cuts it. */
function summary(ranges: readonly PurgedRange[]): object {
  const fromMs = Math.min(...ranges.map((range) => range.fromMs)) - START_MS
  const toMs = Math.max(...ranges.map((range) => range.toMs)) - START_MS
  const kinds = new Set(ranges.map((range) => `${range.class} ${range.reason}`))
  return { fromMs, toMs, records: ranges.reduce((sum, { records }) => sum + records, 0), kinds: [...kinds] }
}

const byAge = (fromMs: number, toMs: number, records: number) => ({
  fromMs,
  toMs,
  records,
  kinds: ['debug age'],
})

/** Part of the contract of `Store`: what a retention policy takes away, and what is said of it. */
export function storePurging(make: MakeStore): void {
  test('without a policy nothing is purged, however old', async () => {
    await using made = await make()
    await made.store.append(storedBatch([{ timeMs: -8.64e15 }, { timeMs: 0 }]), never)
    expect(await made.store.purge()).toEqual([])
    expect(await purged(made.store)).toEqual([])
    expect(await all(made.store)).toHaveLength(2)
    expect((await made.store.stats()).purged).toEqual({ partitions: 0, records: 0, bytes: 0 })
  })

  onTime(make)
  saying(make)
  forEver(make)
  expiring(make)
  oddTimes(make)
}

function onTime(make: MakeStore): void {
  const first = [
    { message: 'debug line 0', level: 'debug' },
    { message: 'trace line 0', level: 'trace' },
  ]
  const rest = [
    { message: 'info line 0', level: 'info' },
    { message: 'debug line 1', level: 'debug' },
    { message: 'trace line 1', level: 'trace' },
    { message: 'info line 1', level: 'info' },
  ]

  test.each(['', 'line'])(
    'no query about %j shows a partition from the moment on that it is due',
    async (text) => {
      await using made = await withTwoSlots(make)
      jumpTo(made, dueAfter(0) - 1)
      expect(await shown(made.store, text)).toEqual(expected([...first, ...rest]))
      expect(await purged(made.store)).toEqual([])
      jumpTo(made, dueAfter(0))
      expect(await shown(made.store, text)).toEqual(expected(rest))
    },
  )

  test.each(Object.entries(COUNTS))('%s by itself hides it', async (_name, count) => {
    await using made = await withTwoSlots(make)
    jumpTo(made, dueAfter(0))
    expect(await count(made.store)).toBe(4)
  })

  test('statistics are about what is left, and count what went', async () => {
    await using made = await withTwoSlots(make)
    jumpTo(made, dueAfter(0))
    const stats = await made.store.stats()
    expect(stats).toMatchObject({ records: 4, oldestMs: START_MS + 60 })
    for (const partition of stats.partitions) expect(partition.purgeAtMs).toBeGreaterThan(made.clock.nowMs())
    await made.store.purge()
    expect((await made.store.stats()).purged).toMatchObject({ partitions: 1, records: 2 })
    jumpTo(made, dueAfter(2 * DEBUG_SLOT_MS))
    await made.store.purge()
    expect(await made.store.stats()).toMatchObject({ records: 2, purged: { partitions: 2, records: 4 } })
  })

  test('partitions are told with their slot and the time of their purge', async () => {
    await using made = await withTwoSlots(make)
    await made.store.append(storedBatch([at(0, { path: '/var/slow/a/b.log' })], { seq: 9 }), never)
    const { partitions, records } = await made.store.stats()
    expect(partitions.reduce((sum, partition) => sum + partition.records, 0)).toBeLessThanOrEqual(records)
    expect(partitions).toEqual(partitions.toSorted((left, right) => left.fromMs - right.fromMs))
    for (const partition of partitions) {
      const its = RETENTION.classes.find(({ name }) => name === partition.class) ?? LOGS
      expect(partition.class).toBe(its.name)
      expect(partition.toMs - partition.fromMs).toBe(slotMsOf(its))
      expect(partition.fromMs % slotMsOf(its)).toBe(0)
      expect(partition.purgeAtMs).toBe(partition.fromMs + its.maxAgeMs)
      expect(partition.records).toBeGreaterThan(0)
    }
  })

  test('every class keeps its records as long as it says, also by path', async () => {
    await using made = await aged(make)
    const records = [
      at(0, { level: 'debug', message: 'debug' }),
      at(0, { level: 'info', message: 'logs' }),
      at(0, { level: 'debug', path: '/var/slow/a.log', message: 'the first class that matches' }),
      at(0, { level: 'warn', path: '/var/slow/a/b.log', message: 'slow' }),
    ]
    await made.store.append(storedBatch(records), never)
    const left: string[][] = []
    for (const afterMs of [DEBUG, LOGS, SLOW].map(({ maxAgeMs }) => maxAgeMs)) {
      jumpTo(made, afterMs - 1)
      left.push(messages(await all(made.store)).toSorted())
    }
    jumpTo(made, SLOW.maxAgeMs)
    expect(left).toEqual([
      ['debug', 'logs', 'slow', 'the first class that matches'],
      ['logs', 'slow'],
      ['slow'],
    ])
    expect(await all(made.store)).toEqual([])
  })
}

function saying(make: MakeStore): void {
  const gone = byAge(5, 91, 2)

  test('what is hidden is told at once, with its time and number', async () => {
    await using made = await withTwoSlots(make)
    jumpTo(made, dueAfter(0) + 7)
    const ranges = await purged(made.store)
    expect(summary(ranges)).toEqual(gone)
    for (const { atMs } of ranges) {
      expect(atMs).toBeGreaterThanOrEqual(START_MS + dueAfter(0))
      expect(atMs).toBeLessThanOrEqual(made.clock.nowMs())
    }
  })

  test('purge says what went, once', async () => {
    await using made = await withTwoSlots(make)
    expect(await made.store.purge()).toEqual([])
    jumpTo(made, dueAfter(0))
    expect(summary(await made.store.purge())).toEqual(gone)
    expect(await made.store.purge()).toEqual([])
    expect(summary(await purged(made.store))).toEqual(gone)
    expect(await shown(made.store)).toMatchObject({ matched: 4 })
  })

  test('only ranges that touch the one asked about are told, oldest first', async () => {
    await using made = await withTwoSlots(make)
    jumpTo(made, dueAfter(2 * DEBUG_SLOT_MS))
    const ranges = await purged(made.store)
    expect(ranges).toEqual(ranges.toSorted((left, right) => left.fromMs - right.fromMs))
    const told = async (fromMs: number, toMs: number) =>
      (await purged(made.store, '', { fromMs: START_MS + fromMs, toMs: START_MS + toMs })).length
    const second = 2 * DEBUG_SLOT_MS
    expect(await told(0, 5)).toBe(0)
    expect(await told(0, 6)).toBeGreaterThan(0)
    expect(await told(90, 91)).toBeGreaterThan(0)
    expect(await told(91, second + 5)).toBe(0)
    expect(await told(second + 90, second + 91)).toBeGreaterThan(0)
    expect(await told(second + 91, 1e12)).toBe(0)
  })

  test.each([
    { text: 'level:debug', told: true },
    { text: 'level:trace line', told: true },
    { text: 'level:(error OR debug)', told: true },
    { text: 'level:error', told: false },
    { text: 'level:info', told: false },
    { text: 'level:error line service:a', told: false },
    { text: 'level:(error OR warn)', told: false },
    { text: 'service:a', told: true },
    { text: 'line', told: true },
    { text: 'NOT level:error', told: true },
    { text: '-level:debug -level:trace', told: false },
    { text: 'NOT (level:trace OR level:debug) line', told: false },
    { text: 'NOT level:trace', told: true },
  ])('of what cannot have matched nothing is told: $text', async ({ text, told }) => {
    await using made = await withTwoSlots(make)
    jumpTo(made, dueAfter(0))
    expect((await purged(made.store, text)).length > 0).toBe(told)
    await made.store.purge()
    expect((await purged(made.store, text)).length > 0).toBe(told)
  })
}

function forEver(make: MakeStore): void {
  test('what was purged does not come back: not by a duplicate, not by a restart', async ({ skip }) => {
    await using made = await aged(make)
    const old = storedBatch([at(0, { level: 'debug' }), at(1, { message: 'stays' })])
    await made.store.append(old, never)
    jumpTo(made, dueAfter(0))
    await made.store.purge()
    const before = withoutMoment(await purged(made.store))
    expect(await made.store.append(old, never)).toBe('duplicate')
    expect(messages(await all(made.store))).toEqual(['stays'])
    if (made.reopen === undefined) return skip('keeps nothing')
    const store = await made.reopen()
    expect(messages(await all(store))).toEqual(['stays'])
    expect(await store.append(old, never)).toBe('duplicate')
    expect(withoutMoment(await purged(store))).toEqual(before)
    expect((await store.stats()).purged).toMatchObject({ partitions: 1, records: 1 })
    expect(await store.purge()).toEqual([])
  })

  test('what became due while the store was closed is gone when it opens', async ({ skip }) => {
    await using made = await withTwoSlots(make)
    if (made.reopen === undefined) return skip('keeps nothing')
    await made.store.close()
    jumpTo(made, dueAfter(0))
    const store = await made.reopen()
    expect(await shown(store)).toMatchObject({ matched: 4 })
    expect(summary(await purged(store))).toEqual(byAge(5, 91, 2))
  })

  test('arrival positions only grow when records are purged', async () => {
    await using made = await aged(make)
    await made.store.append(storedBatch([at(0, { level: 'debug' }), at(0, { level: 'debug' })]), never)
    const head = await made.store.head()
    jumpTo(made, dueAfter(0))
    await made.store.purge()
    expect(await made.store.head()).toBe(head)
    const request = { plan: MATCH_ALL, after: 0, limit: 10 }
    expect(await made.store.arrivals(request, never)).toEqual({ arrivals: [], position: head })
    const store = (await made.reopen?.()) ?? made.store
    expect(await store.head()).toBe(head)
    await store.append(storedBatch([at(dueAfter(0), { message: 'new' })], { seq: 2 }), never)
    const page = await store.arrivals(request, never)
    expect(page.arrivals.map(({ record }) => record.message)).toEqual(['new'])
    expect(page.arrivals[0]?.position).toBeGreaterThan(head)
    expect(page.position).toBe(await store.head())
  })

  test('many partitions, over several segments, go one after the other', async () => {
    await using made = await aged(make)
    const slots = 12
    const records: LogRecord[] = []
    for (let slot = 0; slot < slots; slot++) {
      jumpTo(made, slot * DEBUG_SLOT_MS + 100)
      const lines = Array.from({ length: 30 }, (_, i) => at(slot * DEBUG_SLOT_MS + i, { level: 'debug' }))
      const batch = storedBatch(lines, { seq: slot + 1 })
      await made.store.append(batch, never)
      records.push(...batch.records)
      const oldestMs = made.clock.nowMs() - DEBUG.maxAgeMs
      const kept = records.filter(
        ({ timeMs }) => Math.floor(timeMs / DEBUG_SLOT_MS) * DEBUG_SLOT_MS > oldestMs,
      )
      expect(await shown(made.store)).toEqual(expected(kept))
      const gone = (await purged(made.store)).reduce((sum, range) => sum + range.records, 0)
      expect(gone).toBe(records.length - kept.length)
      if (slot % 3 === 2) await made.store.purge()
    }
  })
}

function expiring(make: MakeStore): void {
  const expired = (fromMs: number, toMs: number, records: number) => ({
    fromMs: START_MS + fromMs,
    toMs: START_MS + toMs,
    class: 'debug',
    reason: 'expired',
    records,
  })

  test('a record that is too old already is not kept, and that is said', async () => {
    await using made = await aged(make)
    const old = { level: 'debug' as const, ingestedMs: START_MS }
    const batch = storedBatch([
      at(-2 * HOUR_MS, { ...old, message: 'too old' }),
      at(-2 * HOUR_MS, { level: 'info', message: 'of another class' }),
      at(0, { level: 'debug', message: 'new' }),
      at(-3 * HOUR_MS, { ...old, message: 'much too old' }),
    ])
    expect(await made.store.append(batch, never)).toBe('stored')
    expect(await shown(made.store)).toMatchObject({
      searched: ['new', 'of another class'],
      arrived: ['new', 'of another class'],
    })
    const told = [expired(-3 * HOUR_MS, -2 * HOUR_MS + 1, 2)]
    expect(withoutMoment(await purged(made.store))).toEqual(told)
    expect(await made.store.append(batch, never)).toBe('duplicate')
    expect(withoutMoment(await purged(made.store))).toEqual(told)
    expect(await made.store.ledger()).toMatchObject({
      collectors: { 'eu/web-1': { epochs: [{ stored: [{ seqFrom: 1, seqTo: 1 }] }] } },
    })
  })

  test('of each class there is one range of expired records, also after a restart', async () => {
    await using made = await aged(make)
    const records = [-5, -2, -9].map((hours) => at(hours * HOUR_MS, { level: 'debug' }))
    for (const [index, record] of records.entries())
      expect(await made.store.append(storedBatch([record], { seq: index + 1 }), never)).toBe('stored')
    await made.store.append(storedBatch([at(-6 * HOUR_MS)], { seq: 4 }), never)
    const told = [
      expired(-9 * HOUR_MS, -2 * HOUR_MS + 1, 3),
      { ...expired(-6 * HOUR_MS, -6 * HOUR_MS + 1, 1), class: 'logs' },
    ]
    expect(withoutMoment(await purged(made.store))).toEqual(told)
    expect(await all(made.store)).toEqual([])
    if (made.reopen === undefined) return
    const store = await made.reopen()
    expect(withoutMoment(await purged(store))).toEqual(told)
    expect(await store.append(storedBatch([records[0] ?? {}]), never)).toBe('duplicate')
    expect(await all(store)).toEqual([])
  })

  test('the last moment counts: a slot that is due takes no record, the next one does', async () => {
    await using made = await aged(make)
    const dueMs = -DEBUG.maxAgeMs + DEBUG_SLOT_MS
    const batch = storedBatch([
      at(dueMs - 1, { level: 'debug', message: 'in the slot that is due' }),
      at(dueMs, { level: 'debug', message: 'in the next' }),
    ])
    await made.store.append(batch, never)
    expect(messages(await all(made.store))).toEqual(['in the next'])
  })
}

function oddTimes(make: MakeStore): void {
  test('a record from the year 2099 goes with the slot of its ingest', async () => {
    await using made = await aged(make)
    const future = { level: 'debug' as const, timeMs: YEAR_2099_MS, message: 'from the future' }
    await made.store.append(storedBatch([at(20, { level: 'debug' }), at(10, future)]), never)
    jumpTo(made, dueAfter(0) - 1)
    expect(messages(await all(made.store))).toEqual(['from the future', 'line'])
    jumpTo(made, dueAfter(0))
    expect(await all(made.store)).toEqual([])
    const around = { fromMs: YEAR_2099_MS, toMs: YEAR_2099_MS + 1 }
    expect((await purged(made.store, '', around)).length).toBeGreaterThan(0)
    expect(await purged(made.store, '', { fromMs: YEAR_2099_MS + 1, toMs: 8.64e15 })).toEqual([])
    expect(summary(await purged(made.store))).toEqual(byAge(20, YEAR_2099_MS - START_MS + 1, 2))
  })

  test('a late record goes with the slot of its time, not of its ingest', async () => {
    await using made = await aged(make)
    jumpTo(made, 2 * DEBUG_SLOT_MS)
    const late = { level: 'debug' as const, ingestedMs: START_MS + 2 * DEBUG_SLOT_MS, message: 'late' }
    const inTime = at(2 * DEBUG_SLOT_MS, { level: 'debug', message: 'in time' })
    await made.store.append(storedBatch([inTime, at(0, late)]), never)
    expect(messages(await all(made.store))).toEqual(['in time', 'late'])
    jumpTo(made, dueAfter(0))
    expect(messages(await all(made.store))).toEqual(['in time'])
    jumpTo(made, dueAfter(2 * DEBUG_SLOT_MS))
    expect(await all(made.store)).toEqual([])
  })

  test('a late record for a slot that was purged is not kept', async () => {
    await using made = await withTwoSlots(make)
    jumpTo(made, dueAfter(0))
    await made.store.purge()
    const late = at(10, { level: 'debug', ingestedMs: made.clock.nowMs(), message: 'too late' })
    expect(await made.store.append(storedBatch([late], { seq: 3 }), never)).toBe('stored')
    expect(await shown(made.store)).toMatchObject({ matched: 4 })
    const ranges = await purged(made.store)
    expect(ranges.map(({ reason }) => reason).toSorted()).toEqual(['age', 'expired'])
  })
}
