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
  const values = new Uint8Array(keys.size)
  let count = 0
  keys.forEach((low, high, slice) => {
    lows[count] = low
    highs[count] = high
    values[count++] = slice
  })
  for (let salt = 1; ; salt++) {
    const cellsOf = createPlacing(third, salt)
    const order = peeled(count, third, (key, cells) => cellsOf(lows[key] ?? 0, highs[key] ?? 0, cells))
    // Fails for one salt in thousands, when keys block one another.
    if (order !== null) return filled({ lows, highs, values }, third, salt, order)
  }
}

/** The slice of a key; null: it was never added. */
export function sliceOfKey(table: Uint8Array, low: number, high: number): number | null {
  if (table.length === 0) return null
  const salt = new DataView(table.buffer, table.byteOffset).getUint32(0, true)
  const third = Math.floor(((table.length - SALT_BYTES) * 8) / CELL_BITS / THIRDS)
  const cells = new Int32Array(THIRDS)
  const check = createPlacing(third, salt)(low, high, cells)
  const found = cells.reduce((xored, cell) => xored ^ readCell(table, cell), 0)
  return found >>> SLICE_BITS === check ? found & SLICE_MASK : null
}

/** Writes the three cells of a key, and returns its check. */
type Placing = (low: number, high: number, cells: Int32Array) => number

function createPlacing(third: number, salt: number): Placing {
  return (low, high, cells) => {
    let hash = mixed(low ^ Math.imul(salt, 0x9e3779b1))
    for (let nth = 0; nth < THIRDS; nth++) {
      cells[nth] = Math.floor(((hash >>> 0) / HASHES) * third) + nth * third
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

/** Takes out one key after the other that has a cell for itself. */
function peeled(
  size: number,
  third: number,
  place: (key: number, cells: Int32Array) => number,
): Peeled | null {
  const all = third * THIRDS
  const counts = new Int32Array(all)
  const xored = new Int32Array(all)
  const cells = new Int32Array(THIRDS)
  const toggle = (key: number, step: number) => {
    place(key, cells)
    for (const cell of cells) {
      counts[cell] = (counts[cell] ?? 0) + step
      xored[cell] = (xored[cell] ?? 0) ^ key
    }
  }
  for (let key = 0; key < size; key++) toggle(key, 1)
  const alone: number[] = []
  for (let cell = 0; cell < all; cell++) if (counts[cell] === 1) alone.push(cell)
  const order = { keys: new Int32Array(size), cells: new Int32Array(size) }
  let taken = 0
  for (let cell = alone.pop(); cell !== undefined; cell = alone.pop()) {
    if (counts[cell] !== 1) continue
    const key = xored[cell] ?? 0
    order.keys[taken] = key
    order.cells[taken++] = cell
    toggle(key, -1)
    for (const other of cells) if (counts[other] === 1) alone.push(other)
  }
  return taken === size ? order : null
}

interface Keys {
  readonly lows: Int32Array
  readonly highs: Int32Array
  readonly values: Uint8Array
}

/** The last key that was taken out comes first: its own cell is then free to make the XOR right. */
function filled({ lows, highs, values }: Keys, third: number, salt: number, order: Peeled): Uint8Array {
  const table = new Uint8Array(SALT_BYTES + Math.ceil((third * THIRDS * CELL_BITS) / 8))
  new DataView(table.buffer).setUint32(0, salt, true)
  const place = createPlacing(third, salt)
  const cells = new Int32Array(THIRDS)
  for (let nth = order.keys.length - 1; nth >= 0; nth--) {
    const key = order.keys[nth] ?? 0
    const check = place(lows[key] ?? 0, highs[key] ?? 0, cells)
    let value = (check << SLICE_BITS) | (values[key] ?? 0)
    for (const cell of cells) value ^= readCell(table, cell)
    writeCell(table, order.cells[nth] ?? 0, value)
  }
  return table
}

/** Cells with an even number have a byte and the lower half of the next one, the others the upper half and a byte. */
function readCell(table: Uint8Array, cell: number): number {
  const at = SALT_BYTES + (cell >>> 1) * 3
  const [first = 0, middle = 0, last = 0] = [table[at], table[at + 1], table[at + 2]]
  return (cell & 1) === 0 ? first | ((middle & 0xf) << 8) : (middle >>> 4) | (last << 4)
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
