import { describe, expect, test } from 'vitest'
import {
  CALM,
  createRandom,
  createWorld,
  SETTLE_MS,
  type Faults,
  type Random,
  type World,
} from './ledger-world.ts'

const SEEDS = Number(process.env['SIM_SEEDS'] ?? 4)
const SEED_FROM = Number(process.env['SIM_FROM'] ?? 1)
const seeds = Array.from({ length: SEEDS }, (_, index) => SEED_FROM + index)

const FAULTS: Readonly<Record<string, Faults>> = {
  'an unreliable network': { ...CALM, lose: 0.2, repeat: 0.2, delay: 0.2, partition: 0.01 },
  'crashing collectors': { ...CALM, crash: 0.03, stop: 0.01, lose: 0.05, delay: 0.05, partition: 0.01 },
  'jumping clocks': { ...CALM, clockStep: 0.01, delay: 0.1, partition: 0.01, crash: 0.01 },
  'losses in the spool and before it': {
    ...CALM,
    shed: 0.01,
    corrupt: 0.01,
    skip: 0.01,
    partition: 0.03,
    crash: 0.02,
  },
  'spools whose end is corrupt': {
    ...CALM,
    corruptTail: 0.8,
    quiet: 0.1,
    partition: 0.03,
    crash: 0.04,
  },
  'numbers that are taken': { ...CALM, conflict: 0.005, lose: 0.1, delay: 0.1, partition: 0.03, crash: 0.01 },
  'a restarting aggregator': { ...CALM, restart: 0.02, freeze: 0.01, lose: 0.05, delay: 0.05, crash: 0.01 },
  everything: {
    crash: 0.02,
    stop: 0.01,
    partition: 0.02,
    stall: 0.02,
    quiet: 0.02,
    clockStep: 0.003,
    shed: 0.005,
    corrupt: 0.005,
    corruptTail: 0.1,
    conflict: 0.001,
    skip: 0.005,
    lose: 0.1,
    repeat: 0.1,
    delay: 0.1,
    restart: 0.01,
    freeze: 0.005,
  },
}

function someRange(world: World, random: Random, startedAtMs: number) {
  const agoMs = random.chance(0.5) ? 20_000 : world.nowMs - startedAtMs
  const fromMs = world.nowMs - random.between(0, agoMs)
  return { fromMs, toMs: random.chance(0.5) ? world.nowMs : fromMs + random.between(1, 30_000) }
}

/** Nothing that is said to be covered may be missing. */
function check(world: World, random: Random, startedAtMs: number, seed: number) {
  const range = someRange(world, random, startedAtMs)
  const { complete, completeToMs, gapsTotal, gaps } = world.judge(range)
  expect(complete).toBe(gapsTotal === 0)
  const saidMs = Math.max(completeToMs ?? 0, complete ? Math.min(range.toMs, world.nowMs - SETTLE_MS) : 0)
  const missing = world.missing({ fromMs: range.fromMs, toMs: saidMs })
  if (missing > 0) {
    const about = { seed, nowMs: world.nowMs, range, complete, completeToMs, gaps, missing }
    throw new Error(`lines are missing from what is said to be complete: ${JSON.stringify(about, null, 1)}`)
  }
  return complete
}

describe.each(Object.entries(FAULTS))('the ledger with %s', (_, faults) => {
  test.each(seeds)('never says complete when a line is missing, and recovers (seed %i)', (seed) => {
    const random = createRandom(seed)
    const world = createWorld(random, random.between(1, 3))
    const startedAtMs = world.nowMs
    // Nobody can tell how long the very first marks of a collector travelled.
    world.run(8_000, CALM)
    for (let second = 0; second < 300; second++) {
      world.run(random.between(1, 20) * 50, faults)
      check(world, random, startedAtMs, seed)
      check(world, random, startedAtMs, seed)
    }
    const healedAtMs = world.nowMs
    // A copy of a batch that is refused once more, after its sender took new numbers, holds things up for ten minutes.
    const heldUpMs = faults.conflict > 0 ? 600_000 : 0
    world.run(heldUpMs + 240_000, CALM)
    const healed = world.judge({ fromMs: healedAtMs + heldUpMs + 60_000, toMs: world.nowMs })
    expect(healed).toMatchObject({ complete: true, gaps: [] })
    const everything = { fromMs: startedAtMs, toMs: world.nowMs - SETTLE_MS }
    const forGood = new Set(world.judge(everything).gaps.map(({ reason }) => reason))
    const losses = faults.shed + faults.corrupt + faults.corruptTail + faults.skip > 0
    expect([...forGood].filter((reason) => !losses || !['lost', 'tombstone'].includes(reason))).toEqual([])
    expect(losses || world.missing(everything) === 0).toBe(true)
  })
})

test('in calm times an answer is complete up to now, at every moment', () => {
  const random = createRandom(7)
  const world = createWorld(random, 3)
  const startedAtMs = world.nowMs
  world.run(10_000, CALM)
  for (let step = 0; step < 600; step++) {
    world.run(100, CALM)
    expect(world.judge({ fromMs: startedAtMs, toMs: world.nowMs }).complete).toBe(true)
    check(world, random, startedAtMs, 7)
  }
})
