import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { rangeWith, rangesOf } from '../../../../collectors/spool/ranges.ts'

test.each([
  { name: 'nothing', numbers: [], ranges: [] },
  { name: 'one', numbers: [7], ranges: [[7, 7]] },
  {
    name: 'runs and holes',
    numbers: [0, 1, 2, 5, 7, 8],
    ranges: [
      [0, 2],
      [5, 5],
      [7, 8],
    ],
  },
])('rangesOf: $name', ({ numbers, ranges }) => {
  expect(rangesOf(numbers)).toEqual(ranges)
})

test('a number is found in the ranges of exactly the numbers that made them', () => {
  fc.assert(
    fc.property(fc.uniqueArray(fc.nat(60)), fc.nat(60), (numbers, number) => {
      const ranges = rangesOf(numbers.sort((left, right) => left - right))
      expect(rangeWith(ranges, number) !== undefined).toBe(numbers.includes(number))
    }),
  )
})
