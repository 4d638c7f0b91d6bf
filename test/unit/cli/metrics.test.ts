import { describe, expect, test } from 'vitest'
import { measured, stepName, valueLine } from '../../../cli/format.ts'
import { environment, json, meta, runCommandLine, scriptedNode } from './harness.ts'
import type { RunOptions } from './harness.ts'

const COMPLETE = 'complete to 03:12:07 for 1 of 1 site\n'
const FROM_MS = Date.parse('2026-11-21T03:00:00Z')
const STEP_MS = 120_000
const at = (step: number, ...values: (number | null)[]) => [FROM_MS + step * STEP_MS, ...values]

const NOTHING_LOST = { total: 0, byReason: {}, byHost: {} }
const VALUES = {
  lines: [
    {
      tags: { env: 'prod' },
      kind: 'counter',
      points: [at(0, 10), at(1, 0), at(3, 1_234.5), at(4, 40), at(5, 20)],
    },
    { tags: { env: '' }, kind: 'counter', points: [at(5, 0.0123)] },
  ],
  linesTotal: 2,
  step: STEP_MS,
  resolution: 'minute',
  aggregates: ['rate'],
  lost: NOTHING_LOST,
  meta: { ...meta(), completeTo: '2026-11-21T03:10:00.000Z' },
}

async function run(answer: object, args: string[], options: RunOptions = {}) {
  await using node = await scriptedNode(json(answer))
  const result = await runCommandLine(['metrics', ...args], {
    ...options,
    environment: environment(node.url),
  })
  return { ...result, request: node.requests[0] }
}

