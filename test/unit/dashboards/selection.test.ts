import { expect, test } from 'vitest'
import { nextLine, type Step } from '../../../dashboards/src/model/selection.ts'

const rows = ['info', 'error', 'info', 'fatal'].map((level, index) => ({ id: `l${index}`, time: '', level }))

test.each<[string | null, Step, string | null]>([
  [null, 'next', 'l0'],
  [null, 'previous', 'l0'],
  ['l0', 'next', 'l1'],
  ['l3', 'next', 'l3'],
  ['l0', 'previous', 'l0'],
  ['l2', 'first', 'l0'],
  ['l0', 'last', 'l3'],
  [null, 'nextError', 'l1'],
  ['l1', 'nextError', 'l3'],
  ['l3', 'nextError', 'l3'],
  ['l3', 'previousError', 'l1'],
  ['gone', 'next', 'l0'],
])('from %s, %s leads to %s', (from, step, to) => {
  expect(nextLine(rows, from, step)).toBe(to)
})

test('without lines there is nothing to select', () => {
  expect(nextLine([], null, 'next')).toBeNull()
})
