import type { Line } from './parse-line.ts'

/**
 * Which series a line is of, by its bytes: name, kind and tags as the client spells them. A series has as many spellings as clients have
 * orders of its tags. Bytes are compared, not only hashes: no series gets the values of another one.
 */
export interface Spellings {
  /** Number of the series; −1: this spelling is new. */
  find(bytes: Uint8Array, line: Line): number
  /** Remembers a spelling that `find` did not know. */
  add(bytes: Uint8Array, line: Line, series: number): void
  /** Forgets the spellings of the series that are not kept. */
  retain(isKept: (series: number) => boolean): void
}

/** Longer ones are not remembered, so each of their lines is slow. */
const SPELLING_BYTES_MAX = 4_096
/** When there are more, all are forgotten: clients that send a new order every time. */
const SPELLINGS_PER_SERIES_MAX = 4
/** … or more bytes for each. */
const SPELLING_BYTES_MEAN_MAX = 256
const SLOTS_MIN = 2_048
const ARENA_BYTES_MIN = 1 << 16

/** A slot is a quarter of a cache line: hash, 1 + series (0: the slot is free), place in the arena, kind and lengths. */
const SLOT_BITS = 2
const SLOT = 1 << SLOT_BITS
const HASH = 0
const SERIES = 1
const PLACE = 2
const SHAPE = 3
const LENGTH_BITS = 13

interface Table {
  /** Open addressing, at most half full. */
  slots: Int32Array
  length: number
  /** Bytes of all spellings: name, then tags. */
  arena: Uint8Array
  arenaEnd: number
}

export function createSpellings(seriesMax: number): Spellings {
  const lengthMax = SPELLINGS_PER_SERIES_MAX * seriesMax
  const arenaMax = ARENA_BYTES_MIN + lengthMax * SPELLING_BYTES_MEAN_MAX
  let table = createTable(SLOTS_MIN, ARENA_BYTES_MIN)

  function makeRoom(size: number): void {
    if (table.length === lengthMax || table.arenaEnd + size > arenaMax) {
      table = createTable(SLOTS_MIN, ARENA_BYTES_MIN)
    }
    if (table.arenaEnd + size > table.arena.length) {
      const { arena } = table
      table.arena = new Uint8Array(2 * arena.length)
      table.arena.set(arena)
    }
    if (2 * table.length * SLOT < table.slots.length) return
    const { slots } = table
    table.slots = new Int32Array(2 * slots.length)
    for (let at = 0; at < slots.length; at += SLOT)
      if (slots[at + SERIES] !== 0) occupy(table.slots, slots, at)
  }

  return {
    find: (bytes, line) => find(table, bytes, line),
    add(bytes, line, series) {
      const nameBytes = line.nameEnd - line.nameStart
      const size = nameBytes + line.tagsEnd - line.tagsStart
      if (size > SPELLING_BYTES_MAX) return
      makeRoom(size)
      table.length++
      table.arena.set(bytes.subarray(line.nameStart, line.nameEnd), table.arenaEnd)
      table.arena.set(bytes.subarray(line.tagsStart, line.tagsEnd), table.arenaEnd + nameBytes)
      occupy(table.slots, Int32Array.of(line.hash, series + 1, table.arenaEnd, shapeOf(line)), 0)
      table.arenaEnd += size
    },
    retain(isKept) {
      table = retained(table, isKept)
    },
  }
}

function createTable(slots: number, arenaBytes: number): Table {
  return { slots: new Int32Array(slots * SLOT), length: 0, arena: new Uint8Array(arenaBytes), arenaEnd: 0 }
}

/** Of a spelling of at most SPELLING_BYTES_MAX bytes. */
function shapeOf({ kind, nameStart, nameEnd, tagsStart, tagsEnd }: Line): number {
  return (kind << (2 * LENGTH_BITS)) | ((nameEnd - nameStart) << LENGTH_BITS) | (tagsEnd - tagsStart)
}

function find({ slots, arena }: Table, bytes: Uint8Array, line: Line): number {
  const { hash, nameStart, nameEnd, tagsStart, tagsEnd } = line
  if (nameEnd - nameStart + tagsEnd - tagsStart > SPELLING_BYTES_MAX) return -1
  const shape = shapeOf(line)
  const mask = slots.length - 1
  for (let at = (hash << SLOT_BITS) & mask; ; at = (at + SLOT) & mask) {
    const series = (slots[at + SERIES] ?? 0) - 1
    if (series < 0) return -1
    if (slots[at + HASH] !== hash || slots[at + SHAPE] !== shape) continue
    const place = slots[at + PLACE] ?? 0
    const isSame =
      isEqual(arena, place, bytes, nameStart, nameEnd) &&
      isEqual(arena, place + nameEnd - nameStart, bytes, tagsStart, tagsEnd)
    if (isSame) return series
  }
}

function isEqual(arena: Uint8Array, place: number, bytes: Uint8Array, start: number, end: number): boolean {
  const shift = place - start
  for (let at = start; at < end; at++) if (arena[at + shift] !== bytes[at]) return false
  return true
}

/** Puts the slot at `from` of another table into a free one. */
function occupy(slots: Int32Array, other: Int32Array, from: number): void {
  const mask = slots.length - 1
  let at = ((other[from] ?? 0) << SLOT_BITS) & mask
  while (slots[at + SERIES] !== 0) at = (at + SLOT) & mask
  for (let i = 0; i < SLOT; i++) slots[at + i] = other[from + i] ?? 0
}

function retained({ slots, arena }: Table, isKept: (series: number) => boolean): Table {
  const table = createTable(slots.length / SLOT, arena.length)
  for (let at = 0; at < slots.length; at += SLOT) {
    const series = (slots[at + SERIES] ?? 0) - 1
    if (series < 0 || !isKept(series)) continue
    const place = slots[at + PLACE] ?? 0
    const shape = slots[at + SHAPE] ?? 0
    const mask = (1 << LENGTH_BITS) - 1
    const size = ((shape >> LENGTH_BITS) & mask) + (shape & mask)
    table.arena.set(arena.subarray(place, place + size), table.arenaEnd)
    occupy(table.slots, Int32Array.of(slots[at + HASH] ?? 0, series + 1, table.arenaEnd, shape), 0)
    table.arenaEnd += size
    table.length++
  }
  return table
}
