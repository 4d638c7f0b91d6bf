import { expect, test } from 'vitest'
import { createMemoryStore } from '../../../adapters/store-memory.ts'
import { openQuarantine, QUARANTINE_TEXT_MAX } from '../../../aggregator/quarantine.ts'
import type { Fs, Store } from '../../../core/ports.ts'
import { MATCH_ALL } from '../../../core/query/plan.ts'
import { someRecord } from '../../support/aggregator.ts'
import { createFakeClock } from '../../support/fake-clock.ts'
import { createPowerLossFs } from '../../support/power-loss-fs.ts'

const never = new AbortController().signal

async function open(fs: Fs, more: { store?: Pick<Store, 'append'>; bytesMax?: number } = {}) {
  const clock = createFakeClock()
  return openQuarantine({
    fs,
    dir: '/data/quarantine',
    clock,
    node: 'n1',
    store: createMemoryStore(),
    ...more,
  })
}

const entry = (text: string) => ({ reason: 'refused', site: 'eu', sender: 'token', text })
const idOf = (index: number) => String(index).padStart(28, '0')
const withRecord = (index: number, timeMs = 1_000) => ({
  ...entry(`r${index}`),
  record: someRecord({ id: idOf(index), timeMs, message: `r${index}` }),
})

async function texts(quarantine: Awaited<ReturnType<typeof open>>) {
  return (await quarantine.list(1_000)).entries.map(({ text }) => text)
}

test('entries are listed newest first, with id and time', async () => {
  const quarantine = await open(createPowerLossFs())
  await quarantine.put([entry('one'), entry('two')])
  await quarantine.put([entry('three')])
  const { total, entries } = await quarantine.list(2)
  expect(total).toBe(3)
  expect(entries.map(({ id, text }) => [id, text])).toEqual([
    ['3', 'three'],
    ['2', 'two'],
  ])
  expect(entries[0]?.atMs).toBe(createFakeClock().nowMs())
})

test('what was put survives a power cut, and ids go on', async () => {
  const fs = createPowerLossFs()
  const quarantine = await open(fs)
  await quarantine.put([entry('one')])
  await quarantine.put([entry('two')])
  const after = await open(fs.crash())
  await after.put([entry('three')])
  expect((await after.list(10)).entries.map(({ id, text }) => id + text)).toEqual(['3three', '2two', '1one'])
})

test('a power cut at any moment loses nothing that was acknowledged', async () => {
  for (let operation = 1; operation < 60; operation++) {
    const fs = createPowerLossFs()
    fs.crashAt(operation)
    const kept: string[] = []
    try {
      const quarantine = await open(fs, { bytesMax: 2_000 })
      for (let index = 0; index < 12; index++) {
        await quarantine.put([entry(`t${index}`)])
        kept.push(`t${index}`)
      }
    } catch {
      // the power is gone
    }
    const found = await texts(await open(fs.crash()))
    expect(found.filter((text) => text !== '')).toEqual(expect.arrayContaining(kept.slice(-6)))
  }
})

test('a torn last entry is cut, the ones before it stay', async () => {
  const fs = createPowerLossFs()
  const quarantine = await open(fs)
  await quarantine.put([entry('one')])
  await quarantine.close()
  const file = await fs.openAppend('/data/quarantine/quarantine.ndjson')
  await file.write(Buffer.from('{"id":"2","te'))
  await file.sync()
  const after = await open(fs)
  await after.put([entry('two')])
  expect(await texts(await open(fs))).toEqual(['two', 'one'])
})

test('on a full disk nothing is acknowledged, and it recovers', async () => {
  const fs = createPowerLossFs()
  const quarantine = await open(fs)
  await quarantine.put([entry('one')])
  const free = fs.diskBytesMax
  fs.diskBytesMax = 120
  await expect(quarantine.put([entry('x'.repeat(500))])).rejects.toMatchObject({ code: 'DISK_FULL' })
  fs.diskBytesMax = free
  await quarantine.put([entry('two')])
  expect(await texts(await open(fs))).toEqual(['two', 'one'])
})

test('it is bounded: the oldest go, and an entry says so', async () => {
  const fs = createPowerLossFs()
  const quarantine = await open(fs, { bytesMax: 10_000 })
  for (let index = 0; index < 300; index++) await quarantine.put([entry(`t${index}`)])
  expect(await fs.size('/data/quarantine/quarantine.ndjson')).toBeLessThanOrEqual(10_000)
  const { entries } = await quarantine.list(1_000)
  expect(entries[0]?.text).toBe('t299')
  expect(entries.some(({ reason }) => reason.includes('oldest entries were dropped'))).toBe(true)
})

test('long texts are cut', async () => {
  const quarantine = await open(createPowerLossFs())
  await quarantine.put([entry('x'.repeat(QUARANTINE_TEXT_MAX + 1))])
  expect((await texts(quarantine))[0]).toHaveLength(QUARANTINE_TEXT_MAX)
})

test('a record that is refused again when its batch is sent again stands there once', async () => {
  const quarantine = await open(createPowerLossFs())
  await quarantine.put([withRecord(1)])
  await quarantine.put([withRecord(1), withRecord(2)])
  expect((await quarantine.list(10)).total).toBe(2)
})

test('replay stores what is taken now, keeps the rest, and does not try texts', async () => {
  const fs = createPowerLossFs()
  const store = createMemoryStore()
  const quarantine = await open(fs, { store })
  await quarantine.put([withRecord(1), withRecord(2, 0.5), entry('frame'), withRecord(3)])
  expect(await quarantine.replay(never)).toEqual({ stored: 2, refused: 1 })
  expect(await texts(quarantine)).toEqual(['frame', 'r2'])
  expect(await texts(await open(fs))).toEqual(['frame', 'r2'])
  const { records } = await store.search(
    { plan: MATCH_ALL, range: { fromMs: 0, toMs: 10_000 }, limit: 10 },
    never,
  )
  expect(records.map(({ message }) => message)).toEqual(['r3', 'r1'])
})

test('a replay that a crash interrupted stores nothing twice', async () => {
  const fs = createPowerLossFs()
  const store = createMemoryStore()
  await (await open(fs, { store })).put([withRecord(1), withRecord(2)])
  const broken = await open(fs, { store })
  fs.fault = () => new Error('the disk is gone')
  await expect(broken.replay(never)).rejects.toThrow('the disk is gone')
  fs.fault = undefined
  const after = await open(fs, { store })
  expect(await after.replay(never)).toEqual({ stored: 2, refused: 0 })
  expect((await store.stats()).records).toBe(2)
})
