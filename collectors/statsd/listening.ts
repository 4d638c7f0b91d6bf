import { messageOf } from '../../core/errors.ts'
import type { Clock } from '../../core/ports.ts'
import type { DatagramAddress, Datagrams, Listener } from './datagrams.ts'
import type { ListeningReport, Report } from './messages.ts'
import { kernelDrops } from './kernel-drops.ts'

/** What cannot be listened on is tried again after this long: a port gets free, an address comes up. */
export const LISTEN_RETRY_MS = 5_000
/** What Linux grants unless somebody raised it is some hundred datagrams: a pause of two milliseconds under load. */
const BUFFER_SHARE_MIN = 0.5

interface Place {
  readonly address: DatagramAddress
  listener: Listener | null
  problem: string | null
  retryAtMs: number
  drops: number
}

/** Keeps the configured addresses open, and tells what is. */
export interface Listening {
  /** Tries what is not open and due; the first call tries everything and tells what came of it. */
  open(): Promise<void>
  /** Datagrams that the kernel threw away since the last call. */
  drops(): Promise<number>
}

export interface ListeningOptions {
  readonly addresses: readonly DatagramAddress[]
  readonly datagrams: Pick<Datagrams, 'listen'>
  readonly clock: Pick<Clock, 'monotonicMs'>
  readonly tell: (report: Report) => void
  readonly readDrops?: typeof kernelDrops
}

export function createListening(options: ListeningOptions): Listening {
  const { addresses, datagrams, clock, tell, readDrops = kernelDrops } = options
  const places = addresses.map((address): Place => ({
    address,
    listener: null,
    problem: null,
    retryAtMs: -Infinity,
    drops: 0,
  }))

  async function tryPlace(place: Place): Promise<boolean> {
    const before = place.problem
    try {
      place.listener = await datagrams.listen(place.address)
      place.problem = null
    } catch (error) {
      place.problem = messageOf(error)
      place.retryAtMs = clock.monotonicMs() + LISTEN_RETRY_MS
    }
    if (place.problem === before && before !== null) return false
    tell(place.listener === null ? failure(place) : success(place.listener))
    if (place.listener !== null && hasSmallBuffer(place.address, place.listener))
      tell(smallBuffer(place.address, place.listener))
    return true
  }

  return {
    async open() {
      const nowMs = clock.monotonicMs()
      const due = places.filter(({ listener, retryAtMs }) => listener === null && retryAtMs <= nowMs)
      let news = false
      for (const place of due) news = (await tryPlace(place)) || news
      if (news) tell(listeningReport(places))
    },
    async drops() {
      let sum = 0
      for (const place of places) {
        const udp = place.listener?.udp ?? null
        const drops = udp === null ? null : await readDrops(udp)
        if (drops === null) continue
        // The kernel counts in 32 bits.
        sum += drops >= place.drops ? drops - place.drops : drops
        place.drops = drops
      }
      return sum
    },
  }
}

function listeningReport(places: readonly Place[]): ListeningReport {
  const listeners = places.flatMap(({ listener }) => (listener === null ? [] : [listener]))
  const problems = places.flatMap(({ problem }) => (problem === null ? [] : [problem]))
  const unix = places.find(({ address, listener }) => address.kind === 'unix' && listener !== null)
  return {
    type: 'listening',
    names: listeners.map(({ name }) => name),
    port: listeners.find(({ udp }) => udp !== null)?.udp?.port ?? null,
    socket: unix?.address.kind === 'unix' ? unix.address.path : null,
    problem: problems.length === 0 ? null : problems.join('; '),
  }
}

function failure({ problem }: Place): Report {
  const fields = { retryMs: LISTEN_RETRY_MS }
  return { type: 'log', level: 'error', fields, message: `${problem}: tried again` }
}

function success({ name, bufferBytes }: Listener): Report {
  return { type: 'log', level: 'info', fields: { on: name, bufferBytes }, message: 'taking statsd' }
}

function hasSmallBuffer({ kind, bufferBytes }: DatagramAddress, listener: Listener): boolean {
  return kind === 'udp' && listener.bufferBytes < bufferBytes * BUFFER_SHARE_MIN
}

function smallBuffer({ bufferBytes: asked }: DatagramAddress, { name, bufferBytes }: Listener): Report {
  const message = 'the kernel allows a small receive buffer only, bursts can be lost: raise net.core.rmem_max'
  return { type: 'log', level: 'warn', fields: { on: name, asked, bufferBytes }, message }
}
