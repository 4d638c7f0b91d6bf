import { expect, test } from 'vitest'
import type { ApiCollector } from '../../../dashboards/src/api/collectors.ts'
import type { ApiHost } from '../../../dashboards/src/api/hosts.ts'
import {
  COLLECTOR_COLUMNS,
  collectorRows,
  formatCollectorsView,
  matchCollectors,
  parseCollectorsView,
  sortCollectors,
  writeReasons,
} from '../../../dashboards/src/model/collectors.ts'
import { collectorsAnswer, sampleHost, sampleHosts } from '../../support/fake-hosts.ts'

const nowMs = Date.now()
const hosts = sampleHosts(30, nowMs)
const { collectors } = collectorsAnswer(hosts) as { collectors: ApiCollector[] }
const rows = collectorRows(hosts, collectors, nowMs)

test('a collector is one row, whoever knows of it', () => {
  expect(rows).toHaveLength(29)
  const untold: ApiCollector = { ...(collectors[0] as ApiCollector), collector: 'untold', host: 'ci' }
  const imported: ApiCollector = { ...untold, collector: 'import', kind: 'records' }
  const more = collectorRows(hosts, [untold, imported], nowMs)
  expect(more).toHaveLength(30)
  expect(more.at(-1)).toMatchObject({ host: 'ci', version: null, behindBytes: null })
})

test.each([
  { name: 'silent', change: { state: 'silent' }, said: 'silent' },
  { name: 'clock', change: { skewMs: -5000 }, said: 'its clock is off' },
  { name: 'held', status: { held: 'the disk is full' }, said: 'the spool takes nothing: the disk is full' },
  { name: 'spool', status: { spoolBytes: 900, spoolBytesMax: 1000 }, said: 'its spool is 90 % full' },
  { name: 'unread', status: { behindBytes: 1e9 }, said: 'it reads files more slowly than they grow' },
  { name: 'drops', status: { drops: { binary: 3, long: 1000 } }, said: 'it dropped 1,000 long, 3 binary' },
  {
    name: 'destination',
    status: { destinations: [{ name: 'eu', sent: 0, failures: 1, problem: 'HTTP 503' }] },
    said: 'eu: HTTP 503',
  },
  {
    name: 'statsd',
    status: {
      statsd: { series: 1, metrics: 1, packets: 1, lost: { kernel: 120 }, problem: 'port 8125 is taken' },
    },
    said: 'statsd lost at least 120 kernel',
  },
])('what should be looked at is said: $name', ({ change, status, said }) => {
  const well = sampleHost({ host: 'web-1', tier: 'web', state: 'ok', nowMs })
  const host = { ...well, ...change, status: { ...well.status, ...status } } as ApiHost
  expect(collectorRows([well], [], nowMs)[0]?.problems).toEqual([])
  expect(collectorRows([host], [], nowMs)[0]?.problems.join('; ')).toContain(said)
})

test('what is stored late is a problem, but not of a collector that said goodbye', () => {
  const [first] = collectors as [ApiCollector]
  const late = { ...first, watermark: new Date(nowMs - 60_000).toISOString() }
  expect(collectorRows([], [late], nowMs)[0]).toMatchObject({
    lagMs: 60_000,
    problems: ['what it sends is stored late'],
  })
  const left = { ...late, leftAt: late.watermark }
  expect(collectorRows([], [left], nowMs)[0]).toMatchObject({ lagMs: null, problems: [] })
})

test('problems come first, then hosts in order of name', () => {
  const sorted = sortCollectors(rows, { column: 'problems', reverse: false })
  const healthy = sorted.findIndex(({ problems }) => problems.length === 0)
  expect(healthy).toBe(4)
  expect(sorted.slice(healthy).every(({ problems }) => problems.length === 0)).toBe(true)
  expect(sorted.slice(healthy, healthy + 2).map(({ host }) => host)).toEqual(['app-1', 'app-4'])
})

test.each(COLLECTOR_COLUMNS)(
  'sorting by %s keeps every row, and what is not told is last either way',
  (column) => {
    const unknown = collectorRows([], [{ ...(collectors[0] as ApiCollector), watermark: null }], nowMs)
    for (const reverse of [false, true]) {
      const sorted = sortCollectors([...unknown, ...rows], { column, reverse })
      expect(new Set(sorted).size).toBe(rows.length + 1)
    }
  },
)

test.each(['running', 'lag', 'behind', 'spool'] as const)(
  'sorting by %s, what is not told is last either way',
  (column) => {
    const unknown = collectorRows([], [{ ...(collectors[0] as ApiCollector), watermark: null }], nowMs)
    for (const reverse of [false, true]) {
      expect(sortCollectors([...unknown, ...rows], { column, reverse }).at(-1)).toBe(unknown[0])
    }
  },
)

test('words find rows by host, site and problem', () => {
  expect(matchCollectors(rows, 'store is full eu-west')).toHaveLength(3)
  expect(matchCollectors(rows, 'nowhere')).toEqual([])
})

test.each([
  { text: '', column: 'problems', reverse: false, troubled: false },
  { text: 'a b', column: 'lag', reverse: true, troubled: true },
] as const)('a link carries the view %#', (view) => {
  expect(parseCollectorsView(formatCollectorsView(view))).toEqual(view)
})

test('reasons are told, the greatest first, without those that are none', () => {
  expect(writeReasons({ malformed: 3, kernel: 1200, late: 0 })).toBe('1,200 kernel, 3 malformed')
})
