import { expect, test } from 'vitest'
import { environment, json, meta, record, runCommandLine, scriptedNode } from './harness.ts'

const COMPLETE = 'complete to 03:12:07 for 1 of 1 site\n'
const lines = (...all: string[]) => all.map((line) => `${line}\n`).join('')
const at = (time: string, day = '2026-11-21') => `${day}T${time}.000Z`

const TOP = {
  field: 'host',
  values: [
    {
      value: 'web-1',
      count: 1_024,
      share: 1_024 / 1_260,
      first: at('23:59:59', '2026-11-20'),
      last: at('03:11:00'),
    },
    { value: '', count: 1, share: 1 / 1_260, first: at('03:00:00'), last: at('03:00:00') },
  ],
  matched: 1_300,
  having: 1_260,
  distinct: 40,
  approximate: false,
  meta: meta(),
}

const FIELDS = {
  fields: [
    { name: 'level', types: ['string'], share: 1, distinct: 2, examples: ['error', 'info'] },
    {
      name: 'labels.n',
      types: ['number', 'string'],
      share: 0.0001,
      distinct: 1_200,
      examples: [7, 'a b', ''],
    },
  ],
  fieldsTotal: 2,
  sampled: 2_000,
  meta: meta(),
}

const PATTERNS = {
  patterns: [
    {
      pattern: 'p1',
      template: 'timeout after <n> ms',
      count: 9,
      share: 0.9,
      first: at('03:00:10'),
      last: at('03:11:50'),
      trend: [
        { start: at('03:00:00'), count: 1 },
        { start: at('03:09:00'), count: 8 },
      ],
      example: record(1),
    },
    {
      pattern: '',
      template: 'started',
      count: 1,
      share: 0.1,
      first: at('03:06:01'),
      last: at('03:06:01'),
      trend: [{ start: at('03:06:00'), count: 1 }],
      example: record(2),
    },
  ],
  distinct: 3,
  matched: 10,
  intervalMs: 180_000,
  meta: meta(),
}

const EXPLANATION = {
  plan: { type: 'word', word: 'a\u009b' },
  partitions: 24,
  partitionsRead: 3,
  blocks: { total: 200, outOfRange: 150, excludedByValues: 20, excludedByWords: 18, read: 12 },
  records: 120_000,
  bytes: 12_900_000,
  exact: true,
  meta: meta(),
}

const CONTEXT = { before: [record(1)], record: record(2), after: [record(3)], meta: meta() }
const CONTEXT_ID = record(2).id
const pretty = (second: number) => `2026-11-21T03:12:0${second}.000Z INFO  eu/web-1 api message ${second}`

