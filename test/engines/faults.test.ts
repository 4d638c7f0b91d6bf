import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import {
  type OwnEngines,
  faultRun,
  killAggregators,
  redeliver,
  startOwnEngines,
} from '../support/engines/fault-run.ts'
import { describeWithEngines } from '../support/engines/under-test.ts'

const NOTHING = { missing: [], twice: [], foreign: [] }
/** Kafka misses a dead member for ten seconds, a killed Elasticsearch is away for thirty. */
const TIMEOUT_MS = 240_000

describeWithEngines('faults under load, the whole program: every line is found exactly once', () => {
  let engines: OwnEngines
  beforeAll(async () => {
    engines = await startOwnEngines()
  }, TIMEOUT_MS)
  afterAll(() => engines[Symbol.asyncDispose]())

  test(
    'kill -9 of an aggregator, while another one comes and goes; then the whole topic again, under another policy',
    async () => {
      const { written, difference } = await faultRun(engines, async (world) => {
        const second = await world.startAggregator()
        world.aggregators.pop()
        await killAggregators(world, 1)
        await second.stop()
        for (const turn of [1, 2]) await redeliver(world, turn)
        await sleep(1_000)
      })
      expect(written).toBeGreaterThan(1_000)
      expect(difference).toEqual(NOTHING)
    },
    TIMEOUT_MS,
  )

  test(
    'kill -9 of Elasticsearch and of the broker',
    async () => {
      const { difference } = await faultRun(engines, async ({ elasticsearch, kafka }) => {
        await sleep(1_000)
        await Promise.all([elasticsearch.kill(), kafka.kill()])
        await Promise.all([elasticsearch.start(), kafka.start()])
        await sleep(1_000)
      })
      expect(difference).toEqual(NOTHING)
    },
    TIMEOUT_MS,
  )
})
