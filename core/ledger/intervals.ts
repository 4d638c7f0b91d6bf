import type { StoredRange } from './types.ts'

/** Numbers from seqFrom to seqTo, both included. */
export interface SeqRange {
  readonly seqFrom: number
  readonly seqTo: number
}

/** Index of the first range that ends at or behind `seq`; the length when there is none. */
function indexOf(ranges: readonly SeqRange[], seq: number): number {
  let low = 0
  let high = ranges.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((ranges[middle]?.seqTo ?? Infinity) < seq) low = middle + 1
    else high = middle
  }
  return low
}

/** Whether `seq` is in one of the ascending, disjoint `ranges`. */
export function containsSeq(ranges: readonly SeqRange[], seq: number): boolean {
  const range = ranges[indexOf(ranges, seq)]
  return range !== undefined && range.seqFrom <= seq
}

/** The union of ascending, disjoint ranges with one more; ranges that touch become one. */
export function unionRange(ranges: readonly StoredRange[], added: StoredRange): StoredRange[] {
  const start = indexOf(ranges, added.seqFrom - 1)
  let end = start
  let merged = added
  for (
    let range = ranges[end];
    range !== undefined && range.seqFrom <= added.seqTo + 1;
    range = ranges[++end]
  ) {
    merged = {
      seqFrom: Math.min(merged.seqFrom, range.seqFrom),
      seqTo: Math.max(merged.seqTo, range.seqTo),
      fromMs: Math.min(merged.fromMs, range.fromMs),
      toMs: Math.max(merged.toMs, range.toMs),
    }
  }
  return [...ranges.slice(0, start), merged, ...ranges.slice(end)]
}

/** What is not in `ranges` of the numbers 1 to `lastSeq`, ascending. */
export function missingIn(ranges: readonly SeqRange[], lastSeq: number): SeqRange[] {
  const missing: SeqRange[] = []
  let next = 1
  for (const { seqFrom, seqTo } of ranges) {
    if (next > lastSeq) return missing
    if (seqFrom > next) missing.push({ seqFrom: next, seqTo: Math.min(seqFrom - 1, lastSeq) })
    next = seqTo + 1
  }
  if (next <= lastSeq) missing.push({ seqFrom: next, seqTo: lastSeq })
  return missing
}
