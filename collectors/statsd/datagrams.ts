/** Where datagrams are taken: a UDP address (port 0: a free one), or the path of a Unix datagram socket. */
export type DatagramAddress =
  | { readonly kind: 'udp'; readonly host: string; readonly port: number; readonly bufferBytes: number }
  | { readonly kind: 'unix'; readonly path: string; readonly bufferBytes: number }

/** A socket by which datagrams come in. */
export interface Listener {
  /** For people: `udp 127.0.0.1:8125`. */
  readonly name: string
  /** IP address and port that it has; null: it is a Unix socket. */
  readonly udp: { readonly host: string; readonly port: number } | null
  /** What the kernel keeps while nobody receives, its own overhead included. */
  readonly bufferBytes: number
}

/** Gets bytes[start, end), which are valid only during the call. `cut`: the datagram was longer; of UDP none is. */
export type TakeDatagram = (bytes: Uint8Array, start: number, end: number, cut: boolean) => void

/** Receives the datagrams of some sockets. Contract: test/contracts/datagrams.ts. */
export interface Datagrams {
  /** Throws BAD_CONFIG, with words for a person, when the address cannot be had: somebody else has it, or it is not there. */
  listen(address: DatagramAddress): Promise<Listener>
  /**
   * Resolves when what was there is taken (of a flood a part of it), or after `waitMs` without a datagram. It may hold up the thread for
   * so long: RECEIVE_WAIT_MS_MAX is what messages to the thread can bear.
   */
  receive(waitMs: number): Promise<void>
  /** Closes all sockets; the file of a Unix socket goes. */
  close(): Promise<void>
}

export const RECEIVE_WAIT_MS_MAX = 50
