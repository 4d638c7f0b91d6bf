import { expect, test } from 'vitest'
import { rowsOf } from '../../../dashboards/src/model/rows.ts'
import { nextPlace, type Step } from '../../../dashboards/src/model/selection.ts'

const rows = rowsOf(
  ['info', 'error', 'info', 'fatal'].map((level, index) => ({ id: `l${index}`, time: '', level })),
)

test.each<[number, Step, number]>([
  [-1, 'next', 0],
  [-1, 'previous', 0],
  [0, 'next', 1],
  [3, 'next', 3],
  [0, 'previous', 0],
  [2, 'first', 0],
  [0, 'last', 3],
  [-1, 'nextError', 1],
  [1, 'nextError', 3],
  [3, 'nextError', 3],
  [3, 'previousError', 1],
])('from %s, %s leads to %s', (from, step, to) => {
  expect(nextPlace(rows, from, step)).toBe(to)
})

test('without lines there is nothing to select', () => {
  expect(nextPlace(rowsOf([]), -1, 'next')).toBe(-1)
})

test('an error behind lines that are not held is not claimed to be the next one', () => {
  const holey = { ...rows, at: (index: number) => (index === 2 ? undefined : rows.at(index)) }
  expect(nextPlace(holey, 1, 'nextError')).toBe(1)
})
