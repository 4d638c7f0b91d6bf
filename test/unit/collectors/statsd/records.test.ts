import { expect, test } from 'vitest'
import type { StatsdEvent, StatsdServiceCheck } from '../../../../collectors/statsd/aggregation.ts'
import { eventLine, serviceCheckLine } from '../../../../collectors/statsd/records.ts'

const event: StatsdEvent = {
  title: 'deployed',
  text: 'version 7\nby mia',
  alertType: 'success',
  priority: 'low',
  atMs: Date.UTC(2026, 0, 2),
  hostname: 'web-9',
  aggregationKey: 'deploys',
  sourceType: 'ci',
  tags: { service: 'shop', env: 'prod' },
}
const check: StatsdServiceCheck = {
  name: 'db.up',
  status: 2,
  message: 'timeout',
  atMs: null,
  hostname: null,
  tags: {},
}
const NOW_MS = Date.UTC(2026, 5, 1)
const parsed = (line: string) => JSON.parse(line) as Record<string, unknown>

test('an event with everything', () => {
  expect(parsed(eventLine(event, NOW_MS))).toEqual({
    time: '2026-01-02T00:00:00.000Z',
    service: 'shop',
    level: 'info',
    message: 'deployed: version 7\nby mia',
    event: {
      kind: 'event',
      title: 'deployed',
      alert_type: 'success',
      priority: 'low',
      hostname: 'web-9',
      aggregation_key: 'deploys',
      source_type: 'ci',
    },
    tags: { service: 'shop', env: 'prod' },
  })
  expect(eventLine(event, NOW_MS)).not.toContain('\n')
})

test.each([
  { alertType: 'error', level: 'error' },
  { alertType: 'warning', level: 'warn' },
  { alertType: 'info', level: 'info' },
] as const)('level of an event of type $alertType', ({ alertType, level }) => {
  const bare = {
    ...event,
    alertType,
    text: '',
    hostname: null,
    aggregationKey: '',
    sourceType: null,
    tags: {},
  }
  expect(parsed(eventLine(bare, NOW_MS))).toMatchObject({ level, message: 'deployed', service: 'statsd' })
  expect(parsed(eventLine(bare, NOW_MS))['event']).toEqual({
    kind: 'event',
    title: 'deployed',
    alert_type: alertType,
    priority: 'low',
  })
})

test.each([
  { status: 0, level: 'info', state: 'ok' },
  { status: 1, level: 'warn', state: 'warning' },
  { status: 2, level: 'error', state: 'critical' },
  { status: 3, level: 'warn', state: 'unknown' },
] as const)('a service check of status $status', ({ status, level, state }) => {
  expect(parsed(serviceCheckLine({ ...check, status }, NOW_MS))).toEqual({
    time: '2026-06-01T00:00:00.000Z',
    service: 'statsd',
    level,
    message: `service check db.up is ${state}: timeout`,
    event: { kind: 'service_check', name: 'db.up', state },
    tags: {},
  })
})

test.each([{ atMs: -1 }, { atMs: 1e20 }, { atMs: Infinity }, { atMs: NaN }, { atMs: null }])(
  'a time that cannot be ($atMs) is replaced by that of arrival',
  ({ atMs }) => {
    expect(parsed(eventLine({ ...event, atMs }, NOW_MS))['time']).toBe('2026-06-01T00:00:00.000Z')
    const bare = { ...check, atMs, message: '' }
    expect(parsed(serviceCheckLine(bare, NOW_MS))).toMatchObject({
      time: '2026-06-01T00:00:00.000Z',
      message: 'service check db.up is critical',
    })
  },
)
