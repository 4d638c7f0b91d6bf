import { chmodSync, lstatSync, unlinkSync } from 'node:fs'
import { getSystemErrorMap } from 'node:util'
import koffi from 'koffi'
import { messageOf } from '../../core/errors.ts'
import { ipBytes, ipOf, listenFailure, udpName } from './datagrams-address.ts'
import type { DatagramAddress, Datagrams, Listener, TakeDatagram } from './datagrams.ts'

/**
 * Receives through recvmmsg, which takes many datagrams in one call of the system: UDP and Unix sockets of 64-bit little-endian Linux.
 * Importing this file fails where koffi does not load.
 */
const libc = koffi.load(null)
const socket = libc.func('int socket(int domain, int type, int protocol)')
const bind = libc.func('int bind(int fd, void* address, uint32 bytes)')
const connect = libc.func('int connect(int fd, void* address, uint32 bytes)')
const close = libc.func('int close(int fd)')
const getsockname = libc.func('int getsockname(int fd, void* address, void* bytes)')
const setsockopt = libc.func('int setsockopt(int fd, int level, int option, void* value, uint32 bytes)')
const getsockopt = libc.func('int getsockopt(int fd, int level, int option, void* value, void* bytes)')
const poll = libc.func('int poll(void* fds, uint64 count, int waitMs)')
const recvmmsg = libc.func('int recvmmsg(int fd, void* messages, uint32 count, int flags, void* timeout)')

const AF_UNIX = 1
const AF_INET = 2
const AF_INET6 = 10
const SOCK_DGRAM = 2 | 0o4000 | 0o2000000 // non-blocking, closed on exec
const SOL_SOCKET = 1
const SO_RCVBUF = 8
const SO_RCVBUFFORCE = 33
const POLLIN = 1
const MSG_TRUNC = 0x20
const ECONNREFUSED = 111

/** Datagrams a call takes at most. */
const SLOTS = 128
/** No UDP datagram is longer; one of a Unix socket may be, and is cut. */
const SLOT_BYTES = 65_536
/** Apart from each other by more than a power of two, slots do not fight for the same lines of the processor's cache. */
const SLOT_STRIDE = SLOT_BYTES + 192
/** After so many full calls the caller gets its turn. */
const CALLS_MAX = 16
/** Of a mmsghdr: a msghdr, and the length of what came. */
const MESSAGE_BYTES = 64
const FLAGS_AT = 48
const LENGTH_AT = 56
const IOVEC_BYTES = 16
const POLLFD_BYTES = 8

/**
 * Datagrams that come one by one cost a wake-up each, three times as much as those that are taken together. So before it looks again,
 * it rests a little, if the kernel's buffer holds what comes meanwhile.
 */
const REST_MS = 1
const REST_BUFFER_BYTES_MIN = 1 << 20

interface Socket {
  readonly fd: number
  readonly rests: boolean
  /** File of a Unix socket, and how to know that it is still ours. */
  readonly file: { readonly path: string; readonly inode: number } | null
}

export function createNativeDatagrams(take: TakeDatagram): Datagrams {
  const slots = createSlots()
  const sockets: Socket[] = []
  let polled = Buffer.alloc(0)
  const resting = new Int32Array(new SharedArrayBuffer(4))

  async function listen(address: DatagramAddress): Promise<Listener> {
    const opened = address.kind === 'udp' ? await openUdp(address) : openUnix(address.path)
    const bufferBytes = setBuffer(opened.fd, address.bufferBytes)
    const { fd, file, name, udp } = opened
    sockets.push({ fd, file, rests: udp !== null && bufferBytes >= REST_BUFFER_BYTES_MIN })
    polled = pollTable(sockets)
    return { name, udp, bufferBytes }
  }

  /** True: there may be more. */
  function drain({ fd }: Socket): boolean {
    for (let calls = 0; calls < CALLS_MAX; calls += 1) {
      const count = recvmmsg(fd, slots.messages, SLOTS, 0, null) as number
      for (let slot = 0; slot < count; slot += 1) {
        const start = slots.dataAt + slot * SLOT_STRIDE
        const cut = (slots.view.getInt32(slot * MESSAGE_BYTES + FLAGS_AT, true) & MSG_TRUNC) !== 0
        take(slots.bytes, start, start + slots.view.getUint32(slot * MESSAGE_BYTES + LENGTH_AT, true), cut)
      }
      if (count < SLOTS) return false
    }
    return true
  }

  return {
    listen,
    async receive(waitMs) {
      const ready = poll(polled, sockets.length, Math.ceil(waitMs)) as number
      let rests = ready > 0 && waitMs > REST_MS
      for (const [index, each] of ready > 0 ? sockets.entries() : []) {
        if (polled.readInt16LE(index * POLLFD_BYTES + 6) === 0) continue
        const more = drain(each)
        rests &&= each.rests && !more
      }
      if (rests) Atomics.wait(resting, 0, 0, REST_MS)
      await new Promise(setImmediate)
    },
    close() {
      for (const each of sockets.splice(0)) closeSocket(each)
      polled = pollTable(sockets)
      return Promise.resolve()
    },
  }
}

