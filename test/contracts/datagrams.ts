import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { afterEach, describe, expect, test } from 'vitest'
import type { DatagramAddress, Datagrams, TakeDatagram } from '../../collectors/statsd/datagrams.ts'
import { RECEIVE_WAIT_MS_MAX } from '../../collectors/statsd/datagrams.ts'

const udp = (more: Partial<DatagramAddress> = {}): DatagramAddress =>
  ({ kind: 'udp', host: '127.0.0.1', port: 0, bufferBytes: 1 << 20, ...more }) as DatagramAddress

/** What every implementation of Datagrams has to hold. */
export function datagramsContract(name: string, create: (take: TakeDatagram) => Datagrams): void {
  describe(`datagrams: ${name}`, () => {
    const opened: Datagrams[] = []

    function setUp() {
      const texts: string[] = []
      const datagrams = create((bytes, start, end, cut) => {
        texts.push(Buffer.from(bytes.subarray(start, end)).toString() + (cut ? ' (cut)' : ''))
      })
      opened.push(datagrams)
      const until = async (count: number) => {
        while (texts.length < count) await datagrams.receive(RECEIVE_WAIT_MS_MAX)
      }
      return { datagrams, texts, until }
    }

    afterEach(async () => {
      await Promise.all(opened.splice(0).map((datagrams) => datagrams.close()))
    })

    test.each([
      { host: '127.0.0.1', said: /^udp 127\.0\.0\.1:\d+$/, to: '127.0.0.1' },
      { host: 'localhost', said: /^udp (127\.0\.0\.1|\[::1\]):\d+$/, to: 'localhost' },
      { host: '0.0.0.0', said: /^udp 0\.0\.0\.0:\d+$/, to: '127.0.0.1' },
      { host: '::1', said: /^udp \[::1\]:\d+$/, to: '::1' },
    ])('takes what is sent to $host, each datagram whole and in order', async ({ host, said, to }) => {
      const { datagrams, texts, until } = setUp()
      const listener = await datagrams.listen(udp({ host }))
      expect(listener.name).toMatch(said)
      const sent = ['a:1|c', '', 'b:2|g\nc:3|ms', 'x'.repeat(9_000), 'ü:1|c']
      await sendAll(to, listener.udp?.port ?? 0, sent)
      await until(sent.length)
      expect(texts).toEqual(sent)
    })

    test('the longest datagram of UDP comes whole', async () => {
      const { datagrams, texts, until } = setUp()
      const { udp: bound } = await datagrams.listen(udp())
      await sendAll('127.0.0.1', bound?.port ?? 0, ['y'.repeat(65_507)])
      await until(1)
      expect(texts[0]).toHaveLength(65_507)
    })

    test('more than one call can take comes all the same', async () => {
      const { datagrams, texts, until } = setUp()
      const { udp: bound } = await datagrams.listen(udp())
      const sent = Array.from({ length: 300 }, (_, index) => `m${index}:1|c`)
      await sendAll('127.0.0.1', bound?.port ?? 0, sent)
      await until(sent.length)
      expect(texts).toEqual(sent)
    })

    test('several sockets at once', async () => {
      const { datagrams, texts, until } = setUp()
      const one = await datagrams.listen(udp())
      const other = await datagrams.listen(udp())
      await sendAll('127.0.0.1', one.udp?.port ?? 0, ['to one'])
      await sendAll('127.0.0.1', other.udp?.port ?? 0, ['to the other'])
      await until(2)
      expect(texts.toSorted()).toEqual(['to one', 'to the other'])
    })

    test('a port that is taken and an address that is not here are refused; another one can be tried', async () => {
      const { datagrams, until } = setUp()
      const taken = await setUp().datagrams.listen(udp())
      const port = taken.udp?.port ?? 0
      await expect(datagrams.listen(udp({ port }))).rejects.toMatchObject({
        code: 'BAD_CONFIG',
        message: expect.stringMatching(`cannot take statsd on udp 127.0.0.1:${port}: .*EADDRINUSE`) as string,
      })
      await expect(datagrams.listen(udp({ host: '192.0.2.1' }))).rejects.toThrow(
        /192\.0\.2\.1.*EADDRNOTAVAIL/,
      )
      await expect(datagrams.listen(udp({ host: 'no.such.host.invalid' }))).rejects.toMatchObject({
        code: 'BAD_CONFIG',
      })
      const free = await datagrams.listen(udp())
      await sendAll('127.0.0.1', free.udp?.port ?? 0, ['a:1|c'])
      await until(1)
    })

    test('the kernel is asked for a buffer', async () => {
      const { datagrams } = setUp()
      const small = await datagrams.listen(udp({ bufferBytes: 100_000 }))
      const large = await datagrams.listen(udp({ bufferBytes: 200_000 }))
      expect(small.bufferBytes).toBeGreaterThanOrEqual(100_000)
      expect(large.bufferBytes).toBeGreaterThan(small.bufferBytes)
    })

    test('waiting ends without a datagram, and the port is free after closing', async () => {
      const { datagrams, texts } = setUp()
      await datagrams.receive(1) // Without any socket.
      const { udp: bound } = await datagrams.listen(udp())
      await datagrams.receive(5)
      await datagrams.receive(0)
      expect(texts).toEqual([])
      await datagrams.close()
      await datagrams.close()
      await setUp().datagrams.listen(udp({ port: bound?.port ?? 0 }))
    })
  })
}

/** In order: the next one leaves when the one before was handed to the kernel. */
async function sendAll(host: string, port: number, texts: readonly string[]): Promise<void> {
  const socket = createSocket(host.includes(':') ? 'udp6' : 'udp4')
  for (const text of texts) {
    await new Promise<void>((resolve, reject) => {
      socket.send(text, port, host, (error) => (error === null ? resolve() : reject(error)))
    })
  }
  socket.close()
  await once(socket, 'close')
}
