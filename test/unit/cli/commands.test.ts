import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { environment, json, meta, runCommandLine, scriptedNode, site } from './harness.ts'

const folder = mkdtempSync(join(tmpdir(), 'noctule-cli-'))
afterAll(() => rmSync(folder, { recursive: true }))

const HISTOGRAM = {
  intervalMs: 360_000,
  buckets: [{ start: '2026-11-21T03:06:00.000Z', total: 12, by: { error: 2, '': 10 } }],
  meta: meta(),
}

test.each([
  {
    output: 'pretty',
    stdout: `2026-11-21T03:00:00Z  0\n2026-11-21T03:06:00Z 12 ${'█'.repeat(37)} (none) 10, error 2\n`,
  },
  {
    output: 'csv',
    stdout: 'start,total,(none),error\n2026-11-21T03:00:00.000Z,0,0,0\n2026-11-21T03:06:00.000Z,12,10,2\n',
  },
  { output: 'jsonl', stdout: `${JSON.stringify(HISTOGRAM.buckets[0])}\n` },
])('histogram: $output', async ({ output, stdout }) => {
  await using node = await scriptedNode(json(HISTOGRAM))
  const run = await runCommandLine(['histogram', 'a', '--by', 'level', '--interval', '6m', '-o', output], {
    environment: environment(node.url),
    columns: 81,
  })
  expect(run).toEqual({ code: 0, stdout, stderr: 'complete to 03:12:07 for 1 of 1 site\n' })
  expect(node.requests[0]).toMatchObject({
    path: '/v1/histogram',
    parameters: { q: 'a', by: 'level', interval: '6m' },
  })
})

const QUANTILES = {
  intervalMs: 360_000,
  buckets: [{ start: '2026-11-21T03:06:00.000Z', total: 1_200, by: {}, quantiles: { '': 1_234.5 } }],
  meta: meta(),
}
const QUANTILES_BY = {
  ...QUANTILES,
  buckets: [
    {
      start: '2026-11-21T03:06:00.000Z',
      total: 12,
      by: { api: 10, web: 2 },
      quantiles: { web: 80, api: 0.25 },
    },
  ],
}

test.each([
  {
    name: 'pretty',
    answer: QUANTILES,
    args: [],
    stdout: `2026-11-21T03:00:00Z     0  p99 –\n2026-11-21T03:06:00Z 1,200  p99 1,234.5 ${'█'.repeat(38)}\n`,
  },
  {
    name: 'pretty by service: the bar is the highest',
    answer: QUANTILES_BY,
    args: ['--by', 'service'],
    stdout: `2026-11-21T03:00:00Z  0  p99 –\n2026-11-21T03:06:00Z 12  p99 80 ${'█'.repeat(30)} web 80, api 0.25\n`,
  },
  {
    name: 'csv',
    answer: QUANTILES,
    args: ['-o', 'csv'],
    stdout: 'start,total,p99\n2026-11-21T03:00:00.000Z,0,\n2026-11-21T03:06:00.000Z,1200,1234.5\n',
  },
  {
    name: 'csv by service',
    answer: QUANTILES_BY,
    args: ['--by', 'service', '-o', 'csv'],
    stdout:
      'start,total,api,web,p99 api,p99 web\n2026-11-21T03:00:00.000Z,0,0,0,,\n2026-11-21T03:06:00.000Z,12,10,2,0.25,80\n',
  },
  {
    name: 'jsonl',
    answer: QUANTILES,
    args: ['-o', 'jsonl'],
    stdout: `${JSON.stringify(QUANTILES.buckets[0])}\n`,
  },
])('histogram of a quantile: $name', async ({ answer, args, stdout }) => {
  await using node = await scriptedNode(json(answer))
  const run = await runCommandLine(['histogram', '--quantile', 'p99', ...args], {
    environment: environment(node.url),
    columns: 80,
  })
  expect(run).toEqual({ code: 0, stdout, stderr: 'complete to 03:12:07 for 1 of 1 site\n' })
  expect(node.requests[0]?.parameters).toMatchObject({ quantile: 'p99', of: 'latency_ms' })
})

