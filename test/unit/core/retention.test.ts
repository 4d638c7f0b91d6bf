import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  KEEP_ALL,
  createClassifier,
  isExpired,
  purgeAtMs,
  slotMsOf,
  slotOf,
} from '../../../core/retention.ts'
import type { Retention, Retained } from '../../../core/retention.ts'

const SECOND_MS = 1_000
const MINUTE_MS = 60 * SECOND_MS
const HOUR_MS = 60 * MINUTE_MS
const DAY_MS = 24 * HOUR_MS

describe('a slot is the widest pleasant one that is at most a quarter of maxAge', () => {
  test.each([
    { name: '4 s', maxAgeMs: 4 * SECOND_MS, slotMs: SECOND_MS },
    { name: 'just under 4 min', maxAgeMs: 4 * MINUTE_MS - 1, slotMs: SECOND_MS },
    { name: '4 min', maxAgeMs: 4 * MINUTE_MS, slotMs: MINUTE_MS },
    { name: '1 h', maxAgeMs: HOUR_MS, slotMs: 15 * MINUTE_MS },
    { name: '6 h', maxAgeMs: 6 * HOUR_MS, slotMs: HOUR_MS },
    { name: '3 d', maxAgeMs: 3 * DAY_MS, slotMs: 12 * HOUR_MS },
    { name: '4 d', maxAgeMs: 4 * DAY_MS, slotMs: DAY_MS },
    { name: '14 d', maxAgeMs: 14 * DAY_MS, slotMs: DAY_MS },
    { name: 'for ever', maxAgeMs: Infinity, slotMs: DAY_MS },
    { name: 'less than the configuration allows', maxAgeMs: 1, slotMs: SECOND_MS },
  ])('$name', ({ maxAgeMs, slotMs }) => {
    expect(slotMsOf({ maxAgeMs })).toBe(slotMs)
  })
})

describe('a record lies in the slot of min(time, ingest)', () => {
  test.each([
    { name: 'start of a slot', timeMs: 2_000, ingestedMs: 9_000, slot: 2_000 },
    { name: 'end of a slot', timeMs: 2_999, ingestedMs: 9_000, slot: 2_000 },
    { name: 'before 1970', timeMs: -1, ingestedMs: 0, slot: -1_000 },
    { name: 'from the future', timeMs: 9e12, ingestedMs: 3_500, slot: 3_000 },
    { name: 'late', timeMs: 100, ingestedMs: 9e12, slot: 0 },
  ])('$name', ({ slot, ...record }) => {
    expect(slotOf(record, SECOND_MS)).toBe(slot)
  })
})

const maxAge = fc.oneof(
  fc.constantFrom(4_000, HOUR_MS, 6 * HOUR_MS, 3 * DAY_MS),
  fc.integer({ min: 4_000, max: 400 * DAY_MS }),
)
const time = fc.integer({ min: -8.64e15, max: 8.64e15 })
const aged = fc.record({ timeMs: time, ingestedMs: time, maxAgeMs: maxAge })

test('a record is gone at most maxAge after min(time, ingest), and never before three quarters of it', () => {
  fc.assert(
    fc.property(aged, ({ maxAgeMs, ...record }) => {
      const fromMs = Math.min(record.timeMs, record.ingestedMs)
      expect(isExpired(record, { maxAgeMs }, fromMs + maxAgeMs)).toBe(true)
      expect(isExpired(record, { maxAgeMs }, fromMs + Math.floor(maxAgeMs * 0.75))).toBe(false)
    }),
    { numRuns: 2_000 },
  )
})

test('it expires at the moment that its slot is purged, and stays so', () => {
  fc.assert(
    fc.property(aged, fc.nat(), ({ maxAgeMs, ...record }, laterMs) => {
      const purgedMs = purgeAtMs(slotOf(record, slotMsOf({ maxAgeMs })), { maxAgeMs })
      expect(isExpired(record, { maxAgeMs }, purgedMs - 1)).toBe(false)
      expect(isExpired(record, { maxAgeMs }, purgedMs + laterMs)).toBe(true)
    }),
  )
})

test('KEEP_ALL takes every record and lets none expire', () => {
  const [all] = KEEP_ALL.classes
  if (all === undefined) throw new Error('there is no class')
  fc.assert(
    fc.property(time, time, (timeMs, ingestedMs) => {
      expect(isExpired({ timeMs, ingestedMs }, all, 8.64e15)).toBe(false)
    }),
  )
  expect(createClassifier(KEEP_ALL)({ site: '', service: '', level: '', path: '' })).toBe(0)
})

describe('a record belongs to the first class that it matches in every part', () => {
  const always = { maxAgeMs: HOUR_MS, bytesMax: null }
  const retention: Retention = {
    classes: [
      { ...always, name: 'debug of eu', match: { levels: ['debug', 'trace'], sites: ['eu'] } },
      { ...always, name: 'audit', match: { paths: ['/var/log/audit/**', '/var/log/*.audit'] } },
      { ...always, name: 'shop', match: { services: ['shop'], levels: ['', 'info'] } },
      { ...always, name: 'odd', match: { paths: ['/srv/[x]/a.log'] } },
      { ...always, name: 'none', match: { sites: [] } },
      { ...always, name: 'rest', match: { sites: ['us'] } },
    ],
    bytesMax: null,
  }
  const classify = createClassifier(retention)
  const record: Retained = { site: 'eu', service: 'db', level: 'warn', path: '/var/log/db.log' }

  test.each([
    { name: 'two parts match', fields: { level: 'trace' }, expected: 'debug of eu' },
    { name: 'one of two parts does not', fields: { level: 'trace', site: 'us' }, expected: 'rest' },
    { name: '** reaches into folders', fields: { path: '/var/log/audit/2025/a.log' }, expected: 'audit' },
    { name: '* stays in its folder', fields: { path: '/var/log/a.audit' }, expected: 'audit' },
    { name: '* does not reach into folders', fields: { path: '/var/log/x/a.audit' }, expected: 'rest' },
    { name: 'a glob matches whole paths', fields: { path: '/mnt/var/log/a.audit' }, expected: 'rest' },
    { name: 'no path', fields: { path: '' }, expected: 'rest' },
    {
      name: 'the first class wins',
      fields: { level: 'debug', path: '/var/log/audit/a' },
      expected: 'debug of eu',
    },
    { name: 'no level is a level', fields: { service: 'shop', level: '' }, expected: 'shop' },
    { name: 'services are case-sensitive', fields: { service: 'Shop', level: '' }, expected: 'rest' },
    { name: 'a literal path with signs of a glob', fields: { path: '/srv/[x]/a.log' }, expected: 'odd' },
    { name: 'the same as a glob', fields: { path: '/srv/x/a.log' }, expected: 'odd' },
    { name: 'the last class takes what it does not match, too', fields: { site: 'asia' }, expected: 'rest' },
  ] as const)('$name', ({ fields, expected }) => {
    // Asked twice: paths are remembered.
    for (let time = 0; time < 2; time++)
      expect(retention.classes[classify({ ...record, ...fields })]?.name).toBe(expected)
  })

  test('more paths than are remembered change nothing', () => {
    for (let i = 0; i < 25_000; i++)
      expect(classify({ ...record, path: `/var/log/${i}.${i % 2 ? 'audit' : 'log'}` })).toBe(i % 2 ? 1 : 5)
  })
})
