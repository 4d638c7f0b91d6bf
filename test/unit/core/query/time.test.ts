import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { ServiceError } from '../../../../core/errors.ts'
import { parseDuration, parseTime } from '../../../../core/query/time.ts'

const NOW = '2026-11-21T03:12:07.250Z' // a Saturday
const nowMs = Date.parse(NOW)

test.each([
  { text: '2026-11-21T03:12:07Z', time: '2026-11-21T03:12:07.000Z' },
  { text: '2026-11-21t03:12:07z', time: '2026-11-21T03:12:07.000Z' },
  { text: '2026-11-21 03:12:07.5Z', time: '2026-11-21T03:12:07.500Z' },
  { text: '2026-11-21T03:12:07.123999999Z', time: '2026-11-21T03:12:07.123Z' },
  { text: '2026-11-21T03:12:07+05:30', time: '2026-11-20T21:42:07.000Z' },
  { text: '2026-11-21T03:12:07-01:00', time: '2026-11-21T04:12:07.000Z' },
  { text: '2026-11-21T03:12:07', time: '2026-11-21T03:12:07.000Z' },
  { text: '2026-11-21T03:12', time: '2026-11-21T03:12:00.000Z' },
  { text: '2026-11-21', time: '2026-11-21T00:00:00.000Z' },
  { text: '2024-02-29', time: '2024-02-29T00:00:00.000Z' },
  { text: '0001-01-01', time: '0001-01-01T00:00:00.000Z' },
  { text: '1795230727', time: '2026-11-21T03:12:07.000Z' },
  { text: '1795230727.25', time: NOW },
  { text: '1795230727250', time: NOW },
  { text: '0', time: '1970-01-01T00:00:00.000Z' },
  { text: '-1', time: '1969-12-31T23:59:59.000Z' },
  { text: 'now', time: NOW },
  { text: ' now ', time: NOW },
  { text: 'now-15m', time: '2026-11-21T02:57:07.250Z' },
  { text: 'now+1h', time: '2026-11-21T04:12:07.250Z' },
  { text: 'now-250ms', time: '2026-11-21T03:12:07.000Z' },
  { text: 'now/s', time: '2026-11-21T03:12:07.000Z' },
  { text: 'now/d', time: '2026-11-21T00:00:00.000Z' },
  { text: 'now/w', time: '2026-11-16T00:00:00.000Z' },
  { text: 'now-1d/d', time: '2026-11-20T00:00:00.000Z' },
  { text: 'now/d-2h', time: '2026-11-20T22:00:00.000Z' },
])('parseTime: $text', ({ text, time }) => {
  expect(new Date(parseTime(text, nowMs)).toISOString()).toBe(time)
})

test.each(
  ['', 'yesterday', 'now-', 'now-15', 'now/y', 'now - 15m', '15m', '1e3', '2026-13-01', '2026-02-30'].concat([
    '2026-11-21T24:00:00Z',
    '2026-11-21T03:60:00Z',
    '2026-11-21T03:12:07+24:00',
    '21.11.2026',
    '9'.repeat(20),
    'now-9999999999999999d',
  ]),
)('parseTime refuses "%s" and says what it expects', (text) => {
  expect(() => parseTime(text, nowMs)).toThrow(/as a time; expected RFC 3339/)
  expect(() => parseTime(text, nowMs)).toThrow(expect.objectContaining({ code: 'BAD_REQUEST' }))
})

test.each([
  { text: '500ms', ms: 500 },
  { text: '30s', ms: 30_000 },
  { text: '15m', ms: 900_000 },
  { text: '1h30m', ms: 5_400_000 },
  { text: '1.5h', ms: 5_400_000 },
  { text: '2d', ms: 172_800_000 },
  { text: '1w', ms: 604_800_000 },
  { text: '250', ms: 250 },
])('parseDuration: $text', ({ text, ms }) => {
  expect(parseDuration(text)).toBe(ms)
})

test.each(['', '0', '0s', '-5m', '5x', 'm', '5 m', '1e5s', '9'.repeat(30)])(
  'parseDuration refuses "%s"',
  (text) => {
    expect(() => parseDuration(text)).toThrow(/as a duration; expected/)
  },
)

test('a time that the API writes is read back', () => {
  fc.assert(
    fc.property(fc.date({ noInvalidDate: true, min: new Date(0), max: new Date('9999-12-31') }), (date) => {
      expect(parseTime(date.toISOString(), 0)).toBe(date.getTime())
    }),
  )
})

test('any text is a time or a ServiceError', () => {
  const text = fc.oneof(
    fc.string(),
    fc.stringMatching(/^now[-+/]\d{0,20}[a-z]{1,2}$/),
    fc.stringMatching(/^[\dTZ:. +-]{1,30}$/),
  )
  fc.assert(
    fc.property(text, (text) => {
      for (const parse of [() => parseTime(text, nowMs), () => parseDuration(text)])
        expect(outcome(parse)).toSatisfy(
          (result) => result instanceof ServiceError || Number.isSafeInteger(result),
        )
    }),
  )
})

function outcome(run: () => unknown): unknown {
  try {
    return run()
  } catch (error) {
    return error
  }
}