const CASES = [
  {
    args: ['top', 'host', 'level:error', '-n', '2'],
    path: '/v1/top',
    parameters: { q: 'level:error', field: 'host', limit: '2' },
    answer: TOP,
    stdout: lines(
      'count   share  first                last      host',
      '1,024  81.3 %  2026-11-20 23:59:59  03:11:00  web-1',
      '    1   0.1 %  03:00:00             03:00:00  ""',
    ),
    stderr: `2 of 40 values; 1,260 of 1,300 records have host\n${COMPLETE}`,
    rows: TOP.values,
    csv: lines(
      'count,share,first,last,host',
      `1024,${1_024 / 1_260},2026-11-20T23:59:59.000Z,2026-11-21T03:11:00.000Z,web-1`,
      `1,${1 / 1_260},2026-11-21T03:00:00.000Z,2026-11-21T03:00:00.000Z,`,
    ),
  },
  {
    args: ['fields', '--service', 'api', '--sample', '2000'],
    path: '/v1/fields',
    parameters: { q: 'service:("api")', sample: '2000' },
    answer: FIELDS,
    stdout: lines(
      'field     types            share  distinct  examples',
      'level     string         100.0 %         2  error, info',
      'labels.n  number string   <0.1 %     1,200  7, "a b", ""',
    ),
    stderr: `2 fields, in the newest 2,000 records\n${COMPLETE}`,
    rows: FIELDS.fields,
    csv: lines(
      'field,types,share,distinct,examples',
      'level,string,1,2,"[""error"",""info""]"',
      'labels.n,number string,0.0001,1200,"[7,""a b"",""""]"',
    ),
  },
  {
    args: ['patterns', '-n', '2', '--interval', '3m'],
    path: '/v1/patterns',
    parameters: { q: '', limit: '2', interval: '3m' },
    answer: PATTERNS,
    stdout: lines(
      'count   share  trend  first     last      pattern  template',
      '    9  90.0 %  ▁··█   03:00:10  03:11:50  p1       timeout after <n> ms',
      '    1  10.0 %  ··█·   03:06:01  03:06:01  (none)   started',
    ),
    stderr: `2 of 3 patterns in 10 records\n${COMPLETE}`,
    rows: PATTERNS.patterns,
    csv: /^count,share,trend,first,last,pattern,template,example\n9,0\.9,"\[\{""start"".*\n1,0\.1,.*\n$/,
  },
  {
    args: ['context', CONTEXT_ID, '-B', '1', '-A', '0', '--of', 'host', '--time', at('03:12:02')],
    path: '/v1/context',
    parameters: { id: CONTEXT_ID, before: '1', after: '0', of: 'host', time: at('03:12:02') },
    answer: CONTEXT,
    stdout: lines(`  ${pretty(1)}`, `> ${pretty(2)}`, `  ${pretty(3)}`),
    stderr: COMPLETE,
    rows: [record(1), record(2), record(3)],
    csv: /^time,id,.*\n2026-11-21T03:12:01\.000Z,.*\n2026-11-21T03:12:02.*\n2026-11-21T03:12:03.*\n$/,
  },
  {
    args: ['explain', 'a', '--since', '1d'],
    path: '/v1/explain',
    parameters: { q: 'a', from: 'now-86400000ms' },
    answer: EXPLANATION,
    stdout: lines(
      'partitions  3 of 24 are read',
      'blocks      12 of 200 are read; left out: 150 by time, 20 by level or service, 18 by words',
      'records     120,000 records in the blocks that are read',
      'bytes       12.3 MiB on disk',
      'decided     by the store',
      String.raw`plan        {"type":"word","word":"a\x9b"}`,
    ),
    stderr: COMPLETE,
    rows: [EXPLANATION],
    csv: lines(
      'partitions,partitionsRead,blocks,outOfRange,excludedByValues,excludedByWords,blocksRead,records,bytes,exact,plan',
      '24,3,200,150,20,18,12,120000,12900000,yes,"{""type"":""word"",""word"":""a\u009b""}"',
    ),
  },
]

test.each(CASES)('$path for people', async ({ args, path, parameters, answer, stdout, stderr }) => {
  await using node = await scriptedNode(json(answer))
  const run = await runCommandLine(args, { environment: environment(node.url) })
  expect(run).toEqual({ code: 0, stdout, stderr })
  expect(node.requests).toMatchObject([{ method: 'GET', path }])
  expect(node.requests[0]?.parameters).toEqual(parameters)
})

test.each(CASES)('$path for programs', async ({ args, answer, rows, csv }) => {
  await using node = await scriptedNode(json(answer))
  const jsonl = await runCommandLine([...args, '-o', 'jsonl'], { environment: environment(node.url) })
  const objects = jsonl.stdout.trimEnd().split('\n')
  expect(objects.map((line) => JSON.parse(line) as unknown)).toEqual(rows)
  const table = await runCommandLine([...args, '-o', 'csv'], { environment: environment(node.url) })
  expect(table.stdout).toSatisfy((text: string) => (typeof csv === 'string' ? text === csv : csv.test(text)))
})

