import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { constants, zstdCompressSync } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import type { LogRecord } from '../../../core/record.ts'
import { generateBatches, type BatchOptions, type GeneratedBatch } from '../../support/generator-batches.ts'
import { HOSTS } from '../../support/generator-ink.ts'
import { FAMILIES } from '../../support/generator-templates.ts'
import { generateLines } from '../../support/generator.ts'

function take(count: number, options: Parameters<typeof generateLines>[0]): string[] {
  const source = generateLines(options)
  return Array.from({ length: count }, () => source.next().value)
}

test('a seed replays its lines, another seed gives others', () => {
  expect(take(200, { seed: 1 })).toEqual(take(200, { seed: 1 }))
  expect(take(200, { seed: 1 })).not.toEqual(take(200, { seed: 2 }))
})

test('the marker of a line is the only difference that it makes', () => {
  const plain = take(2_000, { seed: 3 })
  const marked = take(2_000, { seed: 3, marker: true })
  expect(marked.map((line, n) => line.replace(` id=${n}`, ''))).toEqual(plain)
  expect(new Set(marked.map((line) => / id=\d+/.exec(line)?.[0])).size).toBe(2_000)
})

test('a marked JSON line is still JSON, with the marker in its message', () => {
  const objects = take(200, { seed: 4, marker: true }).filter((line) => line.startsWith('{'))
  for (const text of objects)
    expect(JSON.parse(text)).toMatchObject({ msg: expect.stringMatching(/ id=\d+$/) })
  expect(objects.length).toBeGreaterThan(30)
})

test('batches of 1,000 lines compress like real logs do', () => {
  const lines = take(50_000, { seed: 5 })
  let bytes = 0
  let packedBytes = 0
  for (let at = 0; at < lines.length; at += 1_000) {
    const body = Buffer.from(`${lines.slice(at, at + 1_000).join('\n')}\n`)
    bytes += body.length
    packedBytes += zstdCompressSync(body, { params: { [constants.ZSTD_c_compressionLevel]: 3 } }).length
  }
  expect(bytes / packedBytes).toBeGreaterThan(5)
  expect(bytes / packedBytes).toBeLessThan(8)
})

test('the company has 40 hosts at 8 sites, 12 services and at least 60 templates', () => {
  expect(new Set(HOSTS.map(({ name }) => name)).size).toBe(40)
  expect(new Set(HOSTS.map(({ site }) => site)).size).toBe(8)
  expect(new Set(FAMILIES.flatMap(({ services }) => services)).size).toBe(12)
  expect(FAMILIES.flatMap(({ statements }) => statements).length).toBeGreaterThanOrEqual(60)
  expect(FAMILIES.reduce((sum, { share }) => sum + share, 0)).toBe(100)
})

const FROM_MS = Date.UTC(2026, 0, 5)
const HOUR_MS = 3_600_000
const DAY: BatchOptions = { seed: 1, records: 20_500, batch: 1_000, fromMs: FROM_MS, hours: 24 }

async function batchesOf(options: Partial<BatchOptions> = {}): Promise<GeneratedBatch[]> {
  const batches: GeneratedBatch[] = []
  for await (const batch of generateBatches({ ...DAY, ...options })) batches.push(batch)
  return batches
}

