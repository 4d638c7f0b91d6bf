/** More different pairs are not counted: 64 a record for a block of 32,768 records; they take 60 MB. One less than the arrays double at. */
const PAIRS_MAX = (1 << 21) - 1
const PAIRS_FIRST = 1 << 14
const FIELDS = 5
/** COUNT holds the slice, too, in its lowest bits. */
const [LOW, HIGH, GROUP, COUNT, LAST] = [0, 1, 2, 3, 4]
const GROUP_PRIME = 0x9e3779b1
const FREE = 0
/** Records of a pair are from several slices. */
export const SEVERAL_SLICES = 15
const SLICE_BITS = 4
const ONE_RECORD = 1 << SLICE_BITS

/**
 * How many records have a key in a group, and which slice (0 to 14) of their block all of them are in. A key is a hash of two 32-bit halves, a group a number; together they are a pair.
 * Pairs are numbered from 0 in the order in which they came.
 */
export interface PairCounts {
  /** How many different pairs there are. */
  readonly size: number
  /** Pairs were left out, because there are too many. Counts of the others are right. */
  readonly isOver: boolean
  /**
   * Counts a pair in a record, once however often the record has it: all pairs of a record are added before those of the next.
   * Returns the count when it has just risen, else 0.
   */
  add(low: number, high: number, group: number, record: number, slice: number): number
  /** The number of a pair, or -1. */
  find(low: number, high: number, group: number): number
  countOf(pair: number): number
  /** `slice`: that of all records, or SEVERAL_SLICES. */
  forEach(visit: (low: number, high: number, group: number, count: number, slice: number) => void): void
  clear(): void
}

/** Counts in two typed arrays that are kept for the next block: the pairs in order, and an open hash table of their places. */
export function createPairCounts(pairsMax = PAIRS_MAX): PairCounts {
  let pairs = new Int32Array(PAIRS_FIRST * FIELDS)
  let slots = new Int32Array(PAIRS_FIRST * 2) // 1 + the number of a pair, or FREE; at most half of them are taken
  let size = 0
  let isOver = false

  /** The slot of a pair, or the free one where it belongs. */
  function slotOf(low: number, high: number, group: number): number {
    const last = slots.length - 1
    const mixed = low ^ Math.imul(group, GROUP_PRIME)
    for (let slot = (mixed ^ (mixed >>> 15)) & last; ; slot = (slot + 1) & last) {
      const pair = (slots[slot] ?? FREE) - 1
      if (pair < 0) return slot
      const at = pair * FIELDS
      if (pairs[at + LOW] === low && pairs[at + HIGH] === high && pairs[at + GROUP] === group) return slot
    }
  }

  function grow(): void {
    const larger = new Int32Array(pairs.length * 2)
    larger.set(pairs)
    pairs = larger
    slots = new Int32Array(slots.length * 2)
    for (let pair = 0; pair < size; pair++) {
      const at = pair * FIELDS
      slots[slotOf(pairs[at + LOW] ?? 0, pairs[at + HIGH] ?? 0, pairs[at + GROUP] ?? 0)] = pair + 1
    }
  }

  return {
    get size() {
      return size
    },
    get isOver() {
      return isOver
    },
    add(low, high, group, record, slice) {
      const slot = slotOf(low, high, group)
      const pair = (slots[slot] ?? FREE) - 1
      if (pair >= 0) {
        const at = pair * FIELDS
        if (pairs[at + LAST] === record) return 0
        pairs[at + LAST] = record
        const before = pairs[at + COUNT] ?? 0
        const counted = ((before & SEVERAL_SLICES) === slice ? before : before | SEVERAL_SLICES) + ONE_RECORD
        pairs[at + COUNT] = counted
        return counted >>> SLICE_BITS
      }
      if (size === pairsMax) {
        isOver = true
        return 0
      }
      const at = size * FIELDS
      pairs[at + LOW] = low
      pairs[at + HIGH] = high
      pairs[at + GROUP] = group
      pairs[at + COUNT] = ONE_RECORD | slice
      pairs[at + LAST] = record
      slots[slot] = ++size
      if (at + FIELDS === pairs.length) grow()
      return 1
    },
    find(low, high, group) {
      return (slots[slotOf(low, high, group)] ?? FREE) - 1
    },
    countOf(pair) {
      return (pairs[pair * FIELDS + COUNT] ?? 0) >>> SLICE_BITS
    },
    forEach(visit) {
      for (let at = 0; at < size * FIELDS; at += FIELDS) {
        const counted = pairs[at + COUNT] ?? 0
        const [count, slice] = [counted >>> SLICE_BITS, counted & SEVERAL_SLICES]
        visit(pairs[at + LOW] ?? 0, pairs[at + HIGH] ?? 0, pairs[at + GROUP] ?? 0, count, slice)
      }
    },
    clear() {
      slots.fill(FREE)
      size = 0
      isOver = false
    },
  }
}
