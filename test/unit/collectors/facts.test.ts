import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { createFacts } from '../../../collectors/facts/facts.ts'
import { factMetrics, gauge } from '../../../collectors/facts/metrics.ts'
import {
  limitedMemory,
  parseCpu,
  parseLoad,
  parseMemory,
  parseMemoryLimit,
  parseMounts,
  parseNetwork,
  parseUptime,
} from '../../../collectors/facts/parse.ts'
import { cpuBetween, networkBetween } from '../../../collectors/facts/rates.ts'
import { systemClock } from '../../../core/clock.ts'
import { DISKS_MAX, healthReportSchema, type HostFacts } from '../../../core/health.ts'
import { createFakeClock } from '../../support/fake-clock.ts'
import { createWorkspace } from '../../support/workspace.ts'

const factsSchema = healthReportSchema.shape.facts

const STAT = (user: number, idle: number, ioWait: number) =>
  `cpu  ${user} 0 0 ${idle} ${ioWait} 0 0 10 99 99\ncpu0 1 0 0 1 0 0 0 0 0 0\ncpu1 1 0 0 1 0 0 0 0 0 0\nintr 5\n`
const MEMINFO =
  'MemTotal: 1000 kB\nMemFree: 100 kB\nMemAvailable: 400 kB\nSwapTotal: 50 kB\nSwapFree: 20 kB\n'
const NET = (received: number) =>
  `Inter-|   Receive | Transmit\n face |bytes packets|bytes\n    lo: 999 1 0 7 0 0 0 0 999 1 0 7 0 0 0 0\n  eth0:${received} 5 0 1 0 0 0 0 500 6 0 2 0 0 0 0\n`

test('parseCpu counts all cores, guests only once', () => {
  expect(parseCpu(STAT(60, 30, 5))).toEqual({ cores: 2, total: 105, idle: 30, ioWait: 5, steal: 10 })
})

test('parseMemory: a kernel that names nothing as available has what is free and cached', () => {
  expect(parseMemory(MEMINFO)).toEqual({
    totalBytes: 1_024_000,
    availableBytes: 409_600,
    swapTotalBytes: 51_200,
    swapUsedBytes: 30_720,
  })
  expect(parseMemory('MemTotal: 10 kB\nMemFree: 1 kB\nCached: 2 kB\n')?.availableBytes).toBe(3_072)
})

test.each([
  { name: 'version 2', limit: '1000\n', stat: 'anon 5\ninactive_file 200\n', used: 400 },
  { name: 'version 1', limit: '1000\n', stat: 'inactive_file 1\ntotal_inactive_file 200\n', used: 400 },
  { name: 'no pages to give back', limit: '1000\n', stat: '', used: 600 },
  { name: 'no limit', limit: 'max\n', stat: '', used: null },
])('parseMemoryLimit: $name', ({ limit, stat, used }) => {
  const expected = used === null ? null : { limitBytes: 1_000, usedBytes: used }
  expect(parseMemoryLimit(limit, '600\n', stat)).toEqual(expected)
})

test.each([
  { name: 'the limit of a container is its memory', limitBytes: 500, total: 500, available: 100 },
  { name: 'a limit above the machine is none', limitBytes: 9e18, total: 1_000, available: 300 },
])('limitedMemory: $name', ({ limitBytes, total, available }) => {
  const memory = { totalBytes: 1_000, availableBytes: 300 }
  expect(limitedMemory(memory, { limitBytes, usedBytes: 400 })).toEqual({
    totalBytes: total,
    availableBytes: available,
  })
})

test('parseMounts gives local disks, each device once, and no image, network or kernel file system', () => {
  const mounts = [
    'proc /proc proc rw 0 0',
    '/dev/vda1 /var/lib/docker ext4 rw 0 0',
    '/dev/vda1 / ext4 rw 0 0',
    '/dev/loop3 /snap/core squashfs ro 0 0',
    'nas:/export /mnt/nas nfs4 rw 0 0',
    String.raw`/dev/sdb /srv/my\040disk xfs rw 0 0`,
    'tank/home /home zfs rw 0 0',
    'overlay /var/lib/x/merged overlay rw 0 0',
  ].join('\n')
  expect(parseMounts(mounts)).toEqual(['/', '/home', '/srv/my disk'])
  expect(parseMounts('overlay / overlay rw 0 0\n')).toEqual(['/'])
  const many = Array.from({ length: 99 }, (_, at) => `/dev/sd${at} /disk/${at} ext4 rw 0 0`)
  expect(parseMounts(many.join('\n'))).toHaveLength(DISKS_MAX)
})

