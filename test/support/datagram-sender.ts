import koffi from 'koffi'

const libc = koffi.load(null)
const socket = libc.func('int socket(int domain, int type, int protocol)')
const connect = libc.func('int connect(int fd, void* address, uint32 bytes)')
const send = libc.func('int64 send(int fd, void* bytes, uint64 length, int flags)')
const sendmmsg = libc.func('int sendmmsg(int fd, void* messages, uint32 count, int flags)')
const close = libc.func('int close(int fd)')

const [AF_UNIX, AF_INET, SOCK_DGRAM] = [1, 2, 2]
const MESSAGE_BYTES = 64
const VECTOR_BYTES = 16

/** Sends datagrams with calls that block (Linux): Node has no Unix datagram sockets, and no way to send many in one call. */
export interface DatagramSender {
  /** Throws when it cannot be sent. */
  send(bytes: Uint8Array): void
  /** Sends a group that `prepare` made; returns how many datagrams of it went. */
  sendGroup(group: DatagramGroup): number
  close(): void
}

export interface DatagramGroup {
  readonly messages: Uint8Array
  readonly count: number
  /** What `messages` points to. */
  readonly kept: readonly unknown[]
}

export function createUnixSender(path: string): DatagramSender {
  const address = Buffer.alloc(110)
  address.writeUInt16LE(AF_UNIX, 0)
  address.write(path, 2)
  return createSender(AF_UNIX, address, path)
}

/** To 127.0.0.1. */
export function createUdpSender(port: number): DatagramSender {
  const address = Buffer.alloc(16)
  address.writeUInt16LE(AF_INET, 0)
  address.writeUInt16BE(port, 2)
  address.set([127, 0, 0, 1], 4)
  return createSender(AF_INET, address, `port ${port}`)
}

function createSender(family: number, address: Buffer, name: string): DatagramSender {
  const fd = socket(family, SOCK_DGRAM, 0) as number
  if (connect(fd, address, address.length) !== 0) {
    const errno = koffi.errno()
    close(fd)
    throw new Error(`cannot send to ${name}: errno ${errno}`)
  }
  return {
    send(bytes) {
      if (Number(send(fd, bytes, bytes.length, 0)) < 0) throw new Error(`not sent: errno ${koffi.errno()}`)
    },
    sendGroup: ({ messages, count }) => Math.max(0, sendmmsg(fd, messages, count, 0) as number),
    close: () => void close(fd),
  }
}

/** Puts datagrams into the form that one call sends. */
export function prepareGroup(datagrams: readonly Uint8Array[]): DatagramGroup {
  // Copied: the address of a small array may change.
  const data = Buffer.concat(datagrams)
  const vectors = Buffer.alloc(datagrams.length * VECTOR_BYTES + 64)
  const messages = Buffer.alloc(datagrams.length * MESSAGE_BYTES + 64)
  const [dataAt, vectorsAt] = [koffi.address(data), koffi.address(vectors)]
  let at = 0
  for (const [index, { length }] of datagrams.entries()) {
    vectors.writeBigUInt64LE(dataAt + BigInt(at), index * VECTOR_BYTES)
    vectors.writeBigUInt64LE(BigInt(length), index * VECTOR_BYTES + 8)
    messages.writeBigUInt64LE(vectorsAt + BigInt(index * VECTOR_BYTES), index * MESSAGE_BYTES + 16)
    messages.writeBigUInt64LE(1n, index * MESSAGE_BYTES + 24)
    at += length
  }
  return { messages, count: datagrams.length, kept: [data, vectors] }
}
