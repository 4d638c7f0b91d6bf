import { readFile } from 'node:fs/promises'
import { isIPv6 } from 'node:net'
import { ipBytes } from './datagrams-address.ts'

/** How many datagrams the kernel threw away for a UDP socket since it was opened; null: that cannot be known here. */
export async function kernelDrops({ host, port }: { host: string; port: number }): Promise<number | null> {
  try {
    return dropsIn(await readFile(isIPv6(host) ? '/proc/net/udp6' : '/proc/net/udp', 'utf8'), host, port)
  } catch {
    return null // Not Linux, or hidden from us.
  }
}

/** The last column of the socket at an address in the text of /proc/net/udp or udp6; null: there is none. */
export function dropsIn(table: string, host: string, port: number): number | null {
  // The address is printed as numbers of 32 bits.
  const local =
    `${ipBytes(host).swap32().toString('hex')}:${port.toString(16).padStart(4, '0')}`.toUpperCase()
  for (const row of table.split('\n')) {
    const columns = row.trim().split(/\s+/)
    if (columns[1] === local) return Number(columns.at(-1))
  }
  return null
}
