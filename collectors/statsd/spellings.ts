import type { Line } from './parse-line.ts'

/**
 * Which series a line is of, by its bytes: name, kind and tags as the client spells them. A series has as many spellings as clients have
 * orders of its tags.
 *
 * A spelling is known by its lengths and 64 bits of hashes with a secret start. That two of 400,000 are taken for one has a chance of 4e-9;
 * comparing their bytes instead would double the time of a metric among many series, because these bytes are in no cache.
 */
export interface Spellings {
  /** Number of the series; −1: this spelling is new. */
  find(line: Line): number
  /** Remembers a spelling that `find` did not know. */
  add(line: Line, series: number): void
  /** Forgets the spellings of the series that are not kept. */
  retain(isKept: (series: number) => boolean): void
}

/** Longer ones are not remembered, so each of their lines is slow. */
const SPELLING_BYTES_MAX = 8_191
/** When there are more, all are forgotten: clients that send a new order every time. */
const SPELLINGS_PER_SERIES_MAX = 4
const SLOTS_MIN = 2_048

/** A slot is a quarter of a cache line: both hashes, 1 + series (0: the slot is free), kind and lengths. */
const SLOT_BITS = 2
const SLOT = 1 << SLOT_BITS
const HASH = 0
const CHECK = 1
const SERIES = 2
const SHAPE = 3
const LENGTH_BITS = 13

export function createSpellings(seriesMax: number): Spellings {
  const lengthMax = SPELLINGS_PER_SERIES_MAX * seriesMax
  /** Open addressing, at most half full. */
  let slots = new Int32Array(SLOTS_MIN * SLOT)
  let length = 0

  /** A table of so many slots with what is kept of this one. */
  function rebuild(slotCount: number, isKept: (series: number) => boolean): void {
    const before = slots
    slots = new Int32Array(slotCount * SLOT)
    length = 0
    for (let at = 0; at < before.length; at += SLOT) {
      const series = (before[at + SERIES] ?? 0) - 1
      if (series < 0 || !isKept(series)) continue
      occupy(slots, before, at)
      length++
    }
  }

  return {
    find: (line) => find(slots, line),
    add(line, series) {
      if (sizeOf(line) > SPELLING_BYTES_MAX) return
      if (length === lengthMax) rebuild(SLOTS_MIN, () => false)
      if (2 * length * SLOT >= slots.length) rebuild((2 * slots.length) / SLOT, () => true)
      length++
      occupy(slots, Int32Array.of(line.hash, line.check, series + 1, shapeOf(line)), 0)
    },
    retain: (isKept) => rebuild(slots.length / SLOT, isKept),
  }
}

function sizeOf({ nameStart, nameEnd, tagsStart, tagsEnd }: Line): number {
  return nameEnd - nameStart + tagsEnd - tagsStart
}

function shapeOf({ kind, nameStart, nameEnd, tagsStart, tagsEnd }: Line): number {
  return (kind << (2 * LENGTH_BITS)) | ((nameEnd - nameStart) << LENGTH_BITS) | (tagsEnd - tagsStart)
}

function find(slots: Int32Array, line: Line): number {
  const { hash, check } = line
  if (sizeOf(line) > SPELLING_BYTES_MAX) return -1
  const shape = shapeOf(line)
  const mask = slots.length - 1
  for (let at = (hash << SLOT_BITS) & mask; ; at = (at + SLOT) & mask) {
    const series = (slots[at + SERIES] ?? 0) - 1
    if (series < 0) return -1
    if (slots[at + HASH] === hash && slots[at + CHECK] === check && slots[at + SHAPE] === shape) return series
  }
}

/** Puts the slot at `from` of another table into a free one. */
function occupy(slots: Int32Array, other: Int32Array, from: number): void {
  const mask = slots.length - 1
  let at = ((other[from] ?? 0) << SLOT_BITS) & mask
  while (slots[at + SERIES] !== 0) at = (at + SLOT) & mask
  for (let i = 0; i < SLOT; i++) slots[at + i] = other[from + i] ?? 0
}
