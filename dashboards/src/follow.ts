import { asProblem, openTail, type LogRecord, type Problem, type TailMeta } from './api.ts'
import { createEventReader, type ServerEvent } from './model/sse.ts'

/** The server speaks about once a second; after this long without a word the connection counts as dead. */
const SILENCE_MS = 5000
const RETRY_FIRST_MS = 500
const RETRY_MAX_MS = 10_000

export interface Connection {
  readonly phase: 'off' | 'connecting' | 'open' | 'reconnecting' | 'refused'
  readonly meta: TailMeta | null
  readonly heardAtMs: number | null
  readonly problem: Problem | null
  /** Was open at least once: what arrives from then on is not missed, so what came before can be searched. */
  readonly connected: boolean
}

export const OFF: Connection = { phase: 'off', meta: null, heardAtMs: null, problem: null, connected: false }

export interface Follower {
  readonly signal: AbortSignal
  /** The connection is read no further until it resolves. */
  readonly arrived: (record: LogRecord) => Promise<void>
  readonly changed: (change: Partial<Connection>) => void
}

/** Connects, and connects again after a failure from where it was, until told to stop or refused for good. */
export async function follow(q: string, follower: Follower): Promise<void> {
  const { signal, changed } = follower
  let lastEventId: string | null = null
  let failures = 0
  changed({ phase: 'connecting' })
  while (!signal.aborted) {
    try {
      await listen(q, lastEventId, follower, (id) => {
        lastEventId = id ?? lastEventId
        failures = 0
      })
      changed({ phase: 'reconnecting' })
    } catch (error) {
      if (signal.aborted) return
      const problem = asProblem(error)
      const final = problem.status >= 400 && problem.status < 500 && problem.status !== 429
      changed({ phase: final ? 'refused' : 'reconnecting', problem })
      if (final) return
    }
    const backoffMs = Math.min(RETRY_MAX_MS, RETRY_FIRST_MS * 2 ** failures)
    failures += 1
    // Half fixed, half chance: a thousand pages do not come back in one moment.
    await pause(backoffMs * (0.5 + Math.random() / 2), signal)
  }
}

/** One connection, to its end. Throws when it cannot be opened, breaks, or falls silent. */
async function listen(
  q: string,
  lastEventId: string | null,
  { signal, arrived, changed }: Follower,
  heard: (id: string | null) => void,
): Promise<void> {
  const silence = new AbortController()
  let timer = setTimeout(() => silence.abort(), SILENCE_MS)
  try {
    const body = await openTail(q, lastEventId, AbortSignal.any([signal, silence.signal]))
    const reader = body.getReader()
    const decoder = new TextDecoder()
    const events = createEventReader()
    for (let chunk = await reader.read(); !chunk.done; chunk = await reader.read()) {
      clearTimeout(timer)
      for (const event of events.feed(decoder.decode(chunk.value, { stream: true }))) {
        heard(event.id)
        if (event.event === 'record') await arrived(parse<LogRecord>(event))
        else changed(connectionChange(event))
        if (event.event === 'end') return
      }
      timer = setTimeout(() => silence.abort(), SILENCE_MS)
    }
  } finally {
    clearTimeout(timer)
    silence.abort()
  }
}

function connectionChange(event: ServerEvent): Partial<Connection> {
  const open = { phase: 'open', connected: true, problem: null, heardAtMs: Date.now() } as const
  return event.event === 'meta' ? { ...open, meta: parse<TailMeta>(event) } : open
}

function parse<Data>({ data }: ServerEvent): Data {
  return JSON.parse(data) as Data
}

/** Resolves after `ms`, or at once when the signal aborts. */
export function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms)
    signal.addEventListener('abort', () => {
      clearTimeout(timer)
      resolve()
    })
  })
}
