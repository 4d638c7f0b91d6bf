import type { HostFacts } from '../../core/health.ts'
import type { CpuTimes, parseNetwork } from './parse.ts'

type Cpu = HostFacts['cpu']
type Network = NonNullable<HostFacts['network']>
type Interfaces = ReturnType<typeof parseNetwork>

/** What the cores did between two readings. Counters that go back (they do, of cores that were taken away) count as standing still. */
export function cpuBetween(before: CpuTimes, after: CpuTimes): Cpu {
  const total = after.total - before.total
  const share = (ticks: number) => (total > 0 ? Math.min(1, Math.max(0, ticks / total)) : 0)
  const idle = Math.max(0, after.idle - before.idle)
  const steal = share(after.steal - before.steal)
  const { cores } = after
  if (after.ioWait === null || before.ioWait === null) return { cores, busy: share(total - idle), steal }
  const ioWait = Math.max(0, after.ioWait - before.ioWait)
  return { cores, busy: share(total - idle - ioWait), ioWait: share(ioWait), steal }
}

/** Of every interface that was there both times. */
export function networkBetween(before: Interfaces, after: Interfaces, elapsedMs: number): Network {
  const sum = { received: 0, sent: 0, drops: 0 }
  for (const [name, now] of after) {
    const then = before.get(name) ?? now
    sum.received += Math.max(0, now.received - then.received)
    sum.sent += Math.max(0, now.sent - then.sent)
    sum.drops += Math.max(0, now.drops - then.drops)
  }
  const perS = (count: number) => (elapsedMs > 0 ? (count * 1_000) / elapsedMs : 0)
  return {
    receivedBytesPerS: perS(sum.received),
    sentBytesPerS: perS(sum.sent),
    dropsPerS: perS(sum.drops),
  }
}
