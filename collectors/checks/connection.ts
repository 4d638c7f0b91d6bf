import { once } from 'node:events'
import type { Socket } from 'node:net'

/** Waits for an event of a socket, gives what `use` makes of it, and closes the socket whatever happens. Rejects with its error. */
export async function withSocket<T>(
  socket: Socket,
  { event, signal }: { event: 'connect' | 'secureConnect'; signal: AbortSignal },
  use: () => T,
): Promise<T> {
  socket.on('error', () => undefined) // One may come when nobody waits any more.
  try {
    await once(socket, event, { signal })
    return use()
  } finally {
    socket.destroy()
  }
}
