import type { LogRecord } from '../api.ts'
import type { Rows } from './rows.ts'

/** Lines held around the place that is looked at; pages further away are dropped, and asked for again when needed. */
const ROWS_HELD_MAX = 20_000
/** Lines that can be scrolled through: a browser has no place for a list much higher. */
export const ROWS_MAX = 1_000_000

/** One page of an answer, as it was asked for. */
export interface Page {
  /** Where it starts; undefined: the first. */
  readonly cursor: string | undefined
  readonly start: number
  readonly count: number
  /** Its last line: a page that is asked for again ends there, whatever came in between. */
  readonly last: { readonly id: string; readonly time: string } | null
  /** Time of its first line; '' without one. */
  readonly newest: string
  /** Null while dropped. */
  readonly records: readonly LogRecord[] | null
}

export interface Pages {
  readonly pages: readonly Page[]
  readonly length: number
  /** Of the page behind the last one; undefined: there is none. */
  readonly next: string | undefined
}

interface Fetched {
  readonly records: readonly LogRecord[]
  /** Of the page behind it. */
  readonly next: string | undefined
}

export const NO_PAGES: Pages = { pages: [], length: 0, next: undefined }

/** Adds the page behind the last one. */
export function addPage({ pages, length, next }: Pages, { records, next: behind }: Fetched): Pages {
  const page = pageOf(records, { cursor: next, start: length })
  return { pages: [...pages, page], length: length + page.count, next: behind }
}

function pageOf(
  records: readonly LogRecord[],
  { cursor, start }: { cursor: string | undefined; start: number },
): Page {
  const last = records.at(-1)
  return {
    cursor,
    start,
    count: records.length,
    last: last === undefined ? null : { id: last.id, time: last.time },
    newest: records[0]?.time ?? '',
    records,
  }
}

/**
 * Puts a page that was asked for again in its place. Lines that arrived late since are shown with it, and lines that
 * were purged are gone; when it does not reach its old end any more, a page for the rest comes behind it.
 */
export function refillPage(held: Pages, at: number, fetched: Fetched): Pages {
  const page = held.pages[at]
  if (page === undefined) return held
  const end = endOf(page, fetched.records)
  const whole = end < fetched.records.length || fetched.next === undefined || reaches(page, fetched.records)
  const filled = { ...pageOf(fetched.records.slice(0, end), page), last: page.last }
  const rest: Page[] = whole ? [] : [{ ...page, cursor: fetched.next, count: 1, records: null }]
  const first = whole ? filled : { ...filled, last: pageOf(fetched.records, page).last }
  return placed({ ...held, pages: [...held.pages.slice(0, at), first, ...rest, ...held.pages.slice(at + 1)] })
}

function reaches({ last }: Page, records: readonly LogRecord[]): boolean {
  return last === null || records.some(({ id }) => id === last.id)
}

/** How many of the records belong to the page: to its last line, or to its time when that line was purged. */
function endOf({ last }: Page, records: readonly LogRecord[]): number {
  if (last === null) return records.length
  const found = records.findIndex(({ id }) => id === last.id)
  if (found >= 0) return found + 1
  const older = records.findIndex(({ time }) => time < last.time)
  return older < 0 ? records.length : older
}

function placed(held: Pages): Pages {
  let start = 0
  const pages = held.pages.map((page) => {
    const moved = page.start === start ? page : { ...page, start }
    start += page.count
    return moved
  })
  return { ...held, pages, length: start }
}

/** Drops pages far from the lines [first, last]: at most some ROWS_HELD_MAX stay. */
export function dropFar(
  held: Pages,
  { first, last }: { first: number; last: number },
  rowsMax = ROWS_HELD_MAX,
): Pages {
  const kept = held.pages.reduce((sum, { records }) => sum + (records?.length ?? 0), 0)
  if (kept <= rowsMax) return held
  const near = Math.floor(rowsMax / 2)
  const pages = held.pages.map((page) => {
    const isNear = page.start + page.count > first - near && page.start < last + near
    return isNear || page.records === null ? page : { ...page, records: null }
  })
  return { ...held, pages }
}

/** The first dropped page among the lines [first, last]; -1: all are held. */
export function droppedPage({ pages }: Pages, { first, last }: { first: number; last: number }): number {
  const from = pageIndex(pages, Math.max(0, first))
  for (let at = from; at < pages.length; at++) {
    const page = pages[at]
    if (page === undefined || page.start > last) return -1
    if (page.records === null) return at
  }
  return -1
}

/** The page that the line at `index` is in. */
function pageIndex(pages: readonly Page[], index: number): number {
  let [low, high] = [0, pages.length - 1]
  while (low < high) {
    const middle = (low + high + 1) >> 1
    if ((pages[middle]?.start ?? 0) <= index) low = middle
    else high = middle - 1
  }
  return low
}

export function rowsOfPages({ pages, length }: Pages): Rows {
  const newest = pages.find((page) => page.newest !== '')?.newest
  const oldest = pages.findLast(({ last }) => last !== null)?.last?.time
  return {
    length,
    ends: newest === undefined || oldest === undefined ? null : { newest, oldest },
    at(index) {
      const page = pages[pageIndex(pages, index)]
      return page?.records?.[index - page.start]
    },
    indexOf(id) {
      for (const { records, start } of pages) {
        const at = records?.findIndex((record) => record.id === id) ?? -1
        if (at >= 0) return start + at
      }
      return -1
    },
  }
}

/** The lines from the newest on, up to the first that is not held. */
export function newestHeld({ pages }: Pages): readonly LogRecord[] {
  const end = pages.findIndex(({ records }) => records === null)
  return pages.slice(0, end < 0 ? pages.length : end).flatMap(({ records }) => records ?? [])
}
