import { readFileSync } from 'node:fs'
import { statfs } from 'node:fs/promises'
import { cpus, freemem, loadavg, totalmem, uptime } from 'node:os'
import { join } from 'node:path'
import type { HostFacts } from '../../core/health.ts'
import type { Clock } from '../../core/ports.ts'
import {
  limitedMemory,
  parseCpu,
  parseLoad,
  parseMemory,
  parseMemoryLimit,
  parseMounts,
  parseNetwork,
  parseUptime,
  type CpuTimes,
  type MemoryLimit,
} from './parse.ts'
import { cpuBetween, networkBetween } from './rates.ts'

export interface FactsOptions {
  readonly clock: Clock
  /** Where the kernel shows its numbers … */
  readonly proc?: string
  /** … and the limits of containers. */
  readonly cgroup?: string
}

/**
 * What the host says of itself: from /proc, and where there is none as far as Node knows it. In a container memory is the container's
 * where it has a limit; CPU, load and network are what the kernel shows there, which for CPU and load is the whole machine.
 */
export interface Facts {
  /** Rates are those since the reading before. Who asks again within FRESH_MS gets the same facts. */
  read(): Promise<HostFacts>
}

/** Checks and reports ask one after the other: they share a reading. */
const FRESH_MS = 500
/** The first reading has none before it. */
const FIRST_MS = 200
/** Disks fill slowly, and asking each costs a system call. */
const DISKS_EVERY_MS = 10_000
/** Of a disk that does not answer any more nothing is known. */
const DISKS_STALE_MS = 60_000

type Disks = HostFacts['disks']

interface Reading {
  readonly atMs: number
  readonly cpu: CpuTimes
  readonly network: ReturnType<typeof parseNetwork> | null
}

export function createFacts({ clock, proc = '/proc', cgroup = '/sys/fs/cgroup' }: FactsOptions): Facts {
  const disks = createDisks(clock, proc)
  let before: Reading | null = null
  let latest: { readonly atMs: number; readonly facts: HostFacts } | null = null
  let reading: Promise<HostFacts> | null = null

  function take(): Reading {
    const stat = textOf(join(proc, 'stat'))
    const dev = textOf(join(proc, 'net/dev'))
    return {
      atMs: clock.monotonicMs(),
      cpu: (stat === null ? null : parseCpu(stat)) ?? cpuOfNode(),
      network: dev === null ? null : parseNetwork(dev),
    }
  }

  async function readNow(): Promise<HostFacts> {
    if (before === null) {
      before = take()
      await clock.sleep(FIRST_MS)
    }
    const now = take()
    const { cpu, network, atMs } = before
    before = now
    const facts = {
      cpu: cpuBetween(cpu, now.cpu),
      load: loadOf(proc),
      memory: limitedMemory(memoryOf(proc), memoryLimit(cgroup)),
      disks: await disks(),
      network:
        network === null || now.network === null
          ? null
          : networkBetween(network, now.network, now.atMs - atMs),
      uptimeS: parseUptime(textOf(join(proc, 'uptime')) ?? '') ?? uptime(),
    }
    latest = { atMs: now.atMs, facts }
    return facts
  }

  return {
    async read() {
      if (latest !== null && clock.monotonicMs() - latest.atMs < FRESH_MS) return latest.facts
      reading ??= readNow().finally(() => {
        reading = null
      })
      return await reading
    },
  }
}

/** The kernel makes these texts in memory: reading one takes microseconds, less than to hand it to a thread. */
function textOf(path: string): string | null {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return null
  }
}

function cpuOfNode(): CpuTimes {
  const times = cpus().map((cpu) => cpu.times)
  const idle = times.reduce((sum, core) => sum + core.idle, 0)
  const busy = times.reduce((sum, { user, nice, sys, irq }) => sum + user + nice + sys + irq, 0)
  return { cores: Math.max(1, times.length), total: idle + busy, idle, ioWait: null, steal: 0 }
}

function loadOf(proc: string): [number, number, number] {
  const [one = 0, five = 0, fifteen = 0] = parseLoad(textOf(join(proc, 'loadavg')) ?? '') ?? loadavg()
  return [one, five, fifteen]
}

function memoryOf(proc: string): HostFacts['memory'] {
  return (
    parseMemory(textOf(join(proc, 'meminfo')) ?? '') ?? { totalBytes: totalmem(), availableBytes: freemem() }
  )
}

/** A machine has no limit at the root of its groups; a container sees its own group there. Version 2, or else 1. */
function memoryLimit(cgroup: string): MemoryLimit | null {
  const versions = [
    ['memory.max', 'memory.current', 'memory.stat'],
    ['memory/memory.limit_in_bytes', 'memory/memory.usage_in_bytes', 'memory/memory.stat'],
  ] as const
  for (const [limit, usage, stat] of versions) {
    const limitText = textOf(join(cgroup, limit))
    const usageText = textOf(join(cgroup, usage))
    if (limitText !== null && usageText !== null)
      return parseMemoryLimit(limitText, usageText, textOf(join(cgroup, stat)) ?? '')
  }
  return null
}

/** How full the local disks are. Waits for a first answer for FIRST_MS at most, later for none. */
function createDisks(clock: Clock, proc: string): () => Promise<Disks> {
  let known: { readonly atMs: number; readonly disks: Disks } | null = null
  let asking: Promise<void> | null = null

  async function ask(): Promise<void> {
    const mounts = parseMounts(textOf(join(proc, 'self/mounts')) ?? '')
    const disks: Disks[number][] = []
    for (const mount of mounts) {
      const size = await diskSize(mount).catch(() => null) // It may be gone by now.
      if (size !== null && size.totalBytes > 0) disks.push({ mount, ...size })
    }
    known = { atMs: clock.monotonicMs(), disks }
  }

  return async () => {
    const ageMs = known === null ? Infinity : clock.monotonicMs() - known.atMs
    if (ageMs >= DISKS_EVERY_MS) {
      asking ??= ask().finally(() => {
        asking = null
      })
      if (known === null) await Promise.race([asking, clock.sleep(FIRST_MS)])
    }
    return known !== null && clock.monotonicMs() - known.atMs < DISKS_STALE_MS ? known.disks : []
  }
}

/** As `df` counts: what only root may take is no part of the whole. */
async function diskSize(path: string): Promise<{ totalBytes: number; usedBytes: number }> {
  const { bsize, blocks, bfree, bavail } = await statfs(path)
  const usedBytes = (blocks - bfree) * bsize
  return { totalBytes: usedBytes + bavail * bsize, usedBytes }
}