test.each(CASES)(
  '$path: an incomplete answer is shown and ends with exit code 3',
  async ({ args, answer }) => {
    await using node = await scriptedNode(json({ ...answer, meta: meta({ complete: false }) }))
    const run = await runCommandLine(args, { environment: environment(node.url) })
    expect(run.code).toBe(3)
    expect(run.stdout).not.toBe('')
    expect(run.stderr).toMatch(/INCOMPLETE: local: complete to 03:10:01; web-3: 1,024 records lost .*\n$/)
  },
)

test.each(CASES)('$path: an answer of another shape is no answer', async ({ args, path, answer }) => {
  await using node = await scriptedNode(json({ ...answer, meta: undefined }))
  const run = await runCommandLine(args, { environment: environment(node.url) })
  expect(run).toMatchObject({ code: 4, stdout: '' })
  expect(run.stderr, path).toBe(`noctule: ${node.url} does not answer as this version of noctule expects\n`)
})

test.each(CASES)('$path: what the node refuses decides the exit code', async ({ args }) => {
  await using node = await scriptedNode(
    json({ code: 'UNSUPPORTED', detail: 'field: no \u001b[2J' }, 400),
    json({ code: 'DENIED', detail: 'needs the role search' }, 403),
    json({ code: 'NOT_FOUND', detail: 'there is no such record' }, 404),
    json({ code: 'CANCELLED', detail: 'the query was cancelled by root' }, 499),
    json({ code: 'DEADLINE', detail: 'too late' }, 504),
  )
  const runs = []
  for (let at = 0; at < 5; at++) runs.push(await runCommandLine(args, { environment: environment(node.url) }))
  expect(runs.map(({ code }) => code)).toEqual([2, 5, 1, 1, 4])
  expect(runs[0]?.stderr).toBe('noctule: field: no \\x1b[2J\n')
})

test.each(CASES)('$path: Ctrl-C gives up the request', async ({ args }) => {
  let isGone = false
  const asked = Promise.withResolvers<void>()
  await using node = await scriptedNode((request) => {
    request.socket.once('close', () => (isGone = true))
    asked.resolve()
  })
  const run = await runCommandLine(args, {
    environment: environment(node.url),
    interruptAfter: asked.promise,
  })
  expect(run).toEqual({ code: 130, stdout: '', stderr: '' })
  await expect.poll(() => isGone, { timeout: 5_000 }).toBe(true)
})

test.each(CASES)('$path: nothing from a log steers the terminal', async ({ args, answer }) => {
  const hostile = (value: unknown): unknown => {
    if (typeof value === 'string') return /^[a-z]/.test(value) ? `${value}\u001b[2J\u009b\r\u202e` : value
    if (Array.isArray(value)) return value.map(hostile)
    if (typeof value !== 'object' || value === null) return value
    return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, hostile(inner)]))
  }
  await using node = await scriptedNode(json(hostile({ ...answer, meta: meta({ complete: false }) })))
  for (const output of ['pretty', 'jsonl', 'csv']) {
    const run = await runCommandLine([...args, '-o', output], {
      environment: environment(node.url),
      isTTY: true,
    })
    expect(run.code).toBe(3)
    const shown = run.stdout + run.stderr
    // eslint-disable-next-line no-control-regex -- our own colours are fine, all else is not
    expect(shown.replaceAll(/\u001b\[\d+m/g, '')).not.toMatch(/[\0-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e]/)
  }
})

test('a value that is cut by the terminal keeps its row on one line', async () => {
  const value = `first line\nsecond\t${'x'.repeat(200)}`
  const answer = { ...TOP, values: [{ ...TOP.values[0], value }] }
  await using node = await scriptedNode(json(answer))
  const run = await runCommandLine(['top', 'host'], {
    environment: environment(node.url),
    isTTY: true,
    columns: 80,
  })
  const [head, row, ...rest] = run.stdout.split('\n')
  expect(head).toBe(`\u001b[1mcount   share  first                last      host\u001b[0m`)
  expect(row).toContain(String.raw`first line\nsecond\tx`)
  expect(row).toMatch(/…$/)
  expect(row).toHaveLength(80)
  expect(rest).toEqual([''])
})

