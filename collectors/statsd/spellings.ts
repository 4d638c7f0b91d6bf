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
const SPELLINGS_MIN = 1_024
const ARENA_BYTES_MIN = 1 << 16

interface Table {
  /** Of each spelling. */
  hashes: Int32Array
  series: Int32Array
  nameBytes: Int32Array
  tagsBytes: Int32Array
  kinds: Uint8Array
  offsets: Uint32Array
  /** 1 + number of a spelling, 0: free. At most half full. */
  slots: Int32Array
  /** Bytes of all spellings: name, then tags. */
  arena: Uint8Array
  arenaEnd: number
  length: number
}

export function createSpellings(seriesMax: number): Spellings {
  const lengthMax = SPELLINGS_MIN + SPELLINGS_PER_SERIES_MAX * seriesMax
  const arenaMax = ARENA_BYTES_MIN + lengthMax * SPELLING_BYTES_MEAN_MAX
  const table: Table = {
    hashes: new Int32Array(SPELLINGS_MIN),
    series: new Int32Array(SPELLINGS_MIN),
    nameBytes: new Int32Array(SPELLINGS_MIN),
    tagsBytes: new Int32Array(SPELLINGS_MIN),
    kinds: new Uint8Array(SPELLINGS_MIN),
    offsets: new Uint32Array(SPELLINGS_MIN),
    slots: new Int32Array(2 * SPELLINGS_MIN),
    arena: new Uint8Array(ARENA_BYTES_MIN),
    arenaEnd: 0,
    length: 0,
  }
  return {
    find: (bytes, line) => find(table, bytes, line),
    add(bytes, line, series) {
      const size = line.nameEnd - line.nameStart + line.tagsEnd - line.tagsStart
      if (size > SPELLING_BYTES_MAX) return
      if (table.length === lengthMax || table.arenaEnd + size > arenaMax) retain(table, () => false)
      makeRoom(table, size)
      append(table, bytes, line, series)
    },
    retain: (isKept) => retain(table, isKept),
  }
}

function find(table: Table, bytes: Uint8Array, line: Line): number {
  const { slots, hashes } = table
  const { hash } = line
  const mask = slots.length - 1
  for (let slot = hash & mask; ; slot = (slot + 1) & mask) {
    const spelling = (slots[slot] ?? 0) - 1
    if (spelling < 0) return -1
    if (hashes[spelling] === hash && isSpelled(table, spelling, bytes, line))
      return table.series[spelling] ?? -1
  }
}

function isSpelled(table: Table, spelling: number, bytes: Uint8Array, line: Line): boolean {
  const { nameStart, nameEnd, tagsStart, tagsEnd } = line
  if (table.kinds[spelling] !== line.kind) return false
  if (table.nameBytes[spelling] !== nameEnd - nameStart) return false
  if (table.tagsBytes[spelling] !== tagsEnd - tagsStart) return false
  const { arena } = table
  let own = table.offsets[spelling] ?? 0
  for (let at = nameStart; at < nameEnd; at++) if (arena[own++] !== bytes[at]) return false
  for (let at = tagsStart; at < tagsEnd; at++) if (arena[own++] !== bytes[at]) return false
  return true
}

function append(table: Table, bytes: Uint8Array, line: Line, series: number): void {
  const spelling = table.length++
  table.hashes[spelling] = line.hash
  table.series[spelling] = series
  table.kinds[spelling] = line.kind
  table.nameBytes[spelling] = line.nameEnd - line.nameStart
  table.tagsBytes[spelling] = line.tagsEnd - line.tagsStart
  table.offsets[spelling] = table.arenaEnd
  table.arena.set(bytes.subarray(line.nameStart, line.nameEnd), table.arenaEnd)
  table.arenaEnd += line.nameEnd - line.nameStart
  table.arena.set(bytes.subarray(line.tagsStart, line.tagsEnd), table.arenaEnd)
  table.arenaEnd += line.tagsEnd - line.tagsStart
  occupy(table.slots, line.hash, spelling)
}

function occupy(slots: Int32Array, hash: number, spelling: number): void {
  const mask = slots.length - 1
  let slot = hash & mask
  while (slots[slot] !== 0) slot = (slot + 1) & mask
  slots[slot] = spelling + 1
}

function makeRoom(table: Table, size: number): void {
  if (table.arenaEnd + size > table.arena.length) {
    const arena = new Uint8Array(Math.max(2 * table.arena.length, table.arenaEnd + size))
    arena.set(table.arena)
    table.arena = arena
  }
  if (table.length < table.hashes.length) return
  const capacity = 2 * table.hashes.length
  table.hashes = wider(table.hashes, new Int32Array(capacity))
  table.series = wider(table.series, new Int32Array(capacity))
  table.nameBytes = wider(table.nameBytes, new Int32Array(capacity))
  table.tagsBytes = wider(table.tagsBytes, new Int32Array(capacity))
  table.kinds = wider(table.kinds, new Uint8Array(capacity))
  table.offsets = wider(table.offsets, new Uint32Array(capacity))
  table.slots = new Int32Array(2 * capacity)
  rehash(table)
}

function wider<Column extends { set(from: Column): void }>(from: Column, to: Column): Column {
  to.set(from)
  return to
}

function rehash({ slots, hashes, length }: Table): void {
  for (let spelling = 0; spelling < length; spelling++) occupy(slots, hashes[spelling] ?? 0, spelling)
}

/** Moves what is kept to the front: they are in order of their bytes, so none is overwritten before it has moved. */
function retain(table: Table, isKept: (series: number) => boolean): void {
  const { hashes, series, nameBytes, tagsBytes, kinds, offsets, arena } = table
  let kept = 0
  let end = 0
  for (let spelling = 0; spelling < table.length; spelling++) {
    if (!isKept(series[spelling] ?? -1)) continue
    const from = offsets[spelling] ?? 0
    const size = (nameBytes[spelling] ?? 0) + (tagsBytes[spelling] ?? 0)
    if (from !== end) arena.copyWithin(end, from, from + size)
    offsets[kept] = end
    hashes[kept] = hashes[spelling] ?? 0
    series[kept] = series[spelling] ?? 0
    nameBytes[kept] = nameBytes[spelling] ?? 0
    tagsBytes[kept] = tagsBytes[spelling] ?? 0
    kinds[kept] = kinds[spelling] ?? 0
    end += size
    kept++
  }
  table.length = kept
  table.arenaEnd = end
  table.slots.fill(0)
  rehash(table)
}
