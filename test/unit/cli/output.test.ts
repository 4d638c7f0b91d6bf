import { expect, test } from 'vitest'
import { completenessRemark } from '../../../cli/completeness.ts'
import { bars, withEmptyBuckets } from '../../../cli/histogram.ts'
import { csvLine } from '../../../cli/records.ts'
import { formatTable } from '../../../cli/table.ts'
import { painter } from '../../../cli/terminal.ts'
import { NOW_MS, site } from './harness.ts'

const at = (time: string) => `2026-11-21T${time}.000Z`
const gap = (more: object) => ({ reason: 'lost', from: at('03:10:01'), to: at('03:10:04'), ...more })
const missing = (...gaps: ReturnType<typeof gap>[]) => ({ ...site.incomplete, gaps, gapsTotal: gaps.length })

test.each([
  { name: 'one site', sites: { local: site.complete }, remark: 'complete to 03:12:07 for 1 of 1 site' },
  {
    name: 'several sites, to the earliest of their times',
    sites: { a: site.complete, b: { ...site.complete, completeTo: at('03:11:00') } },
    remark: 'complete to 03:11:00 for 2 of 2 sites',
  },
  {
    name: 'another day is told',
    sites: { local: { ...site.complete, completeTo: '2026-11-20T23:59:59.000Z' } },
    remark: 'complete to 2026-11-20 23:59:59 for 1 of 1 site',
  },
  {
    name: 'the complete sites are counted, the others are named',
    sites: {
      eu: site.complete,
      us: { ...site.incomplete, gaps: [], gapsTotal: 0 },
      ap: {
        ...site.incomplete,
        status: 'unreachable',
        completeTo: null,
        gaps: [],
        gapsTotal: 0,
        error: 'no route',
      },
    },
    remark:
      'INCOMPLETE: complete for 1 of 3 sites; us: complete to 03:10:01; ap: unreachable, nothing is known to be complete (no route)',
  },
  {
    name: 'reasons',
    sites: {
      local: missing(
        gap({ reason: 'silent', host: 'web-1' }),
        gap({ reason: 'backlog', collector: 'c1', records: 1 }),
        gap({ reason: 'late', host: 'web-2' }),
        gap({ reason: 'tombstone', records: 5, detail: 'shed' }),
        gap({ reason: 'ledger-stale' }),
      ),
    },
    remark:
      'INCOMPLETE: local: complete to 03:10:01; web-1: silent 03:10:01–03:10:04; c1: 1 record waiting in its spool 03:10:01–03:10:04; web-2: records late 03:10:01–03:10:04; 5 records dropped on purpose 03:10:01–03:10:04 (shed); ledger stale 03:10:01–03:10:04',
  },
  {
    name: 'many gaps are counted',
    sites: {
      local: { ...missing(...Array.from({ length: 6 }, () => gap({ host: 'h' }))), gapsTotal: 1_006 },
    },
    remark: `INCOMPLETE: local: complete to 03:10:01${'; h: records lost 03:10:01–03:10:04'.repeat(5)}; 1,001 more gaps`,
  },
  {
    name: 'what was purged, and a host that would steer the terminal',
    sites: { local: missing(gap({ reason: 'purged', records: 7, host: 'h\u001b[2J' })) },
    remark: String.raw`INCOMPLETE: local: complete to 03:10:01; h\x1b[2J: 7 records purged 03:10:01–03:10:04`,
  },
  { name: 'nobody', sites: {}, remark: 'INCOMPLETE: no site answered' },
])('completeness: $name', ({ sites, remark }) => {
  expect(completenessRemark(sites, NOW_MS)).toBe(remark)
})

test.each([
  { values: ['a', 1, true, null, undefined], line: 'a,1,true,,' },
  {
    values: ['a,b', 'say "x"', 'two\nlines', ' blank', ''],
    line: '"a,b","say ""x""","two\nlines"," blank",',
  },
  { values: [{ k: ['v'] }], line: '"{""k"":[""v""]}"' },
])('csv: $values', ({ values, line }) => {
  expect(csvLine(values)).toBe(`${line}\n`)
})

test('buckets that the node left out are shown as empty', () => {
  const range = { from: at('03:00:30'), to: at('03:03:00'), intervalMs: 60_000 }
  const bucket = { start: at('03:01:00'), total: 5, by: {} }
  expect(withEmptyBuckets([bucket], range).map(({ start, total }) => [start, total])).toEqual([
    [at('03:00:00'), 0],
    [at('03:01:00'), 5],
    [at('03:02:00'), 0],
  ])
})

test('bars fill the columns of the terminal, and the smallest count is still seen', () => {
  const counts = [2_000, 1_000, 1, 0]
  const buckets = counts.map((total, minute) => ({ start: at(`03:0${minute}:00`), total, by: {} }))
  const rows = bars(buckets, 50).split('\n')
  expect(rows).toEqual([
    `2026-11-21T03:00:00Z 2,000 ${'█'.repeat(21)}`,
    `2026-11-21T03:01:00Z 1,000 ${'█'.repeat(10)}▌`,
    '2026-11-21T03:02:00Z     1 ▏',
    '2026-11-21T03:03:00Z     0',
    '',
  ])
})

test('beside a bar stand the largest values', () => {
  const by = { info: 1_000, error: 24, '': 3, warn: 2, debug: 1, trace: 1 }
  expect(bars([{ start: at('03:00:00'), total: 1_031, by }], 200)).toMatch(
    / info 1,000, error 24, \(none\) 3, warn 2, 2 more 2\n$/,
  )
})

const columnsNamed = (...names: string[]) =>
  names.map((name) => ({ name, value: (row: Record<string, unknown>) => row[name] }))
const look = { paint: painter(false), widthMax: Infinity }

test('a table has columns as wide as their longest value', () => {
  const rows = [
    { a: 'x', b: true, hidden: 1 },
    { a: 'longer', b: null, hidden: 2 },
  ]
  const columns = columnsNamed('a', 'b')
  expect(formatTable(rows, columns, { ...look, output: 'pretty' })).toBe('a       b\nx       yes\nlonger\n')
  expect(formatTable(rows, columns, { ...look, output: 'csv' })).toBe('a,b\nx,yes\nlonger,\n')
  expect(formatTable(rows, columns, { ...look, output: 'jsonl' })).toContain('"hidden":2')
})
