import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import {
  NO_PAGES,
  addPage,
  dropFar,
  droppedPage,
  newestHeld,
  refillPage,
  rowsOfPages,
  type Pages,
} from '../../../dashboards/src/model/pages.ts'

const line = (index: number, late = '') => ({
  id: `l${index}${late}`,
  time: new Date(1e12 - index * 1000).toISOString(),
})
const lines = (from: number, to: number) => Array.from({ length: to - from }, (_, at) => line(from + at))

/** Pages of ten lines each. */
function pagesOf(count: number): Pages {
  let pages = NO_PAGES
  for (let at = 0; at < count; at++)
    pages = addPage(pages, {
      records: lines(at * 10, at * 10 + 10),
      next: at + 1 < count ? `c${at + 1}` : undefined,
    })
  return pages
}

const ids = (pages: Pages) => {
  const rows = rowsOfPages(pages)
  return Array.from({ length: rows.length }, (_, index) => rows.at(index)?.id)
}

test('lines are found by their place and their id, and only those that are held', () => {
  const rows = rowsOfPages(dropFar(pagesOf(10), { first: 0, last: 9 }, 40))
  expect(rows.length).toBe(100)
  expect([rows.at(0)?.id, rows.at(25)?.id, rows.at(26)?.id, rows.at(99), rows.at(100)]).toEqual([
    'l0',
    'l25',
    'l26',
    undefined,
    undefined,
  ])
  expect([rows.indexOf('l25'), rows.indexOf('l99')]).toEqual([25, -1])
  expect(rows.ends).toEqual({ newest: line(0).time, oldest: line(99).time })
})

test('pages far away are dropped, near ones stay, and a dropped one in view is named', () => {
  const dropped = dropFar(pagesOf(10), { first: 90, last: 99 }, 40)
  expect(dropped.pages.map(({ records }) => records !== null)).toEqual([
    ...Array.from({ length: 7 }, () => false),
    true,
    true,
    true,
  ])
  expect(droppedPage(dropped, { first: 65, last: 80 })).toBe(6)
  expect(droppedPage(dropped, { first: 75, last: 99 })).toBe(-1)
  expect(newestHeld(dropped)).toEqual([])
})

test('what is dropped and asked for again is as it was', () => {
  fc.assert(
    fc.property(fc.array(fc.nat(99), { maxLength: 20 }), (places) => {
      let pages = pagesOf(10)
      for (const place of places) {
        const seen = { first: place, last: place + 9 }
        pages = dropFar(pages, seen, 30)
        for (let at = droppedPage(pages, seen); at >= 0; at = droppedPage(pages, seen)) {
          const start = pages.pages[at]?.start ?? 0
          pages = refillPage(pages, at, { records: lines(start, Math.min(100, start + 14)), next: 'more' })
        }
        const rows = rowsOfPages(pages)
        expect(rows.length).toBe(100)
        for (let index = place; index < Math.min(100, place + 9); index++)
          expect(rows.at(index)?.id).toBe(`l${index}`)
      }
    }),
  )
})

test('late lines of a page come with it, and the pages behind it move down', () => {
  const dropped = dropFar(pagesOf(3), { first: 29, last: 29 }, 10)
  const late = [...lines(0, 5), line(5, 'late'), ...lines(5, 12)]
  const refilled = refillPage(dropped, 0, { records: late, next: 'c' })
  expect(refilled.length).toBe(31)
  expect(ids(refilled).slice(0, 11)).toEqual(late.slice(0, 11).map(({ id }) => id))
})

test('so many late lines that the page does not reach its end: a page for the rest follows', () => {
  const dropped = dropFar(pagesOf(3), { first: 29, last: 29 }, 10)
  const late = Array.from({ length: 12 }, (_, at) => line(0, `late${at}`))
  const refilled = refillPage(dropped, 0, { records: late, next: 'rest' })
  expect(refilled.pages.map(({ cursor }) => cursor)).toEqual([undefined, 'rest', 'c1', 'c2'])
  expect(droppedPage(refilled, { first: 0, last: 12 })).toBe(1)
  const whole = refillPage(refilled, 1, { records: lines(0, 14), next: 'c' })
  expect(ids(whole).slice(0, 22)).toEqual([...late, ...lines(0, 10)].map(({ id }) => id))
})

test('purged lines are gone, also when the last of a page is among them', () => {
  const dropped = dropFar(pagesOf(3), { first: 29, last: 29 }, 10)
  const refilled = refillPage(dropped, 0, { records: [...lines(0, 4), ...lines(12, 20)], next: 'c' })
  expect(refilled.length).toBe(24)
  expect(ids(refilled).slice(0, 4)).toEqual(['l0', 'l1', 'l2', 'l3'])
  expect(refilled.pages[1]?.start).toBe(4)
})
