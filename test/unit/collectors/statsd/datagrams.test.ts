import { lstat, mkdtemp, rm, stat, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Datagrams } from '../../../../collectors/statsd/datagrams.ts'
import { createNodeDatagrams } from '../../../../collectors/statsd/datagrams-node.ts'
import { openDatagrams } from '../../../../collectors/statsd/datagrams-open.ts'
import { datagramsContract } from '../../../contracts/datagrams.ts'

const native = process.platform === 'linux'

datagramsContract('node', createNodeDatagrams)

test('Node alone refuses Unix sockets', async () => {
  const datagrams = createNodeDatagrams(() => undefined)
  const address = { kind: 'unix', path: '/tmp/x', bufferBytes: 1 } as const
  await expect(datagrams.listen(address)).rejects.toThrow('cannot take statsd on unix /tmp/x')
})

describe.skipIf(!native)('recvmmsg is there on Linux only', async () => {
  const { createNativeDatagrams } = await import('../../../../collectors/statsd/datagrams-native.ts')
  const { createUnixSender } = await import('../../../support/datagram-sender.ts')
  datagramsContract('native', createNativeDatagrams)

  let dir = ''
  const texts: string[] = []
  const opened: Datagrams[] = []
  const open = async (path: string) => {
    const datagrams = createNativeDatagrams((bytes, start, end, cut) => {
      texts.push(Buffer.from(bytes.subarray(start, end)).toString() + (cut ? ' (cut)' : ''))
    })
    opened.push(datagrams)
    const listener = await datagrams.listen({ kind: 'unix', path, bufferBytes: 1 << 20 })
    return { datagrams, listener }
  }
  const until = async (datagrams: Datagrams, count: number) => {
    while (texts.length < count) await datagrams.receive(50)
    return texts.splice(0)
  }

  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'noctule-datagrams-'))
  })
  afterAll(async () => {
    await Promise.all(opened.map((datagrams) => datagrams.close()))
    await rm(dir, { recursive: true })
  })

  test('it is what is opened', async () => {
    const { datagrams, fallback } = await openDatagrams(() => undefined)
    expect(fallback).toBeNull()
    await datagrams.close()
  })

  test('a Unix socket takes datagrams of every user; its file goes at the end', async () => {
    const path = join(dir, 'a.sock')
    const { datagrams, listener } = await open(path)
    expect(listener).toMatchObject({ name: `unix ${path}`, udp: null })
    expect((await stat(path)).mode & 0o777).toBe(0o666)
    const sender = createUnixSender(path)
    for (const text of ['a:1|c', 'b:2|c\nc:3|c']) sender.send(Buffer.from(text))
    sender.close()
    expect(await until(datagrams, 2)).toEqual(['a:1|c', 'b:2|c\nc:3|c'])
    await datagrams.close()
    await expect(lstat(path)).rejects.toThrow('ENOENT')
  })

  test('a datagram that is longer than a slot comes cut', async () => {
    const path = join(dir, 'long.sock')
    const { datagrams } = await open(path)
    const sender = createUnixSender(path)
    sender.send(Buffer.alloc(65_536, 'x'))
    sender.send(Buffer.alloc(65_537, 'y'))
    sender.send(Buffer.from('z'))
    sender.close()
    const [exact, cut, next] = await until(datagrams, 3)
    expect(exact).toBe('x'.repeat(65_536))
    expect(cut).toBe(`${'y'.repeat(65_536)} (cut)`)
    expect(next).toBe('z')
  })

  test('a dead socket is replaced', async () => {
    const path = join(dir, 'dead.sock')
    const { spawnSync } = await import('node:child_process')
    // Ended without closing anything, as by kill -9.
    const script = `const { createNativeDatagrams } = await import(${JSON.stringify(
      new URL('../../../../collectors/statsd/datagrams-native.ts', import.meta.url).href,
    )}); await createNativeDatagrams(() => {}).listen({ kind: 'unix', path: ${JSON.stringify(path)}, bufferBytes: 1000 }); process.exit(0)`
    const { status } = spawnSync(process.execPath, ['--input-type=module', '-e', script])
    expect(status).toBe(0)
    expect((await lstat(path)).isSocket()).toBe(true)
    const { datagrams } = await open(path)
    createUnixSender(path).send(Buffer.from('a:1|c'))
    expect(await until(datagrams, 1)).toEqual(['a:1|c'])
  })

  test('one that somebody listens on, of whatever type, and a file are left alone', async () => {
    const path = join(dir, 'live.sock')
    const { datagrams } = await open(path)
    await expect(open(path)).rejects.toThrow(`cannot take statsd on unix ${path}: somebody listens`)
    createUnixSender(path).send(Buffer.from('a:1|c'))
    expect(await until(datagrams, 1)).toEqual(['a:1|c'])

    const stream = join(dir, 'stream.sock')
    const server = createServer()
    await new Promise<void>((listening) => server.listen(stream, listening))
    await expect(open(stream)).rejects.toThrow('EPROTOTYPE')
    expect((await lstat(stream)).isSocket()).toBe(true)
    server.close()

    const file = join(dir, 'file')
    await writeFile(file, 'precious')
    await expect(open(file)).rejects.toThrow('no socket; it is left alone')
    await expect(open(join(dir, 'nowhere', 'a.sock'))).rejects.toThrow('ENOENT')
    await expect(open(join(dir, 'x'.repeat(100)))).rejects.toThrow('too long')
  })

  test('the file of a successor is not removed', async () => {
    const path = join(dir, 'successor.sock')
    const first = await open(path)
    await rm(path)
    await open(path)
    await first.datagrams.close()
    expect((await lstat(path)).isSocket()).toBe(true)
  })
})
