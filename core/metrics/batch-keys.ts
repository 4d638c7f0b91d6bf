import { containsSeq, unionRange } from '../ledger/intervals.ts'
import type { BatchKey, StoredRange } from '../ledger/types.ts'

/** Stored numbers per sender, with when they were stored: [site, collector, epoch, ranges]. */
export type BatchKeysDocument = readonly (readonly [string, string, string, readonly StoredRange[]])[]

/** Which batches are stored. A collector that sends in order costs one range, however long it does. */
export interface BatchKeys {
  has(key: BatchKey): boolean
  add(key: BatchKey, atMs: number): void
  /** Drops what was stored before a time only. */
  forget(beforeMs: number): void
  document(): BatchKeysDocument
}

export function createBatchKeys(document: BatchKeysDocument = []): BatchKeys {
  const streams = new Map<string, readonly StoredRange[]>(
    document.map(([site, collector, epoch, ranges]) => [JSON.stringify([site, collector, epoch]), ranges]),
  )
  const nameOf = ({ site, collector, epoch }: BatchKey) => JSON.stringify([site, collector, epoch])
  return {
    has: (key) => containsSeq(streams.get(nameOf(key)) ?? [], key.seq),
    add(key, atMs) {
      const range = { seqFrom: key.seq, seqTo: key.seq, fromMs: atMs, toMs: atMs }
      streams.set(nameOf(key), unionRange(streams.get(nameOf(key)) ?? [], range))
    },
    forget(beforeMs) {
      for (const [name, ranges] of streams) {
        const left = ranges.filter(({ toMs }) => toMs >= beforeMs)
        if (left.length === 0) streams.delete(name)
        else if (left.length < ranges.length) streams.set(name, left)
      }
    },
    document: () =>
      [...streams].map(([name, ranges]) => {
        const [site = '', collector = '', epoch = ''] = JSON.parse(name) as string[]
        return [site, collector, epoch, ranges] as const
      }),
  }
}
