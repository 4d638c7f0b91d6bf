import { createSocket, type Socket } from 'node:dgram'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { messageOf } from '../../core/errors.ts'
import { ipOf, listenFailure, udpName } from './datagrams-address.ts'
import type { DatagramAddress, Datagrams, Listener, TakeDatagram } from './datagrams.ts'

/** Receives through Node: on every system, but only UDP, and a callback for each datagram. */
export function createNodeDatagrams(take: TakeDatagram): Datagrams {
  const sockets: Socket[] = []
  let arrived = false
  let wake = (): void => undefined

  async function listen(address: DatagramAddress): Promise<Listener> {
    if (address.kind === 'unix')
      throw listenFailure(`unix ${address.path}`, 'Unix datagram sockets are taken on Linux only')
    const { address: host, family } = await ipOf(address.host)
    const socket = createSocket({ type: family === 6 ? 'udp6' : 'udp4' })
    try {
      socket.bind(address.port, host)
      await once(socket, 'listening')
    } catch (error) {
      socket.close()
      throw listenFailure(udpName(host, address.port), messageOf(error))
    }
    sockets.push(socket)
    socket.setRecvBufferSize(address.bufferBytes)
    socket.on('message', (bytes: Buffer) => {
      take(bytes, 0, bytes.length, false)
      arrived = true
      wake()
    })
    socket.on('error', () => undefined) // It goes on receiving.
    const { port } = socket.address()
    return { name: udpName(host, port), udp: { host, port }, bufferBytes: socket.getRecvBufferSize() }
  }

  return {
    listen,
    async receive(waitMs) {
      const woken = new AbortController()
      wake = () => woken.abort()
      if (!arrived) await sleep(waitMs, undefined, { signal: woken.signal }).catch(() => undefined)
      arrived = false
      await new Promise(setImmediate) // Timers come before sockets, immediates behind them.
    },
    async close() {
      const closed = sockets.splice(0).map((socket) => new Promise<void>((done) => socket.close(done)))
      await Promise.all(closed)
    },
  }
}
