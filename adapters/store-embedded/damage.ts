import { LEVELS } from '../../core/record.ts'
import type { Purged } from '../store-purged.ts'
import type { SetAside } from './catalog.ts'

/** Its loss costs no record: at worst one that is sent again very late is kept twice. */
const LEDGER_FILE = 'ledger'
const FIRST_MS = -8.64e15

/**
 * Ranges in which records are missing because their files are damaged. What such a file held is mostly known; else it may be anything
 * from before it was noticed. After `keptMs` all of it would be purged anyway.
 */
export function damagedRanges(
  setAside: readonly SetAside[],
  { nowMs, keptMs }: { readonly nowMs: number; readonly keptMs: number },
): readonly Purged[] {
  return setAside
    .filter(({ file, atMs }) => file !== LEDGER_FILE && nowMs < atMs + keptMs)
    .map(({ file, atMs, records, ...held }) => {
      const { fromMs, toMs } = held.toMs === 0 ? { fromMs: FIRST_MS, toMs: atMs } : held
      return {
        class: file,
        reason: 'damaged',
        atMs,
        records,
        fromMs,
        toMs,
        levels: ['', ...LEVELS],
        services: null,
      }
    })
}
