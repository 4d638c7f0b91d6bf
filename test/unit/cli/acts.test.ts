import { expect, test } from 'vitest'
import { environment, json, runCommandLine, scriptedNode } from './harness.ts'

const QUERIES = [
  {
    id: 'q1',
    kind: 'export',
    query: 'a b',
    user: 'ann',
    from: '2026-11-20T03:00:00.000Z',
    to: '2026-11-21T03:00:00.000Z',
    startedAt: '2026-11-21T03:12:10.000Z',
    runningMs: 20_400,
    state: 'running',
  },
  {
    id: 'q2',
    kind: 'tail',
    query: '\u001b[2J\nx',
    user: 'bob',
    from: null,
    to: null,
    startedAt: '2026-11-21T03:12:29.050Z',
    runningMs: 950,
    state: 'waiting',
  },
]
const PRETTY = [
  'id  kind    state    user  startedAt  runningMs  from                 to        query',
  'q1  export  running  ann   03:12:10      20.4 s  2026-11-20 03:00:00  03:00:00  a b',
  String.raw`q2  tail    waiting  bob   03:12:29      950 ms                                 \x1b[2J\nx`,
  '',
].join('\n')

test.each([{ args: ['queries'] }, { args: ['queries', 'list'] }])(
  '$args shows the queries',
  async ({ args }) => {
    await using node = await scriptedNode(json({ queries: QUERIES }))
    const run = await runCommandLine(args, { environment: environment(node.url) })
    expect(run).toEqual({ code: 0, stdout: PRETTY, stderr: '' })
    expect(node.requests).toMatchObject([{ method: 'GET', path: '/v1/queries' }])
  },
)

test('queries for programs', async () => {
  await using node = await scriptedNode(json({ queries: QUERIES }))
  const jsonl = await runCommandLine(['queries', '-o', 'jsonl'], { environment: environment(node.url) })
  expect(
    jsonl.stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as unknown),
  ).toEqual(QUERIES)
  const csv = await runCommandLine(['queries', 'list', '-o', 'csv'], { environment: environment(node.url) })
  expect(csv.stdout).toMatch(
    /^id,kind,state,user,startedAt,runningMs,from,to,query\nq1,export,running,ann,.*,20400,/,
  )
})

test('a list of another shape is no answer', async () => {
  await using node = await scriptedNode(json({ queries: [{}] }))
  expect(await runCommandLine(['queries'], { environment: environment(node.url) })).toMatchObject({
    code: 4,
    stdout: '',
  })
})

const ACTS = [
  {
    args: ['queries', 'cancel'],
    method: 'DELETE',
    path: '/v1/queries/a%2Fb%20%1B',
    told: 'cancelled a/b \\x1b\n',
  },
  {
    args: ['collectors', 'retire'],
    method: 'POST',
    path: '/v1/collectors/a%2Fb%20%1B/retire',
    told: 'a/b \\x1b is no longer expected\n',
  },
]

test.each(ACTS)('$args says that it is done', async ({ args, method, path, told }) => {
  await using node = await scriptedNode((_request, response) => response.writeHead(204).end())
  const run = await runCommandLine([...args, 'a/b \u001b'], { environment: environment(node.url) })
  expect(run).toEqual({ code: 0, stdout: told, stderr: '' })
  expect(node.requests).toMatchObject([{ method, path, headers: { authorization: 'Bearer t' } }])
})

test.each(ACTS)('$args says what went wrong', async ({ args }) => {
  await using node = await scriptedNode(
    json({ code: 'NOT_FOUND', detail: 'no such query' }, 404),
    json({ code: 'DENIED', detail: 'needs the role admin' }, 403),
    json({ code: 'SHUTTING_DOWN', detail: 'the program is stopping' }, 503),
  )
  const runs = []
  for (let at = 0; at < 3; at++)
    runs.push(await runCommandLine([...args, 'x'], { environment: environment(node.url) }))
  expect(runs).toEqual([
    { code: 1, stdout: '', stderr: 'noctule: no such query\n' },
    { code: 5, stdout: '', stderr: 'noctule: needs the role admin\n' },
    { code: 4, stdout: '', stderr: 'noctule: the program is stopping\n' },
  ])
})
