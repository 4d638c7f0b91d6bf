import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { measureOf, writeMeasure, type Unit } from '../../../dashboards/src/model/units.ts'

const PLAIN = { unit: 'number', perSecond: false }

test.each([
  { name: 'shop.requests', aggregate: 'rate', kind: 'counter', is: { unit: 'number', perSecond: true } },
  { name: 'shop.sent_bytes', aggregate: 'rate', kind: 'counter', is: { unit: 'bytes', perSecond: true } },
  { name: 'shop.sent_bytes', aggregate: 'sum', kind: 'counter', is: { unit: 'bytes', perSecond: false } },
  { name: 'shop.request_ms', aggregate: 'p95', kind: 'distribution', is: { unit: 'ms', perSecond: false } },
  {
    name: 'shop.request_ms',
    aggregate: 'rate',
    kind: 'distribution',
    is: { unit: 'number', perSecond: true },
  },
  { name: 'shop.request_ms', aggregate: 'count', kind: 'distribution', is: PLAIN },
  { name: 'job.duration.seconds', aggregate: 'avg', kind: 'gauge', is: { unit: 's', perSecond: false } },
  {
    name: 'host.network.received_bytes_per_s',
    aggregate: 'avg',
    kind: 'gauge',
    is: { unit: 'bytes', perSecond: true },
  },
  {
    name: 'host.memory.used_share',
    aggregate: 'avg',
    kind: 'gauge',
    is: { unit: 'share', perSecond: false },
  },
  { name: 'host.cpu.busy', aggregate: 'max', kind: 'gauge', is: { unit: 'share', perSecond: false } },
  { name: 'shop.visitors_bytes', aggregate: 'count', kind: 'set', is: PLAIN },
  { name: 'forms', aggregate: 'avg', kind: 'gauge', is: PLAIN },
])('$aggregate of the $kind $name', ({ name, aggregate, kind, is }) => {
  expect(measureOf(name, aggregate, kind)).toEqual(is)
})

test.each([
  [0, 'number', '0'],
  [0.000_01, 'number', '1.0e-5'],
  [0.1234, 'number', '0.123'],
  [1.005, 'number', '1'],
  [12.34, 'number', '12.3'],
  [999.4, 'number', '999'],
  [999.6, 'number', '1k'],
  [-1234, 'number', '-1.23k'],
  [1_234_567, 'number', '1.23M'],
  [1023, 'bytes', '1023 B'],
  [1024, 'bytes', '1 KiB'],
  [1_572_864, 'bytes', '1.5 MiB'],
  [340, 'ms', '340 ms'],
  [1500, 'ms', '1.5 s'],
  [0.25, 'ms', '250 µs'],
  [90, 's', '90 s'],
  [7200, 's', '2 h'],
  [250, 'us', '250 µs'],
  [0.931, 'share', '93.1 %'],
  [55, 'percent', '55 %'],
] as const)('%s as %s is %s', (value, unit, written) => {
  expect(writeMeasure(value, { unit, perSecond: false })).toBe(written)
})

test('what is not known is a dash, and a rate is told', () => {
  expect(writeMeasure(null, { unit: 'ms', perSecond: false })).toBe('–')
  expect(writeMeasure(Number.NaN, { unit: 'ms', perSecond: false })).toBe('–')
  expect(writeMeasure(12, { unit: 'number', perSecond: true })).toBe('12/s')
})

test('no number is written longer than an axis is wide', () => {
  const units: readonly Unit[] = ['number', 'bytes', 'ms', 's', 'us', 'share', 'percent']
  fc.assert(
    fc.property(
      fc.double({ min: -1e15, max: 1e15, noNaN: true }),
      fc.constantFrom(...units),
      (value, unit) => {
        const small = unit === 'number' || unit === 'bytes' || Math.abs(value) < 1e6
        return !small || writeMeasure(value, { unit, perSecond: false }).length <= 12
      },
    ),
  )
})
