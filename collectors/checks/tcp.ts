import { connect, type LookupFunction } from 'node:net'
import type { Clock } from '../../core/ports.ts'
import { withSocket } from './connection.ts'
import { problemOf, type CheckOf, type Probe } from './probe.ts'

/** Connects and hangs up. */
export function tcpProbe(
  { host, port }: CheckOf<'tcp'>,
  { clock, lookup }: { clock: Clock; lookup: LookupFunction },
): Probe {
  return async (signal) => {
    const startMs = clock.monotonicMs()
    try {
      const socket = connect({ host, port, lookup })
      return await withSocket(socket, { event: 'connect', signal }, () => {
        const tookMs = Math.round(clock.monotonicMs() - startMs)
        return { state: 'ok', message: `connected after ${tookMs} ms` }
      })
    } catch (error) {
      return { state: 'fail', message: problemOf(error) }
    }
  }
}
