import type { RecordsReport } from './messages.ts'

/** Log lines on their way to the batcher: one group is under way, the next one is gathered. */
export interface RecordQueue {
  add(line: string): void
  /** The group under way has arrived. */
  taken(): void
  /** Tells the next group if none is under way; `always` also then. */
  send(always?: boolean): void
}

/** What waits at most, in characters: some thousand events, half a batch. More come from a sender gone wild, or while the spool is full. */
export const QUEUE_CHARS_MAX = 256 << 10

export function createRecordQueue(tell: (report: RecordsReport) => void, nowMs: () => number): RecordQueue {
  const nothing = { records: 0, bytes: 0, fromMs: 0 }
  let text = ''
  let lines = 0
  let dropped = nothing
  let underWay = false

  return {
    add(line) {
      const { length } = line
      if (text.length + length <= QUEUE_CHARS_MAX) {
        text += `${line}\n`
        lines += 1
        return
      }
      const fromMs = dropped.records === 0 ? nowMs() : dropped.fromMs
      dropped = { records: dropped.records + 1, bytes: dropped.bytes + length, fromMs }
    },
    taken() {
      underWay = false
    },
    send(always = false) {
      if ((underWay && !always) || lines + dropped.records === 0) return
      tell({ type: 'records', text, lines, dropped })
      text = ''
      lines = 0
      dropped = nothing
      underWay = true
    },
  }
}