describe('metrics NAME', () => {
  test('asks for the values of a selection', async () => {
    const options =
      '--tag env:prod --tag !host:web-1 --site eu --kind counter --by env --by host --agg rate --agg sum --step 1m --since 1h'
    const { request } = await run(VALUES, ['shop.orders', ...options.split(' ')])
    expect(request).toMatchObject({
      path: '/v1/metrics/query',
      parameters: {
        name: 'shop.orders',
        tags: 'env:prod,!host:web-1',
        sites: 'eu',
        kind: 'counter',
        by: 'env,host',
        agg: 'rate,sum',
        step: '1m',
        from: 'now-3600000ms',
      },
    })
  })

  test('shows a row per line; last, min and max are of steps that are over', async () => {
    const { stdout, stderr, code } = await run(VALUES, ['shop.orders'])
    expect(stdout).toBe(
      [
        'env         last       min       max  03:00:00–03:12:00',
        'prod        40/s       0/s   1,235/s  ▁· █▁▁',
        '(none)  0.0123/s  0.0123/s  0.0123/s       █',
        '',
      ].join('\n'),
    )
    expect(stderr).toBe(`rate of a counter in steps of 2 min, 2 lines\n${COMPLETE}`)
    expect(code).toBe(0)
  })

  test('without tags it names the metric, and several aggregates have rows of their own', async () => {
    const lines = [{ tags: {}, kind: 'distribution', points: [at(0, 5, 9), at(1, 7, null)] }]
    const { stdout } = await run({ ...VALUES, lines, linesTotal: 1, aggregates: ['p50', 'p99'] }, [
      'shop.latency',
    ])
    expect(stdout.split('\n').map((line) => line.trimEnd().split(/ {2,}/))).toEqual([
      ['metric', 'of', 'last', 'min', 'max', '03:00:00–03:12:00'],
      ['shop.latency', 'p50', '7', '5', '7', '▆█'],
      ['shop.latency', 'p99', '9', '9', '9', '█'],
      [''],
    ])
  })

  test('jsonl has the lines as they are, csv a row per step', async () => {
    expect((await run(VALUES, ['shop.orders', '-o', 'jsonl'])).stdout).toBe(
      VALUES.lines.map((line) => `${JSON.stringify(line)}\n`).join(''),
    )
    expect((await run(VALUES, ['shop.orders', '-o', 'csv'])).stdout).toBe(
      [
        'start,env,rate',
        '2026-11-21T03:00:00.000Z,prod,10',
        '2026-11-21T03:02:00.000Z,prod,0',
        '2026-11-21T03:06:00.000Z,prod,1234.5',
        '2026-11-21T03:08:00.000Z,prod,40',
        '2026-11-21T03:10:00.000Z,prod,20',
        '2026-11-21T03:10:00.000Z,,0.0123',
        '',
      ].join('\n'),
    )
  })

  test('says what was lost, and that it is incomplete', async () => {
    const lost = {
      total: 1_234,
      byReason: { kernel: 1_200, late: 34 },
      byHost: { a: 1_000, b: 200, c: 30, d: 3, e: 1 },
    }
    const { stderr, code } = await run({ ...VALUES, lost, meta: meta({ complete: false }) }, ['shop.orders'])
    expect(stderr).toContain(
      'at least 1,234 lost (kernel 1,200, late 34), on a 1,000, b 200, c 30, 2 more\nINCOMPLETE: local: ',
    )
    expect(code).toBe(3)
  })

  test('says that lines are left out, and why there are none', async () => {
    expect((await run({ ...VALUES, linesTotal: 3_400 }, ['x'])).stderr).toContain(
      '2 of 3,400 lines; narrow with --tag\n',
    )
    const hint = {
      detail: 'no metric of this name has values in the range',
      names: ['shop.orders', 'shop\u001b[2J'],
    }
    const nothing = await run({ ...VALUES, lines: [], linesTotal: 0, hint }, ['shop.ordres'])
    expect(nothing.stdout).toBe('')
    expect(nothing.stderr).toBe(`${hint.detail}; there are shop.orders, shop\\x1b[2J\n${COMPLETE}`)
    expect(nothing.code).toBe(0)
  })

  test('nothing that an application named can steer the terminal', async () => {
    const lines = [{ ...VALUES.lines[0], tags: { 'a\u001b[31m': 'b\u009b2J\n' } }]
    for (const output of ['pretty', 'jsonl', 'csv']) {
      const args = ['shop\u001b[2J', '-o', output]
      const { stdout, stderr } = await run({ ...VALUES, lines }, args, { isTTY: true })
      // eslint-disable-next-line no-control-regex -- these are the ones to find
      expect(stdout + stderr.replaceAll(/\u001b\[\d+m/g, '')).not.toMatch(/\u001b\[(?:2J|31m)|\u009b/)
    }
  })

  test('a wrong kind is a usage error, without a question', async () => {
    const { code, stderr, request } = await run(VALUES, ['shop.orders', '--kind', 'timer'])
    expect(code).toBe(2)
    expect(stderr).toContain('counter, gauge, set, distribution')
    expect(request).toBeUndefined()
  })
})

describe('metrics without a name, or with wildcards', () => {
  const NAMES = {
    names: [
      { name: 'host.load1', kind: 'gauge', series: 4 },
      { name: 'my.shop.orders', kind: 'counter', series: 1 },
      { name: 'shop.orders', kind: 'counter', series: 1_200 },
    ],
    total: 3,
    meta: meta(),
  }

  test('lists the names', async () => {
    const { stdout, stderr, request, code } = await run(NAMES, [])
    expect(request).toMatchObject({ path: '/v1/metrics/names', parameters: { prefix: '', limit: '10000' } })
    expect(stdout).toBe(
      [
        'kind     series  name',
        'gauge         4  host.load1',
        'counter       1  my.shop.orders',
        'counter   1,200  shop.orders',
        '',
      ].join('\n'),
    )
    expect(stderr).toBe(`3 names\n${COMPLETE}`)
    expect(code).toBe(0)
  })

  test('lists those that the pattern matches', async () => {
    const { stdout, stderr, request } = await run({ ...NAMES, total: 20_000 }, ['shop.*', '-o', 'csv'])
    expect(request?.parameters['prefix']).toBe('shop.')
    expect(stdout).toBe('kind,series,name\ncounter,1200,shop.orders\n')
    expect(stderr).toBe(`1 name; 19,997 more were not looked at\n${COMPLETE}`)
    expect((await run(NAMES, ['--kind', 'gauge', '-o', 'csv'])).stdout).toBe(
      'kind,series,name\ngauge,4,host.load1\n',
    )
  })
})

test('metrics tags shows tags with their most frequent values', async () => {
  const values = [1, 2, 3, 4, 5, 6].map((n) => ({ value: n === 1 ? '' : `web-${n}`, series: 7 - n }))
  const answer = { tags: [{ tag: 'host', values, valuesTotal: 6 }], series: 1_021, meta: meta() }
  const { stdout, stderr, request } = await run(answer, [
    'tags',
    'shop.orders',
    '--tag',
    'env:prod',
    '--since',
    '1h',
  ])
  expect(request).toMatchObject({
    path: '/v1/metrics/tags',
    parameters: { name: 'shop.orders', tags: 'env:prod', from: 'now-3600000ms' },
  })
  expect(stdout).toBe(
    'tag   values  most frequent\nhost       6  "" (6), web-2 (5), web-3 (4), web-4 (3), web-5 (2)\n',
  )
  expect(stderr).toBe(`1,021 series of shop.orders\n${COMPLETE}`)
})

describe('numbers', () => {
  test.each([
    [[0, 1, 2, 4, 8], 80, '·▁▂▄█'],
    [[null, 5, null], 80, ' █ '],
    [[1, 9, 2, 3], 2, '█▃'],
    [[null, null, 2, null], 2, ' █'],
    [[-4, 0, 4], 80, '▁▄█'],
    [[0, 0], 80, '··'],
    [[], 80, ''],
  ])('the line of %j in %i characters', (values, charsMax, line) => {
    expect(valueLine(values, charsMax)).toBe(line)
  })

  test.each([
    [0, '0'],
    [12_345.6, '12,346'],
    [12.345, '12.35'],
    [-0.012345, '-0.0123'],
    [1e-9, '0.000000001'],
  ])('%d is shown as %s', (value, shown) => {
    expect(measured(value)).toBe(shown)
  })

  test.each([
    [10_000, '10 s'],
    [300_000, '5 min'],
    [3_600_000, '1 h'],
    [172_800_000, '2 d'],
    [90_000, '90 s'],
    [1_500, '1,500 ms'],
  ])('a step of %i ms is %s', (ms, name) => {
    expect(stepName(ms)).toBe(name)
  })
})
