import { endianness } from 'node:os'
import { messageOf } from '../../core/errors.ts'
import { createNodeDatagrams } from './datagrams-node.ts'
import type { Datagrams, TakeDatagram } from './datagrams.ts'

/** Where the struct layouts of datagrams-native.ts are right: on 64-bit little-endian Linux. */
const ARCHITECTURES: ReadonlySet<string> = new Set(['x64', 'arm64', 'riscv64', 'loong64', 'ppc64'])

/** The fast one where it works, else that of Node; `fallback` says why. */
export async function openDatagrams(
  take: TakeDatagram,
): Promise<{ datagrams: Datagrams; fallback: string | null }> {
  const reason = unsupported()
  if (reason !== null) return { datagrams: createNodeDatagrams(take), fallback: reason }
  try {
    const { createNativeDatagrams } = await import('./datagrams-native.ts')
    return { datagrams: createNativeDatagrams(take), fallback: null }
  } catch (error) {
    return { datagrams: createNodeDatagrams(take), fallback: `koffi does not load: ${messageOf(error)}` }
  }
}

function unsupported(): string | null {
  if (process.platform !== 'linux') return `${process.platform} has no recvmmsg`
  const known = ARCHITECTURES.has(process.arch) && endianness() === 'LE'
  return known ? null : `its structures on ${process.arch} are not known`
}
