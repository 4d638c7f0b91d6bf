import { expect, test } from 'vitest'
import { openSpool } from '../../collectors/spool/spool.ts'
import type { Spool, SpooledBatch } from '../../collectors/spool/types.ts'
import { openFrame } from '../../core/wire.ts'
import { createFakeClock } from '../support/fake-clock.ts'
import type { FakeClock } from '../support/fake-clock.ts'
import { createPowerLossFs } from '../support/power-loss-fs.ts'
import { seededRandom } from '../support/random.ts'
import type { PowerLossFs } from '../support/power-loss-fs.ts'
import { draftOf } from '../support/spool.ts'
import { quietLog } from '../support/quiet-log.ts'

const DIR = '/spool'
const DESTINATIONS = ['near', 'far'] as const
const SOURCES = ['a', 'b'] as const
type Name = (typeof DESTINATIONS)[number]
type Source = (typeof SOURCES)[number]

/**
 * What the outside knows, whatever happens to the spool. Batches are named by source and count: `a0`, `b0`, `a1`, … A source goes on
 * behind its position after a restart, as a file does.
 */
interface Oracle {
  readonly next: Record<Source, number>
  readonly resolved: Set<string>
  readonly acked: Readonly<Record<Name, Set<string>>>
  /** `destination epoch seq` → digest of the frame that was given out under it. */
  readonly given: Map<string, string>
  /** `destination batch` → the number it has there; it keeps that until it is renumbered. */
  readonly numbers: Map<string, string>
  /** Numbers from before a renumbering. */
  readonly retired: Set<string>
}

function saw({ given, numbers, retired }: Oracle, name: Name, { epoch, seq, frame }: SpooledBatch): string {
  const { header, digest } = openFrame(frame)
  expect({ epoch: header.epoch, seq: header.seq }).toEqual({ epoch, seq })
  const key = `${name} ${epoch} ${seq}`
  expect(given.get(key) ?? digest, `${key} is given to one batch only`).toBe(digest)
  expect(retired, 'a number from before a renumbering').not.toContain(key)
  given.set(key, digest)
  const id = header.sources[0]?.path ?? 'changed'
  expect(numbers.get(`${name} ${id}`) ?? key, `${name} ${id} keeps its number`).toBe(key)
  numbers.set(`${name} ${id}`, key)
  return id
}

interface World {
  readonly oracle: Oracle
  readonly clock: FakeClock
  readonly random: () => number
  fs: PowerLossFs
  spool: Spool
  /** The spool from which a batch for `far` was taken and kept. */
  keptFrom: Spool | undefined
}

/** Bytes from the seed; the reserve's megabyte need not be random. */
function bytesFrom(random: () => number): (length: number) => Buffer {
  return (length) =>
    length > 1000
      ? Buffer.alloc(length, 1)
      : Buffer.from(Array.from({ length }, () => Math.floor(random() * 256)))
}

function open({ fs, clock, random }: Pick<World, 'fs' | 'clock' | 'random'>): Promise<Spool> {
  const options = { fs, dir: DIR, destinations: DESTINATIONS, bytesMax: 32 << 10, clock, log: quietLog }
  return openSpool({ ...options, randomBytes: bytesFrom(random) })
}

async function append({ oracle, spool, random }: World): Promise<void> {
  const source = random() < 0.5 ? 'a' : 'b'
  const id = oracle.next[source]++
  const path = `${source}${id}`
  await spool.append(draftOf([path, 'x'.repeat(Math.floor(random() * 100))], { path }), { [source]: { id } })
  oracle.resolved.add(path)
}

/** Stays out: segments behind its own are freed, that one is not. */
async function keep(world: World): Promise<void> {
  await world.spool.take('far', AbortSignal.timeout(5_000))
  world.keptFrom = world.spool
}

async function send({ oracle, spool, keptFrom }: World, name: Name, count: number): Promise<void> {
  const kept = name === 'far' && keptFrom === spool ? 1 : 0
  for (let sent = 0; sent < count && waitingOf(spool, name) > kept; sent += 1) {
    const batch = await spool.take(name, AbortSignal.timeout(5_000))
    const id = saw(oracle, name, batch)
    // Now and then the answer gets lost; the sender tries again.
    if (sent % 3 === 2) spool.giveBack(name, batch.ref)
    else {
      spool.ack(name, batch.ref)
      oracle.acked[name].add(id)
    }
  }
}

function waitingOf(spool: Spool, name: Name): number {
  const pending = spool.epochs(name).flatMap((epoch) => epoch.pending)
  return pending.reduce((total, { seqFrom, seqTo }) => total + seqTo - seqFrom + 1, 0)
}

/** Until a crash says otherwise, the new numbers may hold or not; afterwards they do. */
async function renumber({ oracle, spool }: World, name: Name): Promise<void> {
  for (const key of oracle.numbers.keys()) if (key.startsWith(name)) oracle.numbers.delete(key)
  const before = [...oracle.given.keys()].filter((key) => key.startsWith(name))
  await spool.renumber(name)
  for (const key of before) oracle.retired.add(key)
}

