/**
 * Where in a block a key may be: a table that gives the slice (below 16) that a key was put in with, and for nearly all others that they
 * are not there. A key's cells, one in each third of the table, make its check and slice when they are XORed, so 12 bits in 1.23 cells
 * are all that a key takes; keys are two 32-bit hashes.
 *
 *     salt u32 | cells of 12 bits, two in three bytes; a table without keys has no bytes at all
 */
const CELLS_PER_KEY = 1.23
/** Few keys need more room. */
const CELLS_MORE = 32
const THIRDS = 3
const SLICE_BITS = 4
/** One of 256 keys that were never added is found. */
const CHECK_BITS = 8
const CELL_BITS = SLICE_BITS + CHECK_BITS
const SLICE_MASK = (1 << SLICE_BITS) - 1
const SALT_BYTES = 4
const HASHES = 2 ** 32

/** Keys that go in; each different, and with its slice. */
export interface SlicedKeys {
  readonly size: number
  forEach(visit: (low: number, high: number, slice: number) => void): void
}

/** The table as bytes. */
export function createKeySlices(keys: SlicedKeys): Uint8Array {
  if (keys.size === 0) return new Uint8Array()
  const third = Math.ceil((keys.size * CELLS_PER_KEY + CELLS_MORE) / THIRDS)
  const lows = new Int32Array(keys.size)
  const highs = new Int32Array(keys.size)
  const values = new Uint16Array(keys.size)
  let count = 0
  keys.forEach((low, high, slice) => {
    lows[count] = low
    highs[count] = high
    values[count++] = slice
  })
  const cells = new Int32Array(count * THIRDS)
  for (let salt = 1; ; salt++) {
    const place = createPlacing(third, salt)
    for (let key = 0; key < count; key++) {
      const check = place(lows[key] ?? 0, highs[key] ?? 0, cells, key * THIRDS)
      values[key] = (check << SLICE_BITS) | ((values[key] ?? 0) & SLICE_MASK)
    }
    const order = peeled(cells, third)
    // Fails for one salt in thousands, when keys block one another.
    if (order !== null) return filled({ cells, values }, third, salt, order)
  }
}

/** The slice of a key; null: it was never added. */
export function sliceOfKey(table: Uint8Array, low: number, high: number): number | null {
  if (table.length === 0) return null
  const salt = new DataView(table.buffer, table.byteOffset).getUint32(0, true)
  const third = Math.floor(((table.length - SALT_BYTES) * 8) / CELL_BITS / THIRDS)
  const cells = new Int32Array(THIRDS)
  const check = createPlacing(third, salt)(low, high, cells, 0)
  const found = cells.reduce((xored, cell) => xored ^ readCell(table, cell), 0)
  return found >>> SLICE_BITS === check ? found & SLICE_MASK : null
}

/** Writes the three cells of a key from a place on, and returns its check. */
type Placing = (low: number, high: number, cells: Int32Array, at: number) => number

function createPlacing(third: number, salt: number): Placing {
  return (low, high, cells, at) => {
    let hash = mixed(low ^ Math.imul(salt, 0x9e3779b1))
    for (let nth = 0; nth < THIRDS; nth++) {
      cells[at + nth] = Math.floor(((hash >>> 0) / HASHES) * third) + nth * third
      hash = mixed(hash + high + nth)
    }
    return hash >>> (32 - CHECK_BITS)
  }
}

function mixed(hash: number): number {
  let h = hash
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b)
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35)
  return h ^ (h >>> 16)
}

/** Keys, and of each the cell that no key after it has; null: there is no such order. */
interface Peeled {
  readonly keys: Int32Array
  readonly cells: Int32Array
}

/** Takes out one key after the other that has a cell for itself. `cellsOf`: three of each key. */
function peeled(cellsOf: Int32Array, third: number): Peeled | null {
  const size = cellsOf.length / THIRDS
  const counts = new Int32Array(third * THIRDS)
  const xored = new Int32Array(third * THIRDS)
  for (let at = 0; at < cellsOf.length; at++) {
    const cell = cellsOf[at] ?? 0
    counts[cell] = (counts[cell] ?? 0) + 1
    xored[cell] = (xored[cell] ?? 0) ^ Math.floor(at / THIRDS)
  }
  const alone = new Int32Array(third * THIRDS) // No cell becomes one key's alone twice.
  let waiting = 0
  for (let cell = 0; cell < counts.length; cell++) if (counts[cell] === 1) alone[waiting++] = cell
  const order = { keys: new Int32Array(size), cells: new Int32Array(size) }
  let taken = 0
  while (waiting > 0) {
    const own = alone[--waiting] ?? 0
    if (counts[own] !== 1) continue
    const key = xored[own] ?? 0
    order.keys[taken] = key
    order.cells[taken++] = own
    for (let at = key * THIRDS; at < (key + 1) * THIRDS; at++) {
      const cell = cellsOf[at] ?? 0
      counts[cell] = (counts[cell] ?? 0) - 1
      xored[cell] = (xored[cell] ?? 0) ^ key
      if (counts[cell] === 1) alone[waiting++] = cell
    }
  }
  return taken === size ? order : null
}

/** Three cells of each key, and what these give when XORed: check and slice. */
interface Keys {
  readonly cells: Int32Array
  readonly values: Uint16Array
}

/** The last key that was taken out comes first: its own cell is then free to make the XOR right. */
function filled({ cells, values }: Keys, third: number, salt: number, order: Peeled): Uint8Array {
  const table = new Uint8Array(SALT_BYTES + Math.ceil((third * THIRDS * CELL_BITS) / 8))
  new DataView(table.buffer).setUint32(0, salt, true)
  for (let nth = order.keys.length - 1; nth >= 0; nth--) {
    const key = order.keys[nth] ?? 0
    let value = values[key] ?? 0
    for (let at = key * THIRDS; at < (key + 1) * THIRDS; at++) value ^= readCell(table, cells[at] ?? 0)
    writeCell(table, order.cells[nth] ?? 0, value)
  }
  return table
}

/** Cells with an even number have a byte and the lower half of the next one, the others the upper half and a byte. */
function readCell(table: Uint8Array, cell: number): number {
  const at = SALT_BYTES + (cell >>> 1) * 3
  const middle = table[at + 1] ?? 0
  return (cell & 1) === 0
    ? (table[at] ?? 0) | ((middle & 0xf) << 8)
    : (middle >>> 4) | ((table[at + 2] ?? 0) << 4)
}

/** The cell must be 0 before. */
function writeCell(table: Uint8Array, cell: number, value: number): void {
  const at = SALT_BYTES + (cell >>> 1) * 3
  if ((cell & 1) === 0) {
    table[at] = value & 0xff
    table[at + 1] = (table[at + 1] ?? 0) | (value >>> 8)
  } else {
    table[at + 1] = (table[at + 1] ?? 0) | ((value & 0xf) << 4)
    table[at + 2] = value >>> 4
  }
}
