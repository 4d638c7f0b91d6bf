import { expect, test } from 'vitest'
import { recall, remember } from '../../../dashboards/src/model/query-history.ts'

test('a query comes to the front, once, and an empty one is not kept', () => {
  expect(remember(['a', 'b'], ' b ')).toEqual(['b', 'a'])
  expect(remember(['a'], ' ')).toEqual(['a'])
  expect(
    remember(
      Array.from({ length: 60 }, (_, n) => `q${n}`),
      'new',
    ),
  ).toHaveLength(50)
})

test.each<[string, 1 | -1, string | null]>([
  ['', -1, 'newest'],
  ['newest', -1, 'older'],
  ['older', -1, null],
  ['older', 1, 'newest'],
  ['newest', 1, ''],
  ['', 1, null],
  ['being written', -1, null],
  ['being written', 1, null],
])('from %j, %i leads to %j', (text, step, wanted) => {
  expect(recall(['newest', 'older'], text, step)).toBe(wanted)
})
