import { z } from 'zod'
import { ServiceError } from '../core/errors.ts'
import type { HistogramBucket, TimeRange } from '../core/ports.ts'
import { parseDuration } from '../core/query/time.ts'
import { naming } from './questions.ts'

const SECOND = 1_000
const MINUTE = 60 * SECOND
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR

/** Widths that a person can read off an axis. */
const PLEASANT_MS: readonly number[] = [
  1,
  2,
  5,
  10,
  20,
  50,
  100,
  200,
  500,
  ...[1, 2, 5, 10, 15, 30].map((seconds) => seconds * SECOND),
  ...[1, 2, 5, 10, 15, 30].map((minutes) => minutes * MINUTE),
  ...[1, 2, 3, 6, 12].map((hours) => hours * HOUR),
  ...[1, 2, 7, 14].map((days) => days * DAY),
]

const BUCKETS_WANTED = 60
/** More than any screen has columns for. */
export const BUCKETS_MAX = 2_000
/** Counts in one answer, all buckets and values together: some 2 MB of JSON. */
const CELLS_MAX = 100_000

/** The narrowest pleasant width that cuts the range into at most 60 buckets or so. */
export function pleasantIntervalMs({ fromMs, toMs }: TimeRange): number {
  const least = (toMs - fromMs) / BUCKETS_WANTED
  return PLEASANT_MS.find((width) => width >= least) ?? Math.ceil(least / (7 * DAY)) * 7 * DAY
}

/** Throws BAD_REQUEST when the range would fall into more than BUCKETS_MAX buckets. */
export function assertBuckets({ fromMs, toMs }: TimeRange, intervalMs: number): void {
  const buckets = Math.ceil(toMs / intervalMs) - Math.floor(fromMs / intervalMs)
  if (buckets > BUCKETS_MAX) {
    throw new ServiceError('BAD_REQUEST', 'interval: too narrow for the range', {
      buckets,
      bucketsMax: BUCKETS_MAX,
      intervalMs,
    })
  }
}

/** The parameter of every question that counts over time. */
export const interval = z
  .string()
  .optional()
  .describe('Width of a bucket: `30s`, `1m`, or ms. Default: about 60 buckets of a pleasant width.')

/** Throws BAD_REQUEST when it cannot be read or is too narrow for the range. */
export function readInterval(text: string | undefined, range: TimeRange): number {
  const intervalMs =
    text === undefined ? pleasantIntervalMs(range) : naming('interval', () => parseDuration(text))
  assertBuckets(range, intervalMs)
  return intervalMs
}

/** Throws QUERY_TOO_BROAD when the buckets hold more counts than one answer may. */
export function assertCells(buckets: readonly HistogramBucket[]): void {
  const cells = buckets.reduce((sum, { by }) => sum + Object.keys(by).length, 0)
  if (cells > CELLS_MAX) {
    throw new ServiceError('QUERY_TOO_BROAD', 'by: the field has too many values for so many buckets', {
      cells,
      cellsMax: CELLS_MAX,
    })
  }
}
