import { describe, expect, test } from 'vitest'
import { createMemoryMetricStore } from '../../../adapters/metric-store-memory.ts'
import { createMemoryStore } from '../../../adapters/store-memory.ts'
import { createAggregator } from '../../../aggregator/aggregator.ts'
import { IN_FLIGHT_BYTES_MAX } from '../../../aggregator/pipeline.ts'
import { ServiceError } from '../../../core/errors.ts'
import type { Store, StoredBatch } from '../../../core/ports.ts'
import { MATCH_ALL } from '../../../core/query/plan.ts'
import { FRAME_BYTES_MAX, openFrame, assembleFrame } from '../../../core/wire.ts'
import { createListQuarantine, frameOf, noMetrics, plainEnrich } from '../../support/aggregator.ts'
import { quietLog } from '../../support/quiet-log.ts'
import { createFakeClock } from '../../support/fake-clock.ts'

const ORIGIN = { site: 'eu', sender: 'token web' }
const never = new AbortController().signal

async function open() {
  const memory = createMemoryStore()
  const appended: StoredBatch[] = []
  const hooks: { append: (batch: StoredBatch) => Promise<void> } = { append: async () => {} }
  const store: Store = {
    ...memory,
    async append(batch, signal) {
      await hooks.append(batch)
      appended.push(batch)
      return memory.append(batch, signal)
    },
  }
  const quarantine = createListQuarantine()
  const aggregator = createAggregator({
    tiers: {},
    store,
    metricStore: createMemoryMetricStore({ retention: { raw: 4e8, minute: 4e8, hour: 4e8 } }),
    quarantine,
    site: 'eu',
    node: 'node-1',
    enrich: plainEnrich,
    clock: createFakeClock(),
    log: quietLog,
    metrics: noMetrics,
    settleMs: 3_000,
    silentAfterMs: 5_000,
    followMs: null,
  })
  await aggregator.start()
  const { intake } = aggregator
  const range = { fromMs: 0, toMs: Number.MAX_SAFE_INTEGER }
  return {
    aggregator,
    memory,
    appended,
    hooks,
    quarantine,
    take: (frame: Uint8Array, signal = never) => intake.batch(frame, ORIGIN, signal),
    messages: async () => {
      const { records } = await memory.search({ plan: MATCH_ALL, range, limit: 10_000 }, never)
      return records.map(({ message }) => message).toReversed()
    },
  }
}

describe('a batch', () => {
  test('is stored with the facts of its header and the site of its sender', async () => {
    const { take, messages, appended } = await open()
    const drop = { reason: 'rotated', records: 1, bytes: 2, fromMs: 3, toMs: 4 }
    const fields = { drops: [drop], previous: { epoch: 'a'.repeat(32), lastSeq: 7 } }
    expect(await take(await frameOf(['one', 'two'], fields))).toBe('stored')
    expect(await messages()).toEqual(['one', 'two'])
    const { digest } = openFrame(await frameOf(['one', 'two'], fields))
    expect(appended[0]?.facts).toMatchObject({
      site: 'eu',
      collector: 'c1',
      seq: 1,
      records: 2,
      digest,
      ...fields,
    })
  })

  test('sent twice is kept once, and the store is not asked again', async () => {
    const { take, messages, appended } = await open()
    const frame = await frameOf(['one'])
    expect([await take(frame), await take(frame)]).toEqual(['stored', 'duplicate'])
    expect(await messages()).toEqual(['one'])
    expect(appended).toHaveLength(1)
  })

  test('that arrives twice at once is kept once', async () => {
    const { take, messages, appended } = await open()
    const frame = await frameOf(['one'])
    const results = await Promise.all([take(frame), take(Buffer.from(frame)), take(frame)])
    expect(results.toSorted()).toEqual(['duplicate', 'duplicate', 'stored'])
    expect(await messages()).toEqual(['one'])
    expect(appended).toHaveLength(1)
  })

  test('whose first arrival failed is tried anew by the second', async () => {
    const { take, hooks, messages } = await open()
    let calls = 0
    hooks.append = async () => {
      if (++calls === 1) throw new ServiceError('STORE_UNAVAILABLE', 'not now')
    }
    const frame = await frameOf(['one'])
    const results = await Promise.allSettled([take(frame), take(frame)])
    expect(results.map(({ status }) => status).toSorted()).toEqual(['fulfilled', 'rejected'])
    expect(await messages()).toEqual(['one'])
  })

  test('with other bytes under a stored number is a conflict; the ledger knows, and the store knows before the sender', async () => {
    const { take, messages, aggregator, memory } = await open()
    await take(await frameOf(['one']))
    await expect(take(await frameOf(['other']))).rejects.toMatchObject({ code: 'SEQUENCE_CONFLICT' })
    expect(await messages()).toEqual(['one'])
    expect(aggregator.completeness.collectors()[0]?.conflictAtMs).not.toBeNull()
    const kept = Object.values((await memory.ledger()).collectors)
    expect(kept.map(({ conflictAtMs }) => conflictAtMs)).not.toContain(null)
  })

  test('without a line is kept too: it may carry losses', async () => {
    const { take, aggregator } = await open()
    const drop = { reason: 'rotated', records: 1, bytes: 2, fromMs: 3, toMs: 4 }
    await take(await frameOf([], { drops: [drop], runs: [] }))
    expect(aggregator.completeness.collectors()).toMatchObject([{ drops: [drop] }])
  })

  test('with header fields from the future is taken', async () => {
    const { take, messages } = await open()
    await take(await frameOf(['one'], { fromTheFuture: { yes: true } }))
    expect(await messages()).toEqual(['one'])
  })
})