test('sites shows every site; one that is incomplete makes the exit code 3', async () => {
  await using node = await scriptedNode(json({ sites: { eu: site.complete, us: site.incomplete } }))
  const run = await runCommandLine(['sites'], { environment: environment(node.url) })
  expect(run.code).toBe(3)
  expect(run.stdout.split('\n')).toEqual([
    'site  complete  completeTo                gapsTotal',
    'eu    yes       2026-11-21T03:12:07.000Z          0',
    'us    no        2026-11-21T03:10:01.000Z          1',
    '',
  ])
  expect(run.stderr).toMatch(/^INCOMPLETE: complete for 1 of 2 sites; us: /)
})

test('collectors shows the state of each', async () => {
  const seen = { site: 'eu', host: 'h', markAt: '2026-11-21T03:12:00.000Z', leftAt: null, clonedAt: null }
  const collectors = [
    { ...seen, collector: 'a' },
    { ...seen, collector: 'b', leftAt: seen.markAt },
    { ...seen, collector: 'c', clonedAt: seen.markAt },
    { ...seen, collector: 'd', markAt: null },
  ]
  await using node = await scriptedNode(json({ collectors }))
  const run = await runCommandLine(['collectors', '-o', 'csv'], { environment: environment(node.url) })
  expect(run.stdout.split('\n').map((line) => line.split(',').slice(0, 4).join())).toEqual([
    'collector,host,site,state',
    'a,h,eu,expected',
    'b,h,eu,left',
    'c,h,eu,cloned',
    'd,h,eu,importer',
    '',
  ])
})

/** Reads the body and answers with what came. */
function taking(bodies: string[], answer: unknown) {
  return async (request: IncomingMessage, response: ServerResponse) => {
    let body = ''
    for await (const chunk of request) body += String(chunk)
    bodies.push(body)
    json(answer)(request, response, new URL('http://node'))
  }
}

test.each([
  { name: 'a file', file: join(folder, 'records.jsonl'), stdin: '' },
  { name: 'standard input', file: '-', stdin: '{"message":"x"}\n' },
])('import sends $name as it is', async ({ file, stdin }) => {
  writeFileSync(join(folder, 'records.jsonl'), '{"message":"x"}\n')
  const bodies: string[] = []
  const handler = taking(bodies, { imported: 1, refusedTotal: 0, refused: [] })
  await using node = await scriptedNode((request, response) => void handler(request, response))
  const run = await runCommandLine(['import', file], { environment: environment(node.url), stdin })
  expect(run).toEqual({ code: 0, stdout: 'imported 1 record\n', stderr: '' })
  expect(bodies).toEqual(['{"message":"x"}\n'])
  expect(node.requests[0]?.headers['content-type']).toBe('application/x-ndjson')
})

test('import names the refused lines and ends with exit code 1', async () => {
  const refused = [{ line: 2, problem: 'not JSON: \u001b' }]
  const handler = taking([], { imported: 1_000, refusedTotal: 3, refused })
  await using node = await scriptedNode((request, response) => void handler(request, response))
  const run = await runCommandLine(['import', '-'], { environment: environment(node.url), stdin: 'x' })
  expect(run).toEqual({
    code: 1,
    stdout: 'imported 1,000 records\n',
    stderr: 'line 2: not JSON: \\x1b\nrefused 3 lines, 2 of them not named above\n',
  })
})

test.each([{ file: join(folder, 'absent') }, { file: folder }])(
  'import cannot read $file',
  async ({ file }) => {
    const run = await runCommandLine(['import', file], { environment: environment('http://127.0.0.1:1') })
    expect(run).toMatchObject({ code: 2, stdout: '' })
    expect(run.stderr).toContain(`cannot read ${file}`)
  },
)

test('import says when it is denied', async () => {
  await using node = await scriptedNode(json({ code: 'DENIED', detail: 'needs the role admin' }, 403))
  const run = await runCommandLine(['import', '-'], { environment: environment(node.url), stdin: 'x' })
  expect(run).toMatchObject({ code: 5, stderr: 'noctule: needs the role admin\n' })
})
