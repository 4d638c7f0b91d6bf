import type { Clock } from '../../core/ports.ts'

/**
 * Arrival positions: ms since 2020 in the upper bits, then 6 bits of a counter and 6 bits that name the writer. They only grow, and
 * two writers hardly ever give out the same one. What needs more than 64 in a ms runs ahead of the clock.
 */
const START_MS = Date.UTC(2020, 0, 1)
const PER_MS = 4_096
/** From one position of a writer to its next: so many writers never give out the same one. */
export const POSITION_STEP = 64

export interface Positions {
  /** A position below every one that is taken from now on. */
  floor(): number
  /** The first of `count` positions that follow each other in steps of POSITION_STEP. */
  take(count: number): number
  /** Never again gives out one at or below this. */
  passed(position: number): void
}

/** `writer` is a number below POSITION_STEP. */
export function createPositions(clock: Pick<Clock, 'nowMs'>, writer: number): Positions {
  let last = writer

  function take(count: number): number {
    const first = Math.max(last + POSITION_STEP, positionAt(clock.nowMs()) + writer)
    last = first + (count - 1) * POSITION_STEP
    return first
  }

  return {
    floor: () => take(1),
    take,
    passed(position) {
      const behind = Math.ceil((position + 1 - writer) / POSITION_STEP) * POSITION_STEP + writer
      last = Math.max(last, behind)
    },
  }
}

/** The lowest position of a moment. */
export function positionAt(nowMs: number): number {
  return Math.max(0, Math.floor(nowMs) - START_MS) * PER_MS
}
