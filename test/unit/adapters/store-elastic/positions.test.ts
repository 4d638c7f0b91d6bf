import { expect, test } from 'vitest'
import { EMPTY_CONTENT } from '../../../../adapters/store-elastic/ledger-content.ts'
import type { LedgerContent } from '../../../../adapters/store-elastic/ledger-content.ts'
import { horizonOf } from '../../../../adapters/store-elastic/ledger-documents.ts'
import { POSITION_STEP, createPositions, positionAt } from '../../../../adapters/store-elastic/positions.ts'

const nowMs = Date.UTC(2026, 0, 1)

test('positions follow the clock, never go back, and never meet those of another writer', () => {
  let wallMs = nowMs
  const clock = { nowMs: () => wallMs }
  const [one, other] = [createPositions(clock, 3), createPositions(clock, 63)]
  const first = one.take(1_000)
  expect(first).toBeGreaterThanOrEqual(positionAt(nowMs))
  const next = one.take(1)
  expect(next).toBe(first + 1_000 * POSITION_STEP)
  wallMs -= 60_000
  expect(one.take(1)).toBe(next + POSITION_STEP)
  wallMs += 3_600_000
  expect(one.take(1)).toBeGreaterThanOrEqual(positionAt(wallMs))
  expect(other.take(1) % POSITION_STEP).not.toBe(one.take(1) % POSITION_STEP)
})

test('what was given out before is never given out again', () => {
  const positions = createPositions({ nowMs: () => 0 }, 5)
  for (const passed of [0, 1, 4, 5, 6, 1_000, 896_000_000_000_000]) {
    positions.passed(passed)
    const floor = positions.floor()
    expect(floor).toBeGreaterThan(passed)
    expect(positions.take(1)).toBeGreaterThan(floor)
    expect(floor % POSITION_STEP).toBe(5)
  }
})

test('positions are safe integers for many years', () => {
  expect(Number.isSafeInteger(positionAt(Date.UTC(2085, 0, 1)))).toBe(true)
})

const me = { writer: 'me', nowMs }
const mine = (more: Partial<LedgerContent>): LedgerContent => ({
  ...EMPTY_CONTENT,
  writer: 'me',
  atMs: nowMs,
  ...more,
})
const attempt = (floor: number, atMs: number) => ({ batch: 'b', digest: 'd', floor, atMs })

test.each([
  { what: 'nothing was stored', contents: [EMPTY_CONTENT], expected: 0 },
  { what: 'the newest of all documents', contents: [mine({ top: 7 }), mine({ top: 9 })], expected: 9 },
  {
    what: 'below what is being written',
    contents: [mine({ top: 9 }), mine({ attempts: [attempt(5, nowMs)] })],
    expected: 5,
  },
  {
    what: 'a batch that nobody finishes does not hold it for ever',
    contents: [mine({ top: 9, attempts: [attempt(5, nowMs - 60_000)] })],
    expected: 9,
  },
  {
    what: 'as much back as clocks may differ while another one writes',
    contents: [mine({ top: positionAt(nowMs) }), mine({ writer: 'other', atMs: nowMs - 5_000 })],
    expected: positionAt(nowMs - 1_000),
  },
  {
    what: 'one that left, or has not written for long, is not waited for',
    contents: [mine({ top: 9 }), mine({ writer: '' }), mine({ writer: 'other', atMs: nowMs - 600_000 })],
    expected: 9,
  },
])('the horizon: $what', ({ contents, expected }) => {
  expect(horizonOf(contents, me)).toBe(expected)
})
