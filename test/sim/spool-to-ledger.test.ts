import { expect, test } from 'vitest'
import { createMemoryMetricStore } from '../../adapters/metric-store-memory.ts'
import { createMemoryStore } from '../../adapters/store-memory.ts'
import { createMemoryTransport } from '../../adapters/transport-memory.ts'
import { createAggregator } from '../../aggregator/aggregator.ts'
import { createMarks } from '../../collectors/marks.ts'
import { openSpool } from '../../collectors/spool/spool.ts'
import type { Spool } from '../../collectors/spool/types.ts'
import { asServiceError } from '../../core/errors.ts'
import { MATCH_ALL } from '../../core/query/plan.ts'
import { createListQuarantine, frameOf, noMetrics, plainEnrich } from '../support/aggregator.ts'
import { createFakeClock } from '../support/fake-clock.ts'
import { createPowerLossFs } from '../support/power-loss-fs.ts'
import { draftOf } from '../support/spool.ts'
import { quietLog } from '../support/quiet-log.ts'

const DIR = '/spool'
const never = new AbortController().signal

/** One collector's spool and marks, and the aggregator that they talk to. */
async function createSite() {
  const clock = createFakeClock()
  const store = createMemoryStore()
  const aggregator = createAggregator({
    tiers: {},
    store,
    metricStore: createMemoryMetricStore({ retention: { raw: 4e8, minute: 4e8, hour: 4e8 } }),
    quarantine: createListQuarantine(),
    site: 'eu',
    node: 'node-1',
    enrich: plainEnrich,
    clock,
    log: quietLog,
    metrics: noMetrics,
    settleMs: 3_000,
    silentAfterMs: 5_000,
    followMs: null,
  })
  await aggregator.start()
  const sender = createMemoryTransport(aggregator.intake, { site: 'eu', sender: 'test' })
  const startedAtMs = clock.nowMs()
  let fs = createPowerLossFs()
  let spool = await open()

  function open(): Promise<Spool> {
    const options = { fs, dir: DIR, collector: 'c1', destinations: ['out'], bytesMax: 64 << 20 }
    return openSpool({ ...options, clock, log: quietLog })
  }

  return {
    clock,
    sender,
    get spool() {
      return spool
    },
    append: (line: string) => spool.append(draftOf([line]), {}),
    /** What waits in the spool, in order; stops at a number that is taken. */
    async deliver(count: number): Promise<'delivered' | 'conflict'> {
      for (let left = count; left > 0; left -= 1) {
        const { ref, frame } = await spool.take('out', never)
        try {
          await sender.send(frame, never)
          spool.ack('out', ref)
        } catch (error) {
          if (asServiceError(error)?.code !== 'SEQUENCE_CONFLICT') throw error
          spool.giveBack('out', ref)
          return 'conflict'
        }
      }
      return 'delivered'
    },
    /** The marks of some seconds, without the goodbye. */
    async marks(ms: number): Promise<void> {
      let on = true
      const sendMark: typeof sender.sendMark = async (mark, signal) => {
        if (on) await sender.sendMark(mark, signal)
      }
      const senders = new Map([['out', { sendMark }]])
      const marks = createMarks({ spool, host: 'h1', senders, readAgeMs: () => 0, clock, log: quietLog })
      marks.start()
      await clock.advance(ms)
      on = false
      await marks.stop()
    },
    /** Ends the process in order, and damages the last byte of its newest segment. */
    async reopenDamaged(): Promise<void> {
      await spool.close()
      const segment = (await fs.list(DIR)).findLast((name) => name.endsWith('.seg')) ?? ''
      const path = `${DIR}/${segment}`
      fs.damage(path, ((await fs.size(path)) ?? 0) - 5)
      fs = fs.crash()
      spool = await open()
    },
    judge: () => aggregator.completeness.judge({ fromMs: startedAtMs, toMs: clock.nowMs() }, 'eu'),
    async lines(): Promise<string[]> {
      const range = { fromMs: 0, toMs: Number.MAX_SAFE_INTEGER }
      const { records } = await store.search({ plan: MATCH_ALL, range, limit: 100 }, never)
      return records.map(({ message }) => message).toSorted()
    },
  }
}

test('a batch that was damaged at the end of an epoch, of which no mark arrived, is a gap from the next mark on', async () => {
  const site = await createSite()
  await site.marks(5_000)
  await site.append('one')
  await site.deliver(1)
  await site.marks(5_000)
  expect(site.judge().complete).toBe(true)
  await site.append('two')
  await site.clock.advance(1_000)
  await site.reopenDamaged()
  await site.marks(10_000)
  const lost = { reason: 'lost', collector: 'c1', detail: expect.stringContaining('batches 2 to 2') }
  expect(site.judge()).toMatchObject({ complete: false, gaps: [lost] })
  await site.append('three')
  await site.deliver(1)
  await site.marks(10_000)
  expect(site.judge()).toMatchObject({ complete: false, gaps: [lost], gapsTotal: 1 })
  expect(await site.lines()).toEqual(['one', 'three'])
})

test('what goes on under new numbers after a conflict is complete in the end, every line once', async () => {
  const site = await createSite()
  await site.marks(5_000)
  for (const line of ['one', 'two', 'three', 'four']) await site.append(line)
  await site.deliver(1)
  const { epoch } = site.spool
  await site.sender.send(await frameOf(['from a clone'], { collector: 'c1', epoch, seq: 2 }), never)
  expect(await site.deliver(3)).toBe('conflict')
  await site.spool.renumber('out')
  await site.append('five')
  await site.marks(3_000)
  expect(site.judge()).toMatchObject({ complete: false })
  expect(await site.deliver(2)).toBe('delivered')
  await site.marks(3_000)
  expect(site.judge()).toMatchObject({ complete: false })
  expect(await site.deliver(2)).toBe('delivered')
  await site.marks(10_000)
  expect(site.judge()).toMatchObject({ complete: true, gaps: [] })
  expect(await site.lines()).toEqual(['five', 'four', 'from a clone', 'one', 'three', 'two'])
})