test('approximate counts are called so', async () => {
  await using node = await scriptedNode(json({ ...TOP, approximate: true }))
  const run = await runCommandLine(['top', 'host'], { environment: environment(node.url) })
  expect(run.stderr).toContain('; approximate: counts are lower bounds\n')
})

test.each([
  { more: { of: 2_000 }, told: '2 fields, in all 2,000 records' },
  { more: { fieldsTotal: 1_234 }, told: '2 of 1,234 fields, in the newest 2,000 records' },
  { more: { sampled: 1, of: 1 }, told: '2 fields, in all 1 record' },
])('fields says what was looked at: $told', async ({ more, told }) => {
  await using node = await scriptedNode(json({ ...FIELDS, ...more }))
  const run = await runCommandLine(['fields'], { environment: environment(node.url) })
  expect(run.stderr).toBe(`${told}\n${COMPLETE}`)
})

test('further lines of a message stay below their record', async () => {
  const failed = record(2, { message: 'boom\n  at x' })
  await using node = await scriptedNode(json({ ...CONTEXT, record: failed }))
  const run = await runCommandLine(['context', CONTEXT_ID], { environment: environment(node.url) })
  expect(run.stdout.split('\n').slice(1, 3)).toEqual([
    '> 2026-11-21T03:12:02.000Z INFO  eu/web-1 api boom',
    '        at x',
  ])
  expect(node.requests[0]?.parameters).toEqual({ id: CONTEXT_ID, before: '20', after: '20', of: 'file' })
})

test('search takes --grep and --oldest, prints the oldest first as it comes, and shows ids', async () => {
  const page = { records: [record(1), record(2)], meta: meta({ cursor: 'c' }) }
  await using node = await scriptedNode(json(page))
  const args = ['search', '--grep', 'a.*b', '--oldest', '--ids', '-n', '2']
  const run = await runCommandLine(args, { environment: environment(node.url) })
  expect(run.stdout).toBe(lines(`${record(1).id} ${pretty(1)}`, `${record(2).id} ${pretty(2)}`))
  expect(run.stderr).toContain('the oldest 2 records; there are more, see -n\n')
  expect(node.requests[0]?.parameters).toEqual({ q: '', grep: 'a.*b', order: 'oldest', limit: '2' })
})

test.each([
  { args: ['top'] },
  { args: ['top', 'host', '-n', '0'] },
  { args: ['fields', '--sample', 'x'] },
  { args: ['context'] },
  { args: ['context', 'x', '-B', '-1'] },
  { args: ['context', 'x', '--of', 'site'] },
  { args: ['context', 'x', '--timeout', 'long'] },
  { args: ['patterns', '-o', 'xml'] },
  { args: ['histogram', '--quantile', 'p100'] },
  { args: ['histogram', '--quantile', '99'] },
  { args: ['histogram', '--of', 'latency_ms'] },
  { args: ['histogram', '--quantile', 'p99', '--of', 'host'] },
  { args: ['histogram', '--by', 'message'] },
  { args: ['export', '-n', '0'] },
  { args: ['queries', 'cancel'] },
  { args: ['queries', 'stop'] },
  { args: ['collectors', 'retire'] },
  { args: ['collectors', 'remove', 'x'] },
  { args: ['explain', 'a AND', '--service', 'x'] },
])('wrong usage ends with exit code 2 before anybody is asked: $args', async ({ args }) => {
  await using node = await scriptedNode(json({}))
  const run = await runCommandLine(args, { environment: environment(node.url) })
  expect(run).toMatchObject({ code: 2, stdout: '' })
  expect(run.stderr).not.toBe('')
  expect(node.requests).toEqual([])
})
