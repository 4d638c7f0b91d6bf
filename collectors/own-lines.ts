import type { Clock } from '../core/ports.ts'
import type { BatchSource } from '../core/wire.ts'
import type { Batcher } from './batcher.ts'

/** Lines that wait while the spool takes nothing; more are dropped, and said to be. */
export const OWN_LINES_MAX = 1_000

export interface OwnLinesOptions {
  readonly batcher: Pick<Batcher, 'add' | 'note' | 'room'>
  readonly tier: string | undefined
  readonly clock: Clock
}

/** What the collector itself has to log about its host, as lines of the service `noctule`. */
export interface OwnLines {
  /** Takes one line, without its end. */
  give(line: string): void
  /** Hands what waits to the batcher at once. */
  stop(): void
}

export function createOwnLines({ batcher, tier, clock }: OwnLinesOptions): OwnLines {
  const source: BatchSource = { path: '', service: 'noctule', ...(tier === undefined ? {} : { tier }) }
  const stopping = new AbortController()
  let waiting: string[] = []
  let fromMs = 0
  let offset = 0
  let dropped = { records: 0, bytes: 0, fromMs: 0 }

  function hand(): void {
    const nowMs = clock.nowMs()
    if (waiting.length > 0) {
      const bytes = Buffer.from(waiting.map((line) => `${line}\n`).join(''))
      batcher.add({ source, offset, bytes, lines: waiting.length, readAtMs: nowMs, fromMs }, {})
      offset += bytes.length
    }
    if (dropped.records > 0) batcher.note({ drops: [{ reason: 'own_lines', ...dropped, toMs: nowMs }] })
    waiting = []
    dropped = { records: 0, bytes: 0, fromMs: 0 }
  }

  return {
    give(line) {
      if (waiting.length >= OWN_LINES_MAX) {
        const firstMs = dropped.records === 0 ? clock.nowMs() : dropped.fromMs
        const bytes = dropped.bytes + Buffer.byteLength(line)
        dropped = { records: dropped.records + 1, bytes, fromMs: firstMs }
        return
      }
      waiting.push(line)
      if (waiting.length > 1) return
      fromMs = clock.nowMs()
      batcher.room(stopping.signal).then(hand, () => undefined)
    },
    stop() {
      stopping.abort()
      hand()
    },
  }
}