test('cpuBetween gives shares of what passed', () => {
  const before = { cores: 2, total: 1_000, idle: 500, ioWait: 100, steal: 0 }
  const after = { cores: 2, total: 1_200, idle: 550, ioWait: 120, steal: 20 }
  expect(cpuBetween(before, after)).toEqual({ cores: 2, busy: 0.65, ioWait: 0.1, steal: 0.1 })
  expect(cpuBetween(after, after)).toEqual({ cores: 2, busy: 0, ioWait: 0, steal: 0 })
  expect(cpuBetween({ ...before, ioWait: null }, { ...after, ioWait: null })).toEqual({
    cores: 2,
    busy: 0.75,
    steal: 0.1,
  })
})

test('networkBetween: an interface that came or went, or whose counters start anew, adds nothing that is not there', () => {
  const before = parseNetwork(NET(1_000))
  expect(networkBetween(before, parseNetwork(NET(3_000)), 2_000)).toEqual({
    receivedBytesPerS: 1_000,
    sentBytesPerS: 0,
    dropsPerS: 0,
  })
  expect(networkBetween(before, parseNetwork(NET(10)), 1_000).receivedBytesPerS).toBe(0)
  expect(networkBetween(new Map(), before, 1_000).receivedBytesPerS).toBe(0)
  expect(before.has('lo')).toBe(false)
})

test('no text breaks a parser, and what it gives is finite', () => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.constantFrom(STAT(1, 2, 3), MEMINFO, NET(1), '1 2 3')), (text) => {
      for (const parse of [parseCpu, parseLoad, parseMemory, parseUptime, parseNetwork]) {
        const numbers = JSON.stringify(parse(text) ?? {})
        expect(numbers).not.toContain('null,')
      }
      expect(parseMounts(text).length).toBeLessThanOrEqual(DISKS_MAX)
    }),
  )
})

function write(folder: string, files: Readonly<Record<string, string>>): string {
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true })
    writeFileSync(join(folder, path), text)
  }
  return folder
}

test('rates are those of two readings, and who asks soon again gets the same', async () => {
  using workspace = createWorkspace()
  const clock = createFakeClock()
  const files = { stat: STAT(0, 0, 0), loadavg: '0.5 0.4 0.3 1/2 3\n', meminfo: MEMINFO, uptime: '12.5 3\n' }
  const proc = write(join(workspace.dir, 'proc'), { ...files, 'net/dev': NET(0), 'self/mounts': '' })
  const cgroup = write(join(workspace.dir, 'cgroup'), { 'memory.max': '500000', 'memory.current': '200000' })
  const facts = createFacts({ clock, proc, cgroup })

  const first = facts.read()
  await clock.advance(100)
  write(proc, { stat: STAT(30, 60, 10), 'net/dev': NET(2_000) })
  await clock.advance(100)
  await clock.advance(200)
  const expected = {
    cpu: { cores: 2, busy: 0.3, ioWait: 0.1, steal: 0 },
    load: [0.5, 0.4, 0.3],
    memory: { totalBytes: 500_000, availableBytes: 300_000, swapTotalBytes: 51_200, swapUsedBytes: 30_720 },
    disks: [],
    network: { receivedBytesPerS: 10_000, sentBytesPerS: 0, dropsPerS: 0 },
    uptimeS: 12.5,
  }
  expect(await first).toEqual(expected)

  write(proc, { stat: STAT(130, 60, 10) })
  expect(await facts.read()).toEqual(expected)
  await clock.advance(1_000)
  expect((await facts.read()).cpu.busy).toBe(1)
})

test('without /proc there is what Node knows, and it fits a report', async () => {
  using workspace = createWorkspace()
  const none = join(workspace.dir, 'none')
  const facts = await createFacts({ clock: systemClock, proc: none, cgroup: none }).read()
  expect(factsSchema.safeParse(facts).success).toBe(true)
  expect(facts).toMatchObject({ network: null, disks: [] })
  expect(facts.memory.totalBytes).toBeGreaterThan(0)
  expect(facts.cpu).not.toHaveProperty('ioWait')
})

test('the facts of this machine fit a report', async () => {
  const facts = await createFacts({ clock: systemClock }).read()
  expect(factsSchema.parse(facts)).toEqual(facts)
  expect(factMetrics(facts).every((line) => /^host\.[\w.]+:-?[\d.e+-]+\|g/.test(line))).toBe(true)
})

test('factMetrics: shares, bytes, and a disk by its mount', () => {
  const facts: HostFacts = {
    cpu: { cores: 2, busy: 0.25 },
    load: [1.5, 1, 1],
    memory: { totalBytes: 100, availableBytes: 40 },
    disks: [{ mount: '/my,disk|x', totalBytes: 10, usedBytes: 5 }],
    network: null,
    uptimeS: 1,
  }
  expect(factMetrics(facts)).toEqual([
    'host.cpu.busy:0.25|g',
    'host.load1:1.5|g',
    'host.memory.used_share:0.6|g',
    'host.memory.available_bytes:40|g',
    'host.disk.used_share:0.5|g|#mount:/my_disk_x',
  ])
})

test('a gauge below 0 is set, not lowered', () => {
  expect(gauge('a b', -5)).toEqual(['a_b:0|g', 'a_b:-5|g'])
})
