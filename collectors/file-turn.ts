import type { FileHandle } from 'node:fs/promises'
import type { Config } from '../core/config.ts'
import type { Clock } from '../core/ports.ts'
import type { BatchSource } from '../core/wire.ts'
import type { Batcher } from './batcher.ts'
import type { Tail, TurnOptions } from './tail.ts'

/** A file and how far it was read. */
export interface Followed {
  readonly key: string
  readonly source: BatchSource
  readonly tail: Tail
  /** Where it is; null: renamed to where no pattern matches, or deleted. */
  path: string | null
  /** Largest size seen since it was last empty: what is lost when it is truncated. */
  largest: number
  /** As of the last turn. */
  mtimeNs: bigint
  /** Monotonic ms of the last news from it … */
  changedMs: number
  /** … and of the last look at which nothing in it was unread; null: none yet. */
  caughtUpMs: number | null
  /** Its unfinished last line will not be finished. */
  finishing: boolean
  /** What was read of it is no longer there: it starts again after copies of that were looked for. */
  replaced: boolean
}

export interface TurnContext {
  readonly config: Pick<Config['collector'], 'lineBytesMax' | 'batch'>
  readonly batcher: Batcher
  readonly clock: Clock
  /** Ends the waiting for room. */
  readonly signal: AbortSignal
}

/** One turn of reading: hands the lines that are there to the batcher. See `Tail.turn` for what it answers. */
export async function readFollowed(
  file: Followed,
  handle: FileHandle,
  { config, batcher, clock, signal }: TurnContext,
): Promise<'end' | 'more' | 'replaced'> {
  const { key, source, tail } = file
  const startedMs = clock.monotonicMs()
  const startedAtMs = clock.nowMs()
  const fromMs = tail.endedAtMs
  const stats = await handle.stat({ bigint: true })
  const size = Number(stats.size)
  if (size !== tail.lookedTo) file.changedMs = startedMs
  const turn: TurnOptions = {
    size,
    bounds: {
      lineBytesMax: config.lineBytesMax,
      runBytesMax: config.batch.bytesMax,
      runLinesMax: config.batch.recordsMax,
    },
    room: () => batcher.room(signal),
    give: (lines) =>
      batcher.add({ ...lines, source, readAtMs: clock.nowMs(), fromMs }, { [key]: tail.position }),
  }
  const outcome = await tail.turn(handle, turn)
  if (outcome === 'replaced') return outcome
  file.largest = Math.max(file.largest, size)
  if (outcome === 'more') return outcome
  if (file.finishing) await tail.finish(handle, turn)
  file.finishing = false
  file.mtimeNs = stats.mtimeNs
  file.caughtUpMs = startedMs
  tail.ended(startedAtMs)
  return outcome
}

/** What was read of it is gone: it starts again, and the position says so. */
export function startAgain(file: Followed, batcher: Batcher): void {
  file.replaced = false
  file.tail.restart()
  file.largest = 0
  batcher.note({ changes: { [file.key]: file.tail.position } })
}
