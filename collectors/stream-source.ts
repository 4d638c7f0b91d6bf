import type { Readable } from 'node:stream'
import type { Config } from '../core/config.ts'
import { messageOf } from '../core/errors.ts'
import type { Clock, Logger } from '../core/ports.ts'
import type { BatchSource } from '../core/wire.ts'
import type { Batcher, Lines } from './batcher.ts'
import { lineRuns } from './lines.ts'
import type { Source } from './source.ts'

const NEWLINE = 10

export interface StreamSourceOptions {
  readonly input: Readable
  readonly source: BatchSource
  readonly config: Pick<Config['collector'], 'lineBytesMax' | 'batch'>
  readonly batcher: Batcher
  readonly clock: Clock
  readonly log: Logger
}

/**
 * Reads lines from a stream (standard input) until it ends; offsets count from the start of the stream.
 * Guarantee: while the spool takes nothing, nothing is read, so the writer waits. What was read and is not numbered yet when the process
 * is killed is lost: a stream cannot be read twice.
 */
export function createStreamSource({
  input,
  source,
  config,
  batcher,
  clock,
  log,
}: StreamSourceOptions): Source {
  const { lineBytesMax, batch } = config
  const bounds = { lineBytesMax, runBytesMax: batch.bytesMax, runLinesMax: batch.recordsMax }
  const stopping = new AbortController()
  let offset = 0
  /** The unfinished line: its length, and its bytes up to lineBytesMax. */
  let restBytes = 0
  let kept: Buffer[] = []
  let keptBytes = 0
  let readMs = 0
  let waiting = false
  let running: Promise<void> | null = null

  function give(lines: Pick<Lines, 'bytes' | 'lines' | 'cutFrom'>, at: number): void {
    batcher.add({ source, offset: at, readAtMs: clock.nowMs(), fromMs: 0, ...lines }, {})
  }

  function keep(bytes: Buffer): void {
    const part = bytes.subarray(0, lineBytesMax - keptBytes)
    if (part.length > 0) kept.push(part)
    keptBytes += part.length
    restBytes += bytes.length
  }

  function giveRest(): void {
    const cut = restBytes > keptBytes ? { cutFrom: restBytes } : {}
    give({ bytes: Buffer.concat(kept), lines: 1, ...cut }, offset)
    offset += restBytes
    restBytes = 0
    kept = []
    keptBytes = 0
  }

  function take(chunk: Buffer): void {
    let fresh = chunk
    if (restBytes > 0) {
      const newline = chunk.indexOf(NEWLINE)
      if (newline === -1) return keep(chunk)
      keep(chunk.subarray(0, newline))
      giveRest()
      offset++
      fresh = chunk.subarray(newline + 1)
    }
    let used = 0
    for (const { start, end, next, lines, cutFrom } of lineRuns(fresh, bounds)) {
      const bytes = fresh.subarray(start, end)
      give({ bytes, lines, ...(cutFrom === undefined ? {} : { cutFrom }) }, offset + start)
      used = next
    }
    offset += used
    if (used < fresh.length) keep(fresh.subarray(used))
  }

  async function run(): Promise<void> {
    try {
      waiting = true
      for await (const chunk of input as AsyncIterable<Buffer | string>) {
        waiting = false
        await batcher.room(stopping.signal)
        take(typeof chunk === 'string' ? Buffer.from(chunk) : chunk)
        readMs = clock.monotonicMs()
        waiting = true
      }
    } catch (error) {
      if (!stopping.signal.aborted) log.warn({ error: messageOf(error) }, 'reading the stream failed')
    }
    if (restBytes > 0) giveRest()
    waiting = true
  }

  return {
    start() {
      running ??= run()
      return Promise.resolve()
    },
    async stop() {
      stopping.abort()
      input.destroy()
      await running
    },
    readThroughMs: () => (waiting ? clock.monotonicMs() : readMs),
  }
}
