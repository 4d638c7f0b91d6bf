import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { ZERO_BUCKET, bucketOf, bucketValue } from '../../../../core/sketch/latency-buckets.ts'

const ROUNDING = 1e-9

test('a bucket stands for each of its values with an error of at most 1 %', () => {
  const positive = fc.double({ min: 1e-9, max: 1e12, noNaN: true })
  fc.assert(
    fc.property(positive, (ms) => {
      expect(Math.abs(bucketValue(bucketOf(ms)) - ms)).toBeLessThanOrEqual((0.01 + ROUNDING) * ms)
    }),
  )
})

test('larger values never get a smaller bucket', () => {
  const any = fc.double({ min: -10, max: 1e9, noNaN: true })
  fc.assert(
    fc.property(any, any, (left, right) => {
      expect(bucketOf(Math.min(left, right))).toBeLessThanOrEqual(bucketOf(Math.max(left, right)))
    }),
  )
})

test.each([0, -1])('%d ms is in the bucket of zero', (ms) => {
  expect(bucketOf(ms)).toBe(ZERO_BUCKET)
  expect(bucketValue(ZERO_BUCKET)).toBe(0)
})

test('the smallest and the largest number have buckets of their own', () => {
  expect(bucketOf(Number.MIN_VALUE)).toBeGreaterThan(ZERO_BUCKET)
  expect(bucketOf(Number.MAX_VALUE)).toBeLessThan(2 ** 31)
})
