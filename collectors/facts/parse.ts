import { DISKS_MAX, type HostFacts } from '../../core/health.ts'

/** Ticks since the start of the system, of all cores together. */
export interface CpuTimes {
  readonly cores: number
  readonly total: number
  readonly idle: number
  /** Null: not known on this system. */
  readonly ioWait: number | null
  readonly steal: number
}

/** `/proc/stat`; null: it has no line of all cores. */
export function parseCpu(stat: string): CpuTimes | null {
  const line = /^cpu +(.*)$/m.exec(stat)?.[1]
  if (line === undefined) return null
  // The times of guests, behind these eight, are in `user` and `nice` already.
  const ticks = line.split(/\s+/).slice(0, 8).map(Number)
  if (ticks.length < 4 || !ticks.every(Number.isFinite)) return null
  return {
    cores: Math.max(1, stat.match(/^cpu\d+ /gm)?.length ?? 0),
    total: ticks.reduce((sum, tick) => sum + tick, 0),
    idle: ticks[3] ?? 0,
    ioWait: ticks[4] ?? 0,
    steal: ticks[7] ?? 0,
  }
}

/** `/proc/loadavg`. */
export function parseLoad(loadavg: string): [number, number, number] | null {
  const [one, five, fifteen] = loadavg.split(' ').slice(0, 3).map(Number)
  const load = [one ?? Number.NaN, five ?? Number.NaN, fifteen ?? Number.NaN] as [number, number, number]
  return load.every(Number.isFinite) ? load : null
}

type Memory = HostFacts['memory']

/** `/proc/meminfo`. A kernel before 3.14 does not say what is available: free and cached stand for it. */
export function parseMemory(meminfo: string): Memory | null {
  const kib = new Map<string, number>()
  for (const [, key, value] of meminfo.matchAll(/^(\w+): +(\d+) kB$/gm)) kib.set(key ?? '', Number(value))
  const of = (key: string) => (kib.get(key) ?? 0) * 1_024
  if (!kib.has('MemTotal')) return null
  return {
    totalBytes: of('MemTotal'),
    availableBytes: kib.has('MemAvailable') ? of('MemAvailable') : of('MemFree') + of('Cached'),
    swapTotalBytes: of('SwapTotal'),
    swapUsedBytes: Math.max(0, of('SwapTotal') - of('SwapFree')),
  }
}

/** What the control group of a container allows and holds. */
export interface MemoryLimit {
  readonly limitBytes: number
  readonly usedBytes: number
}

/**
 * Files of a control group of memory, of either version: `limit` may be `max`. Of what is used the pages of files that were not read
 * lately are given back when they are needed, so they count as available.
 */
export function parseMemoryLimit(limit: string, usage: string, stat: string): MemoryLimit | null {
  const limitBytes = Number(limit.trim())
  const usageBytes = Number(usage.trim())
  if (!(limitBytes > 0) || !Number.isFinite(usageBytes)) return null // `max` is no number.
  const inactive = Number(/^(?:total_)?inactive_file (\d+)$/m.exec(totalsOf(stat))?.[1] ?? 0)
  return { limitBytes, usedBytes: Math.max(0, usageBytes - inactive) }
}

/** Version 1 has both a number of its own and, of the groups below too, one that starts with `total_`. */
function totalsOf(stat: string): string {
  return stat.includes('total_inactive_file') ? stat.replaceAll(/^inactive_file .*$/gm, '') : stat
}

/** A container's limit takes the place of the machine's memory where it is lower. */
export function limitedMemory(memory: Memory, limit: MemoryLimit | null): Memory {
  if (limit === null || limit.limitBytes >= memory.totalBytes) return memory
  const left = Math.max(0, limit.limitBytes - limit.usedBytes)
  const availableBytes = Math.min(left, memory.availableBytes)
  return { ...memory, totalBytes: limit.limitBytes, availableBytes }
}

/** Bytes and dropped packets of an interface since it came up. */
interface Traffic {
  readonly received: number
  readonly sent: number
  readonly drops: number
}

/** `/proc/net/dev`, without loopback. */
export function parseNetwork(dev: string): Map<string, Traffic> {
  const byName = new Map<string, Traffic>()
  for (const [, name, rest] of dev.matchAll(/^ *([^\s:]+): *(.*)$/gm)) {
    const numbers = (rest ?? '').trim().split(/\s+/).map(Number)
    if (name === undefined || name === 'lo' || numbers.length < 12 || !numbers.every(Number.isFinite))
      continue
    const [received = 0, , , receiveDrops = 0, , , , , sent = 0, , , sendDrops = 0] = numbers
    byName.set(name, { received, sent, drops: receiveDrops + sendDrops })
  }
  return byName
}

/** `/proc/uptime`, in seconds. */
export function parseUptime(uptime: string): number | null {
  const seconds = Number.parseFloat(uptime)
  return Number.isFinite(seconds) ? seconds : null
}

/** Made for reading only, and always full. */
const IMAGES = new Set(['squashfs', 'iso9660', 'erofs', 'cramfs', 'udf'])
/** Kept on local disks without a device of their own under /dev. A file system of a network may not answer for hours. */
const LOCAL = new Set(['zfs', 'btrfs', 'bcachefs'])

/** `/proc/self/mounts` → where the local disks are mounted, each once, at most DISKS_MAX. */
export function parseMounts(mounts: string): string[] {
  const byPath = new Map<string, { device: string; type: string }>()
  for (const line of mounts.split('\n')) {
    const [device = '', path, type = ''] = line.split(' ').map(unescaped)
    if (path !== undefined) byPath.set(path, { device, type }) // The later one hides the earlier one.
  }
  const byDevice = new Map<string, string>()
  for (const [path, { device, type }] of byPath) {
    const isDisk = (device.startsWith('/dev/') || LOCAL.has(type)) && !IMAGES.has(type)
    if (!isDisk && !(path === '/' && type === 'overlay')) continue
    const other = byDevice.get(device)
    if (other === undefined || path.length < other.length) byDevice.set(device, path)
  }
  return [...byDevice.values()].sort().slice(0, DISKS_MAX)
}

/** Blanks and backslashes stand as octal numbers. */
function unescaped(text: string): string {
  return text.replaceAll(/\\([0-7]{3})/g, (_, octal: string) =>
    String.fromCodePoint(Number.parseInt(octal, 8)),
  )
}