/**
 * One piece of memory for everything that the kernel reads and writes, so that no part of it is collected before another:
 * headers, what they point to, and the data. Pages that no datagram touches take no memory.
 */
function createSlots() {
  const vectorsAt = SLOTS * MESSAGE_BYTES
  const dataAt = vectorsAt + SLOTS * IOVEC_BYTES
  const bytes = new Uint8Array(dataAt + SLOTS * SLOT_STRIDE)
  const view = new DataView(bytes.buffer)
  const address = koffi.address(bytes)
  for (let slot = 0; slot < SLOTS; slot += 1) {
    const vectorAt = vectorsAt + slot * IOVEC_BYTES
    view.setBigUint64(vectorAt, address + BigInt(dataAt + slot * SLOT_STRIDE), true)
    view.setBigUint64(vectorAt + 8, BigInt(SLOT_BYTES), true)
    view.setBigUint64(slot * MESSAGE_BYTES + 16, address + BigInt(vectorAt), true)
    view.setBigUint64(slot * MESSAGE_BYTES + 24, 1n, true)
  }
  return { bytes, view, messages: bytes, dataAt }
}

function pollTable(sockets: readonly Socket[]): Buffer<ArrayBuffer> {
  const table = Buffer.alloc(sockets.length * POLLFD_BYTES)
  for (const [index, { fd }] of sockets.entries()) {
    table.writeInt32LE(fd, index * POLLFD_BYTES)
    table.writeInt16LE(POLLIN, index * POLLFD_BYTES + 4)
  }
  return table
}

async function openUdp({ host, port }: { host: string; port: number }) {
  const ip = await ipOf(host)
  const fd = openSocket(ip.family === 6 ? AF_INET6 : AF_INET, udpName(host, port))
  const address = Buffer.alloc(ip.family === 6 ? 28 : 16)
  address.writeUInt16LE(ip.family === 6 ? AF_INET6 : AF_INET, 0)
  address.writeUInt16BE(port, 2)
  address.set(ipBytes(ip.address), ip.family === 6 ? 8 : 4)
  bindSocket(fd, address, udpName(ip.address, port))
  getsockname(fd, address, int32(address.length))
  const udp = { host: ip.address, port: address.readUInt16BE(2) }
  return { fd, udp, name: udpName(udp.host, udp.port), file: null }
}

/** Of `sun_path`, less its closing zero. */
const PATH_BYTES_MAX = 107

/** Everybody on this host may send: statsd asks for no credential, and applications run as other users. */
const SOCKET_MODE = 0o666

function openUnix(path: string) {
  const name = `unix ${path}`
  if (Buffer.byteLength(path) > PATH_BYTES_MAX) throw listenFailure(name, 'the path is too long')
  removeDead(path, name)
  const fd = openSocket(AF_UNIX, name)
  const address = unixAddress(path)
  bindSocket(fd, address, name)
  try {
    chmodSync(path, SOCKET_MODE)
    return { fd, udp: null, name, file: { path, inode: lstatSync(path).ino } }
  } catch (error) {
    close(fd)
    throw listenFailure(name, messageOf(error))
  }
}

/** Makes room for a socket at `path`, if what is there is a socket that nobody listens on any more. */
function removeDead(path: string, name: string): void {
  const found = lstatSync(path, { throwIfNoEntry: false })
  if (found === undefined) return
  if (!found.isSocket()) throw listenFailure(name, 'the file there is no socket; it is left alone')
  const fd = openSocket(AF_UNIX, name)
  const address = unixAddress(path)
  const connected = connect(fd, address, address.length) === 0
  const dead = !connected && koffi.errno() === ECONNREFUSED
  const reason = connected ? 'somebody listens there already' : lastError()
  close(fd)
  if (!dead) throw listenFailure(name, reason)
  unlinkSync(path)
}

function unixAddress(path: string): Buffer {
  const address = Buffer.alloc(2 + PATH_BYTES_MAX + 1)
  address.writeUInt16LE(AF_UNIX, 0)
  address.write(path, 2)
  return address
}

function openSocket(family: number, name: string): number {
  const fd = socket(family, SOCK_DGRAM, 0) as number
  if (fd < 0) throw listenFailure(name, lastError())
  return fd
}

function bindSocket(fd: number, address: Buffer, name: string): void {
  if (bind(fd, address, address.length) === 0) return
  const reason = lastError()
  close(fd)
  throw listenFailure(name, reason)
}

/** Asks for a buffer of `bytes`, beyond what everybody may have if we are allowed to; gives what it is. */
function setBuffer(fd: number, bytes: number): number {
  const value = int32(bytes)
  if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, value, 4) !== 0)
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, value, 4)
  getsockopt(fd, SOL_SOCKET, SO_RCVBUF, value, int32(4))
  return value.readInt32LE(0)
}

function closeSocket({ fd, file }: Socket): void {
  close(fd)
  if (file !== null && lstatSync(file.path, { throwIfNoEntry: false })?.ino === file.inode)
    unlinkSync(file.path)
}

function lastError(): string {
  const [code, text] = getSystemErrorMap().get(-koffi.errno()) ?? ['error', String(koffi.errno())]
  return `${text} (${code})`
}

function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeInt32LE(value)
  return bytes
}
