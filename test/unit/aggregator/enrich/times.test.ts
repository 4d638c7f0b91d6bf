import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { parseTime, readTime } from '../../../../aggregator/enrich/time.ts'

const READ = { utcOffsetMin: 60, readAtMs: Date.UTC(2026, 0, 2, 12) }

test.each([
  { text: '2026-01-02T03:04:05Z', iso: '2026-01-02T03:04:05.000Z' },
  { text: '2026-01-02T03:04:05.678901234+02:00', iso: '2026-01-02T01:04:05.678Z' },
  { text: '2026-01-02 03:04:05,678', iso: '2026-01-02T02:04:05.678Z' },
  { text: '2026-01-02 03:04:05 UTC', iso: '2026-01-02T03:04:05.000Z' },
  { text: '2026/01/02 03:04:05', iso: '2026-01-02T02:04:05.000Z' },
  { text: '02/Jan/2026:03:04:05 -0330', iso: '2026-01-02T06:34:05.000Z' },
  { text: 'Jan  2 03:04:05', iso: '2026-01-02T02:04:05.000Z' },
  { text: 'Dec 31 23:59:59.5', iso: '2025-12-31T22:59:59.500Z' },
  { text: 'Fri Jan  2 03:04:05 2026', iso: '2026-01-02T02:04:05.000Z' },
  { text: '2016-12-31T23:59:60Z', iso: '2017-01-01T00:00:00.000Z' },
  { text: '1767323045', iso: '2026-01-02T03:04:05.000Z' },
  { text: '1767323045.678', iso: '2026-01-02T03:04:05.678Z' },
  { text: '1767323045678', iso: '2026-01-02T03:04:05.678Z' },
  { text: '1767323045678901', iso: '2026-01-02T03:04:05.678Z' },
])('$text is $iso', ({ text, iso }) => {
  const ms = parseTime(text, READ)
  expect(ms === null ? null : new Date(ms).toISOString()).toBe(iso)
})

test.each([
  '2026-02-29T03:04:05Z',
  '2026-13-01T00:00:00Z',
  '2026-01-02T24:00:01Z',
  'yesterday',
  '',
  '12',
  '2026-01-02T03:04:05Zzz',
])('"%s" is no time', (text) => {
  expect(parseTime(text, READ)).toBeNull()
})

test('every RFC 3339 time is read as Date reads it', () => {
  const date = fc.date({ min: new Date(0), max: new Date('9999-12-31T23:59:59.999Z'), noInvalidDate: true })
  fc.assert(
    fc.property(date, (at) => {
      const iso = at.toISOString()
      expect(readTime(iso, 0, READ)).toMatchObject({ ms: at.getTime(), end: iso.length })
    }),
  )
})