describe('batches as a store takes them', () => {
  test('a seed replays them, another seed gives others', async () => {
    const few = { records: 300, batch: 100 }
    expect(await batchesOf(few)).toEqual(await batchesOf(few))
    expect(await batchesOf(few)).not.toEqual(await batchesOf({ ...few, seed: 2 }))
  })

  test('each is of one host at its site, numbered without a hole, and of the size asked for', async () => {
    const batches = await batchesOf()
    expect(batches.map(({ records }) => records.length)).toEqual([...Array<number>(20).fill(1_000), 500])
    const seqOf = new Map<string, number>()
    for (const { facts, records } of batches) {
      const { collector, host, site, seq, digest } = facts
      expect(HOSTS.find(({ name }) => name === host)?.site).toBe(site)
      expect(new Set(records.map((record) => `${record.host} ${record.site}`))).toEqual(
        new Set([`${host} ${site}`]),
      )
      expect(facts.records).toBe(records.length)
      expect(digest).toMatch(/^[0-9a-f]{64}$/)
      expect(seq).toBe((seqOf.get(collector) ?? 0) + 1)
      seqOf.set(collector, seq)
    }
    expect(new Set(batches.flatMap(({ records }) => records.map(({ id }) => id))).size).toBe(20_500)
    expect(seqOf.size).toBeGreaterThan(10)
  })

  test('they cover the time span in order, each overlapping the next a little', async () => {
    const batches = await batchesOf()
    for (const { facts, records } of batches) {
      const timesMs = records.map(({ timeMs }) => timeMs)
      // Some formats write whole seconds only.
      expect(Math.min(...timesMs)).toBeGreaterThan(facts.fromMs - 1_000)
      expect(Math.max(...timesMs)).toBeLessThanOrEqual(facts.toMs)
      expect(records.every(({ ingestedMs }) => ingestedMs > facts.fromMs)).toBe(true)
    }
    expect(batches[0]?.facts.fromMs).toBeLessThan(FROM_MS + HOUR_MS)
    expect(batches.at(-1)?.facts.toMs).toBeGreaterThan(FROM_MS + 23 * HOUR_MS)
    expect(batches.at(-1)?.facts.toMs).toBeLessThanOrEqual(FROM_MS + 24 * HOUR_MS)
    for (const [n, { facts }] of batches.slice(0, -9).entries()) {
      expect(batches[n + 1]?.facts.fromMs).toBeLessThan(facts.toMs)
      expect(batches[n + 5]?.facts.fromMs).toBeGreaterThan(facts.toMs)
    }
  })

  test('the offsets of a file go on from batch to batch', async () => {
    const lastOf = new Map<string, number>()
    const backwards: string[] = []
    for (const { records } of await batchesOf()) {
      for (const { host, path, offset } of records) {
        const file = `${host} ${path}`
        if ((offset ?? -1) <= (lastOf.get(file) ?? -1)) backwards.push(`${file} goes back to ${offset}`)
        lastOf.set(file, offset ?? -1)
      }
    }
    expect(backwards).toEqual([])
    expect(lastOf.size).toBeGreaterThan(100)
  })

  test('levels, traces and numbers are as frequent as in life', async () => {
    const records = (await batchesOf({ records: 30_000 })).flatMap((batch) => batch.records)
    const share = (is: (record: LogRecord) => boolean) => records.filter((r) => is(r)).length / records.length
    const expected: [string, (record: LogRecord) => boolean, number, number][] = [
      ['error', ({ level }) => level === 'error', 0.035, 0.065],
      ['fatal', ({ level }) => level === 'fatal', 0.005, 0.015],
      ['debug', ({ level }) => level === 'debug', 0.07, 0.13],
      ['JSON access', ({ path }) => path.endsWith('/access.json'), 0.26, 0.34],
      ['trace', ({ trace }) => trace !== '', 0.25, 0.4],
      ['status', ({ status }) => status !== null, 0.3, 0.5],
      ['latency', ({ latencyMs }) => latencyMs !== null, 0.25, 0.5],
      ['service', ({ service }) => service !== '', 1, 1],
      ['pattern', ({ pattern }) => pattern !== '', 1, 1],
    ]
    for (const [name, is, min, max] of expected) {
      expect(share(is), name).toBeGreaterThanOrEqual(min)
      expect(share(is), name).toBeLessThanOrEqual(max)
    }
    expect(new Set(records.map(({ service }) => service)).size).toBe(12)
    expect(new Set(records.map(({ pattern }) => pattern)).size).toBeGreaterThan(60)
  })

  test('real lines are taken from a folder, again and again, with fresh times', async () => {
    const dir = await mkdtemp(join(tmpdir(), 'noctule-bodies-'))
    try {
      await writeFile(join(dir, 'a.log'), '2001-02-03T04:05:06Z ERROR first\nsecond\n')
      await writeFile(join(dir, 'b.log'), 'third\n\n')
      const batches = await batchesOf({ records: 9, batch: 3, bodies: dir })
      expect(batches.map(({ records }) => records.map(({ message }) => message))).toEqual([
        ['first', 'second', 'first'],
        ['third', 'third', 'third'],
        ['first', 'second', 'first'],
      ])
      const records = batches.flatMap((batch) => batch.records)
      expect(records.every(({ timeMs }) => timeMs >= FROM_MS && timeMs < FROM_MS + 24 * HOUR_MS)).toBe(true)
      expect(batches[0]?.rawBytes).toBe(2 * '2001-02-03T04:05:06Z ERROR first\n'.length + 'second\n'.length)
    } finally {
      await rm(dir, { recursive: true })
    }
  })

  test('a folder without lines is an error', async () => {
    await expect(batchesOf({ bodies: '/dev/null' })).rejects.toThrow('holds no lines')
  })
})
