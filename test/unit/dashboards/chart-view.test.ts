import { readFile } from 'node:fs/promises'
import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import {
  RENEWALS_S,
  askOf,
  chartApiCall,
  chartCommand,
  formatBoardView,
  formatChartView,
  parseBoardView,
  parseChartView,
  readFilter,
  type ChartView,
} from '../../../dashboards/src/model/chart-view.ts'

const word = fc.string({ minLength: 1 }).filter((text) => !text.includes(','))
const views: fc.Arbitrary<ChartView> = fc
  .record({
    name: fc.string(),
    kind: fc.constantFrom('', 'counter', 'distribution'),
    tags: fc.array(fc.string({ minLength: 1 })),
    by: fc.array(word),
    agg: fc.array(word),
    everyS: fc.constantFrom(0, ...RENEWALS_S),
    area: fc.boolean(),
    range: fc.oneof(
      fc.constantFrom('5m', '1h', '7d').map((length) => ({ kind: 'relative' as const, length })),
      fc.constant({ kind: 'absolute' as const, fromMs: 1_000_000, toMs: 2_000_000 }),
    ),
  })
  .map((view) => (view.range.kind === 'absolute' ? { ...view, everyS: 0 } : view))

test('a link carries the whole view', () => {
  fc.assert(
    fc.property(views, (view) => {
      expect(parseChartView(formatChartView(view))).toEqual(view)
    }),
  )
})

test('a board keeps its range and renewal in the link', () => {
  fc.assert(
    fc.property(views, ({ range, everyS }) => {
      expect(parseBoardView(formatBoardView({ range, everyS }))).toEqual({ range, everyS })
    }),
  )
})

test.each(['', '?from=nonsense', '?live=7', '?by=,,&agg=,'])('%j is a view of defaults', (queryString) => {
  const view = parseChartView(queryString)
  expect(view).toMatchObject({ name: '', by: [], agg: [], range: { kind: 'relative', length: '1h' } })
  expect([0, 10]).toContain(view.everyS)
})

const view = parseChartView(
  "?name=it's&tags=env:prod&tags=!host:*&by=host,env&agg=p50,p99&from=now-1h&kind=distribution",
)

test('as a command, every word is one word of a shell', () => {
  expect(chartCommand(askOf(view))).toBe(
    String.raw`noctule metrics --kind distribution --tag env:prod --tag '!host:*' --by host,env --agg p50,p99 --from now-1h --to now 'it'\''s'`,
  )
  expect(chartCommand(askOf({ ...view, name: '-x' }))).toMatch(/ -- -x$/u)
})

test('the command line knows every option of the command', async () => {
  const reference = await readFile(new URL('../../../docs/reference/cli.md', import.meta.url), 'utf8')
  const ofMetrics = reference.split(/^#+ .*noctule metrics show/m)[1]?.split(/^#+ /m)[0] ?? ''
  const used = chartCommand(askOf(view)).match(/(?<= )--[a-z]+/g) ?? []
  expect(used.length).toBeGreaterThan(4)
  for (const option of used) expect(ofMetrics).toContain(`${option} `)
})

test('as an API call, it holds no secret', () => {
  const written = chartApiCall(askOf(view), 'http://noctule:8600')
  expect(written).toContain('http://noctule:8600/v1/metrics/query')
  expect(written).toContain('$NOCTULE_TOKEN')
  expect(written).toContain(String.raw`--data-urlencode 'name=it'\''s'`)
})

test.each([
  ['env:prod', 'env:prod'],
  ['  !host:web-1 ', '!host:web-1'],
  ['queue:', 'queue:'],
  ['url:http://x', 'url:http://x'],
  ['env', null],
  [':prod', null],
  ['', null],
])('%j is the filter %j', (text, filter) => {
  expect(readFilter(text)).toBe(filter)
})
