import { expect, test } from 'vitest'
import { createMemoryMetricStore } from '../../adapters/metric-store-memory.ts'
import { createMemoryStore } from '../../adapters/store-memory.ts'
import { createMemoryTransport } from '../../adapters/transport-memory.ts'
import { createAggregator, type Aggregator } from '../../aggregator/aggregator.ts'
import { ServiceError } from '../../core/errors.ts'
import type { Store } from '../../core/ports.ts'
import { MATCH_ALL } from '../../core/query/plan.ts'
import { createListQuarantine, frameOf, noMetrics, plainEnrich } from '../support/aggregator.ts'
import { quietLog } from '../support/quiet-log.ts'
import { createFakeClock } from '../support/fake-clock.ts'
import { epochOf } from '../support/ledger.ts'
import { createRandom, type Random } from './ledger-world.ts'

const SEEDS = Array.from({ length: 20 }, (_, index) => index + 1)
const never = new AbortController().signal

/** A store whose appends fail before or after they were kept: the sender cannot tell which. */
function createUnsureStore(memory: Store, random: Random): Store {
  return {
    ...memory,
    async append(batch, signal) {
      for (let turns = random.between(0, 3); turns > 0; turns--) await Promise.resolve()
      if (random.chance(0.15)) throw new ServiceError('STORE_UNAVAILABLE', 'failed before it was kept')
      const result = await memory.append(batch, signal)
      if (random.chance(0.15)) throw new ServiceError('STORE_UNAVAILABLE', 'failed after it was kept')
      return result
    },
  }
}

async function start(store: Store, quarantine: ReturnType<typeof createListQuarantine>): Promise<Aggregator> {
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
  return aggregator
}

/** Two epochs of three collectors; a line in ten is one that every store refuses. */
async function someBatches(random: Random) {
  const batches: { key: string; lines: string[]; frame: Buffer }[] = []
  for (const collector of ['c1', 'c2', 'c3']) {
    for (const epoch of ['a', 'b'].map(epochOf)) {
      for (let seq = 1; seq <= 6; seq++) {
        const key = `${collector}/${epoch.slice(0, 2)}/${seq}`
        const lines = Array.from({ length: random.between(0, 5) }, (_, index) =>
          random.chance(0.1) ? '!' : `${key}/${index}`,
        )
        batches.push({ key, lines, frame: await frameOf(lines, { collector, epoch, seq }) })
      }
    }
  }
  return batches
}

test.each(SEEDS)(
  'however often and in whatever order batches arrive, each is kept once (seed %i)',
  async (seed) => {
    const random = createRandom(seed)
    const memory = createMemoryStore()
    const store = createUnsureStore(memory, random)
    const quarantine = createListQuarantine()
    const batches = await someBatches(random)
    const waiting = new Set(batches)
    let aggregator = await start(store, quarantine)

    async function send(batch: (typeof batches)[number]) {
      const transport = createMemoryTransport(aggregator.intake, { site: 'eu', sender: 'test' })
      try {
        await transport.send(batch.frame, random.chance(0.1) ? AbortSignal.timeout(0) : never)
        waiting.delete(batch)
      } catch {
        // It stays in `waiting`: a sender keeps what was not acknowledged.
      }
    }

    while (waiting.size > 0) {
      const sent = Array.from(
        { length: random.between(1, 12) },
        () => batches[random.between(0, batches.length - 1)],
      )
      const sending = [...sent, ...waiting].filter((batch) => batch !== undefined).map(send)
      // The old aggregator is gone without a word; what it had begun may still reach the store.
      if (random.chance(0.3)) aggregator = await start(store, quarantine)
      await Promise.all(sending)
    }

    const range = { fromMs: 0, toMs: Number.MAX_SAFE_INTEGER }
    const { records } = await memory.search({ plan: MATCH_ALL, range, limit: 10_000 }, never)
    const good = batches.flatMap(({ lines }) => lines.filter((line) => line !== '!'))
    expect(records.map(({ message }) => message).toSorted()).toEqual(good.toSorted())
    const refused = new Set(quarantine.entries.map(({ record }) => record?.id))
    expect(refused.size).toBe(batches.flatMap(({ lines }) => lines.filter((line) => line === '!')).length)
    const fresh = await start(memory, quarantine)
    for (const { frame } of batches) {
      expect(await fresh.intake.batch(frame, { site: 'eu', sender: 'test' }, never)).toBe('duplicate')
    }
  },
)
