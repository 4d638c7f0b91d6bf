import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  type FaultWorld,
  type OwnEngines,
  faultRun,
  killAggregators,
  redeliver,
  startOwnEngines,
} from '../support/engines/fault-run.ts'

const NOTHING = { missing: [], twice: [], foreign: [] }

async function block(world: FaultWorld, isBlocked: boolean): Promise<void> {
  const body = JSON.stringify({ 'index.blocks.write': isBlocked })
  const url = `${world.elasticsearch.url}/${world.prefix}-*/_settings`
  const response = await fetch(url, { method: 'PUT', body, headers: { 'content-type': 'application/json' } })
  if (!response.ok) throw new Error(await response.text())
}

describe('long faults of the whole program: every line is found exactly once', () => {
  let engines: OwnEngines
  beforeAll(async () => {
    engines = await startOwnEngines()
  })
  afterAll(() => engines[Symbol.asyncDispose]())

  test.each<[string, (world: FaultWorld) => Promise<void>]>([
    ['an aggregator killed twenty times', (world) => killAggregators(world, 20)],
    [
      'three aggregators that come and go',
      async (world) => {
        for (let turn = 0; turn < 8; turn++) {
          while (world.aggregators.length < 3) await world.startAggregator()
          await sleep(2_000)
          await world.aggregators.shift()?.stop()
        }
      },
    ],
    [
      'Elasticsearch away for a minute',
      async ({ elasticsearch }) => {
        await sleep(3_000)
        await elasticsearch.kill()
        await sleep(60_000)
        await elasticsearch.start()
      },
    ],
    [
      'a broker that stands still for half a minute',
      async ({ kafka }) => {
        await sleep(3_000)
        kafka.signal('SIGSTOP')
        await sleep(30_000)
        kafka.signal('SIGCONT')
        await sleep(3_000)
      },
    ],
    [
      'indices that refuse writing',
      async (world) => {
        await sleep(5_000)
        await block(world, true)
        await sleep(20_000)
        await block(world, false)
      },
    ],
    [
      'the whole topic three times more, under another policy each time',
      async (world) => {
        await sleep(5_000)
        for (const turn of [1, 2, 3]) await redeliver(world, turn)
      },
    ],
  ])('%s', async (_, faults) => {
    const { written, difference } = await faultRun(engines, faults)
    expect(written).toBeGreaterThan(1_000)
    expect(difference).toEqual(NOTHING)
  })
})