describe('what cannot be kept', () => {
  test('a frame that is not one goes to the quarantine', async () => {
    const { take, quarantine } = await open()
    await expect(take(Buffer.from('not a frame'))).rejects.toMatchObject({ code: 'BATCH_MALFORMED' })
    expect(quarantine.entries).toMatchObject([
      { site: 'eu', sender: 'token web', text: Buffer.from('not a frame').toString('base64') },
    ])
  })

  test('so does one whose body cannot be read', async () => {
    const { take, quarantine } = await open()
    const { header } = openFrame(await frameOf(['one']))
    const frame = assembleFrame(header, Buffer.from('not zstd'))
    await expect(take(frame)).rejects.toMatchObject({ code: 'BATCH_MALFORMED' })
    expect(quarantine.entries).toHaveLength(1)
  })

  test('a frame that is too large is refused unread', async () => {
    const { take } = await open()
    await expect(take(Buffer.alloc(FRAME_BYTES_MAX + 1))).rejects.toMatchObject({ code: 'BATCH_TOO_LARGE' })
  })

  test('refused records go to the quarantine, their neighbours are stored under the same number', async () => {
    const { take, messages, quarantine } = await open()
    const frame = await frameOf(['!', 'one', '!', 'two', '!'])
    expect(await take(frame)).toBe('stored')
    expect(await messages()).toEqual(['one', 'two'])
    expect(quarantine.entries.map(({ record }) => record?.message)).toEqual(['!', '!', '!'])
    expect(quarantine.entries[0]).toMatchObject({ site: 'eu', sender: 'token web' })
    expect(await take(frame)).toBe('duplicate')
  })

  test('nothing is acknowledged while the quarantine cannot take what was refused', async () => {
    const { take, messages, quarantine } = await open()
    quarantine.fault = new ServiceError('DISK_FULL', 'no space')
    const frame = await frameOf(['!', 'one'])
    await expect(take(frame)).rejects.toMatchObject({ code: 'DISK_FULL' })
    expect(await messages()).toEqual([])
    quarantine.fault = undefined
    expect(await take(frame)).toBe('stored')
  })

  test('when the store cannot take it, the sender is told, and nothing is known of the batch', async () => {
    const { take, hooks, aggregator } = await open()
    hooks.append = () => Promise.reject(new ServiceError('DISK_FULL', 'no space'))
    await expect(take(await frameOf(['one']))).rejects.toMatchObject({ code: 'DISK_FULL', retryable: true })
    expect(aggregator.completeness.collectors()).toEqual([])
  })
})

test('more bytes than may be in flight are answered OVERLOADED, and room comes back', async () => {
  const { take, hooks } = await open()
  const held = Promise.withResolvers<void>()
  hooks.append = () => held.promise
  const line = 'x'.repeat(31 << 20)
  const frames = await Promise.all([1, 2, 3].map((seq) => frameOf([line], { seq })))
  expect(3 * line.length).toBeGreaterThan(IN_FLIGHT_BYTES_MAX)
  const [first, second, third] = frames.map((frame) => take(frame))
  await expect(third).rejects.toMatchObject({ code: 'OVERLOADED', details: { retryAfterMs: 200 } })
  held.resolve()
  expect([await first, await second]).toEqual(['stored', 'stored'])
  expect(await take(await frameOf([line], { seq: 3 }))).toBe('stored')
})

test('a sender that has gone away is not worked for', async () => {
  const { take, appended } = await open()
  await expect(take(await frameOf(['one']), AbortSignal.abort(new Error('gone')))).rejects.toThrow('gone')
  expect(appended).toEqual([])
})

describe('stopping', () => {
  test('finishes what was begun and takes nothing more', async () => {
    const { take, hooks, aggregator, messages } = await open()
    const held = Promise.withResolvers<void>()
    const begun = Promise.withResolvers<void>()
    hooks.append = () => {
      begun.resolve()
      return held.promise
    }
    const taking = take(await frameOf(['one']))
    await begun.promise
    const stopping = aggregator.stop(never)
    await expect(take(await frameOf(['two'], { seq: 2 }))).rejects.toMatchObject({ code: 'SHUTTING_DOWN' })
    held.resolve()
    await stopping
    expect(await taking).toBe('stored')
    expect(await messages()).toEqual(['one'])
  })

  test('does not wait beyond its deadline', async () => {
    const { take, hooks, aggregator } = await open()
    const held = Promise.withResolvers<void>()
    hooks.append = () => held.promise
    const taking = take(await frameOf(['one']))
    await aggregator.stop(AbortSignal.abort())
    held.resolve()
    expect(await taking).toBe('stored')
  })
})