async function sendAll(world: World): Promise<void> {
  await send(world, 'near', Infinity)
  await send(world, 'far', Infinity)
}

async function reopen(world: World): Promise<void> {
  await world.spool.close()
  world.spool = await open(world)
}

const together = (world: World, count: number) =>
  Promise.all(Array.from({ length: count }, () => append(world)))

/** Every step crosses write boundaries of another kind: groups, rolls, checkpoints, freed segments, renumbering, close and open. */
const SCRIPT: readonly ((world: World) => Promise<unknown>)[] = [
  (world) => append(world),
  (world) => together(world, 4),
  (world) => send(world, 'near', 3),
  (world) => world.clock.advance(10_000),
  (world) => keep(world),
  (world) => together(world, 6),
  (world) => together(world, 5),
  (world) => sendAll(world),
  (world) => reopen(world),
  (world) => together(world, 4),
  (world) => send(world, 'far', 2),
  (world) => send(world, 'near', 3),
  (world) => renumber(world, 'near'),
  (world) => together(world, 3),
  (world) => send(world, 'near', 4),
  (world) => renumber(world, 'near'),
  (world) => world.clock.advance(10_000),
  (world) => reopen(world),
  (world) => together(world, 6),
  (world) => sendAll(world),
  (world) => reopen(world),
  (world) => append(world),
  (world) => renumber(world, 'far'),
  (world) => world.spool.close(),
]

/** Runs the script with the power cut at the n-th operation; false when it ended before. */
async function runUntil(world: World, cut: number): Promise<boolean> {
  world.fs.crashAt(cut)
  try {
    world.spool = await open(world)
    for (const step of SCRIPT) await step(world)
    return world.fs.operations >= cut // The cut can hit work that nobody waits for.
  } catch (error) {
    if (world.fs.operations < cut) throw error
    return true
  }
}

/** What the spool gives out now, in order. */
async function giveAll({ oracle, spool }: World, name: Name): Promise<string[]> {
  const ids: string[] = []
  for (let left = waitingOf(spool, name); left > 0; left -= 1) {
    ids.push(saw(oracle, name, await spool.take(name, AbortSignal.timeout(5_000))))
  }
  return ids
}

/** Per source: exactly the batches up to its position are held (given out now, or acknowledged), each once and in order. */
async function checkSurvivors(world: World): Promise<void> {
  const { oracle, spool } = world
  const positions = spool.positions()
  for (const name of DESTINATIONS) {
    const ids = await giveAll(world, name)
    const held = new Set([...ids, ...oracle.acked[name]])
    for (const id of oracle.resolved) expect(held, `${name}: resolved`).toContain(id)
    for (const source of SOURCES) {
      const length = Number(positions[source]?.['id'] ?? -1) + 1
      const expected = Array.from({ length }, (_, id) => `${source}${id}`)
      expect(ids.filter((id) => id.startsWith(source))).toEqual(
        expected.filter((id) => ids.includes(id) || !oracle.acked[name].has(id)),
      )
      expect([...held].filter((id) => id.startsWith(source)).length).toBe(length)
      oracle.next[source] = length
    }
  }
  expect(spool.stats().corrupt).toBe(0)
}

async function cutAndCheck(cut: number, seed: number): Promise<boolean> {
  const random = seededRandom(seed * 100_003 + cut)
  const fs = createPowerLossFs({ random })
  const oracle: Oracle = {
    next: { a: 0, b: 0 },
    resolved: new Set(),
    acked: { near: new Set(), far: new Set() },
    given: new Map(),
    numbers: new Map(),
    retired: new Set(),
  }
  const world = { oracle, clock: createFakeClock(), random, fs } as World
  const wasCut = await runUntil(world, cut)
  world.fs = random() < 0.7 ? world.fs.crash(random) : world.fs.kill()
  // The recovery is cut too.
  world.fs.crashAt(1 + Math.floor(random() * 12))
  await open(world).catch(() => undefined)
  world.fs = world.fs.crash(random)
  world.spool = await open(world)
  await checkSurvivors(world)
  await together(world, 2)
  world.fs = world.fs.crash(random)
  world.spool = await open(world)
  await checkSurvivors(world)
  return wasCut
}

test.each([
  { seed: 1, stride: 1 },
  { seed: 2, stride: 3 },
])(
  'no power cut loses, changes, doubles or renames a batch (seed $seed, one cut in $stride)',
  async ({ seed, stride }) => {
    let cut = 1
    while (await cutAndCheck(cut, seed).catch((error: unknown) => rethrow(error, cut, seed))) cut += stride
    expect(cut).toBeGreaterThan(100)
  },
)

function rethrow(error: unknown, cut: number, seed: number): never {
  throw new Error(`seed ${seed}, power cut at operation ${cut}`, { cause: error })
}
