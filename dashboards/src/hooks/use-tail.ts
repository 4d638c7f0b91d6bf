import { useEffect, useEffectEvent, useRef, useState } from 'react'
import type { LogRecord } from '../api.ts'
import { OFF, follow, pause, type Connection } from '../follow.ts'
import { EMPTY_TAIL, resume, tailRate, takeArrivals, type TailBuffer } from '../model/tail-buffer.ts'

/** Arrivals are shown this often: faster than a person reads, slow enough to draw thousands a second. */
const SHOW_EVERY_MS = 200
/** Arrivals between two showings; the connection is read no further until they are taken. */
const UNSHOWN_MAX = 5000

export interface Tail extends Connection {
  readonly buffer: TailBuffer
  /** Lines per second. */
  readonly rate: number
  /** Shows what waits. */
  readonly resume: () => void
}

interface State {
  /** The key that all of this belongs to. */
  readonly key: string | null
  readonly connection: Connection
  readonly buffer: TailBuffer
}

const NOTHING: State = { key: null, connection: OFF, buffer: EMPTY_TAIL }

/** Follows a query while `key` is not null; a new key starts over. `paused` keeps new lines waiting. */
export function useTail(key: string | null, q: string, paused: boolean): Tail {
  const [state, setState] = useState<State>(NOTHING)
  const unshown = useRef<LogRecord[]>([])

  const take = useEffectEvent(() => {
    const options = { paused, nowMs: Date.now() }
    const records = unshown.current
    unshown.current = []
    setState((before) => ({ ...before, buffer: takeArrivals(before.buffer, records, options) }))
  })

  useEffect(() => {
    setState({ ...NOTHING, key })
    if (key === null) return undefined
    const abort = new AbortController()
    const timer = setInterval(take, SHOW_EVERY_MS)
    void follow(q, {
      signal: abort.signal,
      arrived: async (record) => {
        unshown.current.push(record)
        if (unshown.current.length >= UNSHOWN_MAX) await pause(SHOW_EVERY_MS, abort.signal)
      },
      changed: (change) => {
        if (abort.signal.aborted) return
        setState((before) => ({ ...before, connection: { ...before.connection, ...change } }))
      },
    })
    return () => {
      abort.abort()
      clearInterval(timer)
      unshown.current = []
    }
  }, [key, q])

  // Between a new key and its first effect, nothing is known of it yet.
  const { connection, buffer } = state.key === key ? state : NOTHING
  return {
    ...connection,
    buffer,
    rate: tailRate(buffer, Date.now()),
    resume: () => setState((before) => ({ ...before, buffer: resume(before.buffer) })),
  }
}
