import { lookup } from 'node:dns/promises'
import { isIPv6, SocketAddress } from 'node:net'
import { messageOf, ServiceError } from '../../core/errors.ts'

/** The first IP address that a host name has. */
export async function ipOf(host: string): Promise<{ address: string; family: 4 | 6 }> {
  try {
    const { address, family } = await lookup(host)
    return { address, family: family === 6 ? 6 : 4 }
  } catch (error) {
    throw listenFailure(`udp ${host}`, messageOf(error))
  }
}

export function udpName(host: string, port: number): string {
  return `udp ${host.includes(':') ? `[${host}]` : host}:${port}`
}

export function listenFailure(name: string, reason: string): ServiceError {
  return new ServiceError('BAD_CONFIG', `cannot take statsd on ${name}: ${reason}`)
}

/** The 4 or 16 bytes of an IP address, in network order. A zone (`%eth0`) is left out. */
export function ipBytes(ip: string): Buffer {
  return isIPv6(ip) ? ipv6Bytes(ip) : Buffer.from(ip.split('.').map(Number))
}

function ipv6Bytes(ip: string): Buffer {
  const { address } = new SocketAddress({ address: ip.replace(/%.*/, ''), family: 'ipv6' }) // In short form.
  const [head = '', tail = ''] = undotted(address).split('::')
  const before = groupsOf(head)
  const after = groupsOf(tail)
  const zeros = Array<number>(8 - before.length - after.length).fill(0)
  const bytes = Buffer.alloc(16)
  for (const [index, group] of [...before, ...zeros, ...after].entries())
    bytes.writeUInt16BE(group, 2 * index)
  return bytes
}

function groupsOf(part: string): number[] {
  return part === '' ? [] : part.split(':').map((group) => Number.parseInt(group, 16))
}

/** `::ffff:127.0.0.1` → `::ffff:7f00:1` */
function undotted(address: string): string {
  return address.replace(/(\d+)\.(\d+)\.(\d+)\.(\d+)$/, (_, ...parts: string[]) => {
    const [a = 0, b = 0, c = 0, d = 0] = parts.slice(0, 4).map(Number)
    return `${((a << 8) | b).toString(16)}:${((c << 8) | d).toString(16)}`
  })
}
