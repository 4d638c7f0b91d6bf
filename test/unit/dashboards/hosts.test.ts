import { expect, test } from 'vitest'
import {
  formatHostsView,
  hostKey,
  hostRows,
  matchHosts,
  moveTo,
  parseHostsView,
  sortChecks,
  stateTotals,
  type HostsView,
} from '../../../dashboards/src/model/hosts.ts'
import { hostsAnswer, sampleHost, sampleHosts } from '../../support/fake-hosts.ts'
import type { HostsAnswer } from '../../../dashboards/src/api/hosts.ts'

const ALL: HostsView = { text: '', states: [], tier: null, grid: false, open: null }
const nowMs = Date.parse('2026-01-05T03:00:00Z')
const hosts = sampleHosts(30, nowMs)
const { tiers } = hostsAnswer(hosts, new URLSearchParams()) as HostsAnswer

test.each([
  ALL,
  { text: 'a b', states: ['silent', 'ok'] as const, tier: 'web', grid: true, open: 'eu-west/web-1' },
  { ...ALL, tier: '' },
])('a link carries the view %#', (view) => {
  expect(parseHostsView(formatHostsView(view))).toEqual(view)
})

test('tiers with the worst host come first, and in each the worst host', () => {
  const rows = hostRows(tiers, hosts, { columns: 1, filtered: false })
  expect(rows.filter((row) => row.kind === 'tier').map(({ tier }) => tier.name)).toEqual(['app', 'db', 'web'])
  const states = rows.flatMap((row) => (row.kind === 'hosts' ? row.hosts : [])).map(({ state }) => state)
  expect(states.slice(0, 4)).toEqual(['silent', 'missing', 'fail', 'ok'])
})

test('every host that matches is in exactly one row, however wide the page is', () => {
  for (const columns of [1, 3, 7, 100]) {
    const keys = hostRows(tiers, hosts, { columns, filtered: false }).flatMap((row) =>
      row.kind === 'hosts' ? row.hosts.map(hostKey) : [],
    )
    expect(keys.toSorted()).toEqual(hosts.map(hostKey).toSorted())
  }
})

test('a tier of which nothing was heard is there while it should have hosts, and gone when something else is looked for', () => {
  const empty = { name: 'cache', expected: 3, hosts: 0, up: 0, states: {} }
  const names = (filtered: boolean) =>
    hostRows([empty], [], { columns: 1, filtered }).map((row) => row.kind === 'tier' && row.tier.name)
  expect(names(false)).toEqual(['cache'])
  expect(names(true)).toEqual([])
})

test('a host of a tier that the answer does not count is not hidden', () => {
  const stray = sampleHost({ host: 'stray', tier: 'new', state: 'ok', nowMs })
  const rows = hostRows([], [stray], { columns: 1, filtered: false })
  expect(rows.map(({ kind }) => kind)).toEqual(['tier', 'hosts'])
})

test.each([
  { name: 'nothing asked', view: ALL, found: 30 },
  { name: 'by name', view: { ...ALL, text: 'WEB-4' }, found: 1 },
  { name: 'by check', view: { ...ALL, text: 'shop-http web' }, found: 10 },
  { name: 'by state', view: { ...ALL, states: ['silent', 'missing'] as const }, found: 2 },
  { name: 'by tier', view: { ...ALL, tier: 'db' }, found: 10 },
  { name: 'all of it', view: { ...ALL, tier: 'db', states: ['fail'] as const, text: 'x' }, found: 0 },
])('matchHosts: $name', ({ view, found }) => {
  expect(matchHosts(hosts, view)).toHaveLength(found)
})

test('totals and checks go from the worst to the best', () => {
  expect(stateTotals(hosts).map(({ state }) => state)).toEqual(['silent', 'missing', 'fail', 'warn', 'ok'])
  const failing = hosts.find(({ state }) => state === 'fail')
  expect(sortChecks(failing?.checks ?? [])[0]?.state).toBe('fail')
})

test('the arrow keys reach every host and stop at the ends', () => {
  const rows = hostRows(tiers, hosts, { columns: 4, filtered: false })
  const order = rows.flatMap((row) => (row.kind === 'hosts' ? row.hosts.map(hostKey) : []))
  const walked = [moveTo(rows, null, 'first')]
  for (let at = 1; at < order.length; at++) walked.push(moveTo(rows, walked.at(-1) ?? null, 'right'))
  expect(walked).toEqual(order)
  expect(moveTo(rows, order.at(-1) ?? null, 'right')).toBe(order.at(-1))
  expect(moveTo(rows, null, 'down')).toBe(order[0])
  expect(moveTo(rows, 'gone/host', 'up')).toBe(order.at(-1))
  expect(moveTo(rows, order[0] ?? null, 'down')).toBe(order[4])
  // The last row of a tier is short: below its end is its last host.
  expect(moveTo(rows, order[7] ?? null, 'down')).toBe(order[9])
  expect(moveTo([], null, 'down')).toBe(null)
})
