import type { HostFacts } from '../../core/health.ts'

/** The facts as DogStatsD gauges. */
export function factMetrics({ cpu, load, memory, disks, network }: HostFacts): string[] {
  const used = memory.totalBytes - memory.availableBytes
  return [
    ...gauge('host.cpu.busy', cpu.busy),
    ...(cpu.ioWait === undefined ? [] : gauge('host.cpu.iowait', cpu.ioWait)),
    ...gauge('host.load1', load[0]),
    ...gauge('host.memory.used_share', shareOf(used, memory.totalBytes)),
    ...gauge('host.memory.available_bytes', memory.availableBytes),
    ...disks.flatMap(({ mount, usedBytes, totalBytes }) =>
      gauge('host.disk.used_share', shareOf(usedBytes, totalBytes), { mount }),
    ),
    ...(network === null ? [] : gauge('host.network.received_bytes_per_s', network.receivedBytesPerS)),
    ...(network === null ? [] : gauge('host.network.sent_bytes_per_s', network.sentBytesPerS)),
  ]
}

/** The lines of a gauge. What would end a name or a tag becomes `_`; a value below 0 is set by way of 0, as a sign means a change. */
export function gauge(name: string, value: number, tags: Readonly<Record<string, string>> = {}): string[] {
  const plain = name.replaceAll(/[^\w.-]/g, '_')
  const text = Object.entries(tags)
    .map(([tag, of]) => `${tag}:${of.replaceAll(/[,|\p{Cc}]/gu, '_')}`)
    .join(',')
  const end = text === '' ? '' : `|#${text}`
  return [...(value < 0 ? [`${plain}:0|g${end}`] : []), `${plain}:${value}|g${end}`]
}

function shareOf(part: number, whole: number): number {
  return whole > 0 ? part / whole : 0
}
