import { setImmediate as yieldNow } from 'node:timers/promises'
import { textsOf } from './columns.ts'
import type { JoinedColumns } from './columns.ts'
import type { WordIndexBuilder } from './word-index.ts'

/** Records of a class in a slot of time, and of those the ones in a part of time. Times are half-open. */
export interface WantedTexts {
  readonly classIndex: number
  readonly slotMs: number
  readonly slotEndMs: number
  readonly fromMs: number
  readonly toMs: number
}

/**
 * The texts of a generation as they came, until it is sealed: its index is made of them. Reading them back from the new segment would
 * cost three times as much.
 */
export interface HotTexts {
  /** Keeps the columns; `classes` are those of the rows. */
  add(columns: JoinedColumns, classes: Uint32Array): void
  /** Adds records to an index, and gives how many there were. Lets others run in between. */
  addWords(wanted: WantedTexts, builder: WordIndexBuilder): Promise<number>
}

interface Part {
  readonly columns: JoinedColumns
  readonly classes: Uint32Array
}

export function createHotTexts(): HotTexts {
  const parts: Part[] = []
  return {
    add(columns, classes) {
      parts.push({ columns, classes })
    },
    async addWords(wanted, builder) {
      let records = 0
      for (const part of parts) {
        const rows = wantedRows(part, wanted)
        if (rows.length === 0) continue
        addRows(part.columns, rows, builder)
        records += rows.length
        await yieldNow()
      }
      return records
    },
  }
}

function wantedRows({ columns, classes }: Part, wanted: WantedTexts): number[] {
  const rows: number[] = []
  for (let row = 0; row < columns.rows; row++) {
    const timeMs = columns.time[row] ?? 0
    if (timeMs < wanted.fromMs || timeMs >= wanted.toMs || classes[row] !== wanted.classIndex) continue
    const agedMs = Math.min(timeMs, columns.ingested[row] ?? 0)
    if (agedMs >= wanted.slotMs && agedMs < wanted.slotEndMs) rows.push(row)
  }
  return rows
}

function addRows(
  { texts, rows, time }: JoinedColumns,
  wanted: readonly number[],
  builder: WordIndexBuilder,
): void {
  const { message, attrs } = texts
  const patterns = textsOf(texts.pattern)
  const traces = textsOf(texts.trace)
  let [next, messageAt, attrsAt] = [0, 0, 0]
  for (let row = 0; row < rows && next < wanted.length; row++) {
    const messageEnd = messageAt + (message.lengths[row] ?? 0)
    const attrsEnd = attrsAt + (attrs.lengths[row] ?? 0)
    if (wanted[next] === row) {
      next++
      builder.addBytes(
        time[row] ?? 0,
        { bytes: message.bytes, start: messageAt, end: messageEnd },
        { bytes: attrs.bytes, start: attrsAt, end: attrsEnd },
        patterns[row] ?? '',
        traces[row] ?? '',
      )
    }
    messageAt = messageEnd
    attrsAt = attrsEnd
  }
}
