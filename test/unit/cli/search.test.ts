import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { isThisHost } from '../../../cli/client.ts'
import { json, meta, record, runCommandLine, scriptedNode } from './harness.ts'

const dataDir = mkdtempSync(join(tmpdir(), 'noctule-cli-'))
writeFileSync(join(dataDir, 'admin-token'), 'local-token\n')
afterAll(() => rmSync(dataDir, { recursive: true }))

const environment = (url: string) => ({ NOCTULE_URL: url, NOCTULE_TOKEN: 'given-token' })
const page = (...seconds: number[]) => ({ records: seconds.map((second) => record(second)), meta: meta() })

test('search prints the newest record last, and the completeness on standard error', async () => {
  await using node = await scriptedNode(json(page(3, 2, 1)))
  const run = await runCommandLine(['search', 'message'], { environment: environment(node.url) })
  expect(run).toEqual({
    code: 0,
    stdout: [1, 2, 3].map((n) => `2026-11-21T03:12:0${n}.000Z INFO  eu/web-1 api message ${n}\n`).join(''),
    stderr: 'complete to 03:12:07 for 1 of 1 site\n',
  })
  expect(node.requests[0]).toMatchObject({
    path: '/v1/search',
    parameters: { q: 'message', limit: '100' },
    headers: { authorization: 'Bearer given-token' },
  })
})

test('jsonl and csv keep the order of the API, newest first', async () => {
  await using node = await scriptedNode(json(page(2, 1)))
  const jsonl = await runCommandLine(['search', '-o', 'jsonl'], { environment: environment(node.url) })
  expect(
    jsonl.stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as unknown),
  ).toEqual([record(2), record(1)])
  const csv = await runCommandLine(['search', '-o', 'csv'], { environment: environment(node.url) })
  expect(csv.stdout.split('\n').map((line) => line.slice(0, 24))).toEqual([
    'time,id,ingested,message',
    '2026-11-21T03:12:02.000Z',
    '2026-11-21T03:12:01.000Z',
    '',
  ])
})

test('an incomplete answer is printed, its gaps are named, and the exit code is 3', async () => {
  await using node = await scriptedNode(json({ records: [record(1)], meta: meta({ complete: false }) }))
  const run = await runCommandLine(['search'], { environment: environment(node.url) })
  expect(run.code).toBe(3)
  expect(run.stdout).toContain('message 1')
  expect(run.stderr).toBe(
    'INCOMPLETE: local: complete to 03:10:01; web-3: 1,024 records lost 03:10:01–03:10:04 (spool full)\n',
  )
})

test('-n goes through the pages of the node; one incomplete page makes the answer incomplete', async () => {
  await using node = await scriptedNode(
    json({
      records: Array.from({ length: 1_000 }, () => record(9)),
      meta: meta({ cursor: 'c1', complete: false }),
    }),
    json({ records: [record(2), record(1)], meta: meta({ cursor: 'c2' }) }),
  )
  const run = await runCommandLine(['search', 'a', '--since', '1h', '-n', '1002', '-o', 'jsonl'], {
    environment: environment(node.url),
  })
  expect(run.stdout.trim().split('\n')).toHaveLength(1_002)
  expect(node.requests.map(({ parameters }) => parameters)).toEqual([
    { q: 'a', from: 'now-3600000ms', limit: '1000' },
    { q: 'a', from: 'now-3600000ms', limit: '2', cursor: 'c1' },
  ])
  expect(run.code).toBe(3)
  expect(run.stderr).toContain('the newest 1,002 records; there are more')
})

test('filters are quoted and AND-ed to the whole query', async () => {
  await using node = await scriptedNode(json(page()))
  const args = [
    'search',
    'a',
    'OR',
    'b',
    '--service',
    'x" OR *',
    '--host',
    'h\\1',
    '--host',
    'h2',
    '--site',
    'eu',
  ]
  await runCommandLine([...args, '--from', 'now/d', '--to', 'now', '--timeout', '2s'], {
    environment: environment(node.url),
  })
  expect(node.requests[0]?.parameters).toEqual({
    q: String.raw`(a OR b) AND service:("x\" OR *") AND host:("h\\1" OR "h2")`,
    sites: 'eu',
    from: 'now/d',
    to: 'now',
    timeout: '2000',
    limit: '100',
  })
})

test('filters alone are the query', async () => {
  await using node = await scriptedNode(json(page()))
  await runCommandLine(['search', '--level', 'error'], { environment: environment(node.url) })
  expect(node.requests[0]?.parameters['q']).toBe('level:("error")')
})

test('a query that could break out of its parentheses is refused before it is sent', async () => {
  await using node = await scriptedNode(json(page()))
  const run = await runCommandLine(['search', 'a) OR (b', '--service', 'x'], {
    environment: environment(node.url),
  })
  expect(run.code).toBe(2)
  expect(run.stderr).toContain('  a) OR (b\n   ^\n')
  expect(node.requests).toEqual([])
})

test('a query that the node refuses is shown with a mark under the place', async () => {
  const problem = { code: 'QUERY_SYNTAX', detail: 'column 6: found …', details: { column: 6 } }
  await using node = await scriptedNode(json(problem, 400))
  const run = await runCommandLine(['search', 'a AND'], { environment: environment(node.url) })
  expect(run).toMatchObject({
    code: 2,
    stdout: '',
    stderr: 'noctule: column 6: found …\n  a AND\n       ^\n',
  })
})

test.each([
  { status: 400, code: 'BAD_REQUEST', exit: 2 },
  { status: 401, code: 'UNAUTHENTICATED', exit: 5 },
  { status: 403, code: 'DENIED', exit: 5 },
  { status: 404, code: 'NOT_FOUND', exit: 1 },
  { status: 429, code: 'OVERLOADED', exit: 4 },
  { status: 500, code: 'INTERNAL', exit: 4 },
  { status: 503, code: 'STORE_UNAVAILABLE', exit: 4 },
  { status: 503, code: 'A_CODE_OF_TOMORROW', exit: 4 },
  { status: 504, code: 'DEADLINE', exit: 4 },
])('the answer $status $code ends with exit code $exit and one line', async ({ status, code, exit }) => {
  await using node = await scriptedNode(
    json({ code, detail: 'what happened' }, status, { 'retry-after': '7' }),
  )
  const run = await runCommandLine(['search'], { environment: environment(node.url) })
  expect(run).toMatchObject({ code: exit, stdout: '' })
  expect(run.stderr).toMatch(/^noctule: what happened; try again in 7 s.*\n$/)
})

test('where nothing listens, the message says what to do', async () => {
  const node = await scriptedNode(json({}))
  await node[Symbol.asyncDispose]()
  const run = await runCommandLine(['search'], { environment: environment(node.url) })
  expect(run.code).toBe(4)
  expect(run.stderr).toBe(
    `noctule: nothing listens on ${node.url}; is it running? start it with "npm start", or set NOCTULE_URL\n`,
  )
})

test.each([
  { name: 'a page of somebody else', body: '<html>', status: 200 },
  { name: 'an answer of another shape', body: '{"hits":[]}', status: 200 },
  { name: 'a proxy without its node', body: '<html>', status: 502 },
])('$name is no answer', async ({ body, status }) => {
  await using node = await scriptedNode((_request, response) => response.writeHead(status).end(body))
  const run = await runCommandLine(['search'], { environment: environment(node.url) })
  expect(run).toMatchObject({ code: 4, stdout: '' })
  expect(run.stderr).toMatch(/^noctule: .+\n$/)
})

test('an answer that breaks off is no answer', async () => {
  await using node = await scriptedNode((_request, response) => {
    response.writeHead(200, { 'content-length': '1000' })
    response.write('{"records":', () => response.destroy())
  })
  const run = await runCommandLine(['search'], { environment: environment(node.url) })
  expect(run).toMatchObject({ code: 4, stdout: '' })
})

test('the admin token of the data directory is sent to this host', async () => {
  await using node = await scriptedNode(json(page()))
  await runCommandLine(['search'], { environment: { NOCTULE_URL: node.url, NOCTULE_DATA_DIR: dataDir } })
  expect(node.requests[0]?.headers.authorization).toBe('Bearer local-token')
})

test.each([
  { url: 'http://127.0.0.1:8600', here: true },
  { url: 'http://localhost:8600', here: true },
  { url: 'http://[::1]:8600', here: true },
  { url: 'http://10.1.2.3:8600', here: true },
  { url: 'http://10.1.2.4:8600', here: false },
  { url: 'http://127.0.0.1.evil.example', here: false },
  { url: 'http://127.evil.example', here: false },
  { url: 'http://localhost@evil.example', here: false },
])('the admin token is for this host alone: $url is $here', ({ url, here }) => {
  expect(isThisHost(url, '10.1.2.3')).toBe(here)
})

test('without NOCTULE_URL the node is the one of the configuration', async () => {
  await using node = await scriptedNode(json(page()))
  const port = new URL(node.url).port
  const config = join(dataDir, 'noctule.yaml')
  writeFileSync(config, `dataDir: ${dataDir}\nhttp: { host: 0.0.0.0, port: ${port} }\n`)
  expect(await runCommandLine(['search', '--config', config])).toMatchObject({ code: 0 })
  expect(node.requests[0]?.headers.authorization).toBe('Bearer local-token')
})

test('a wrong configuration does not matter when URL and token are given', async () => {
  await using node = await scriptedNode(json(page()))
  const wrong = { ...environment(node.url), NOCTULE_HTTP_PORT: 'x' }
  expect(await runCommandLine(['search'], { environment: wrong })).toMatchObject({ code: 0 })
  expect(await runCommandLine(['search'], { environment: { NOCTULE_HTTP_PORT: 'x' } })).toMatchObject({
    code: 2,
  })
})

test('a reader that leaves early is no failure', async () => {
  await using node = await scriptedNode(json(page(2, 1)))
  const run = await runCommandLine(['search', '-o', 'jsonl'], {
    environment: environment(node.url),
    readerLeavesAfter: 10,
  })
  expect(run.code).toBe(0)
  expect(run.stderr).not.toContain('EPIPE')
})

test('a log line cannot steer the terminal', async () => {
  const hostile = record(1, { message: '\u001b[2J\rred\u202e\nsecond', attrs: { 'a\u001b': 'b\u0007 c' } })
  await using node = await scriptedNode(json({ records: [hostile], meta: meta() }))
  const run = await runCommandLine(['search'], { environment: environment(node.url), isTTY: true })
  expect(run.stdout).toContain(String.raw`\x1b[2J\x0dred\u202e` + '\n    second')
  expect(run.stdout).not.toContain('\u001b[2J')
  expect(run.stdout).toContain(String.raw`a\x1b=`)
})

test.each([
  { name: 'a terminal', isTTY: true, environment: {}, colours: true },
  { name: 'NO_COLOR', isTTY: true, environment: { NO_COLOR: '1' }, colours: false },
  { name: 'a pipe', isTTY: false, environment: {}, colours: false },
])('colours: $name', async ({ isTTY, environment: more, colours }) => {
  await using node = await scriptedNode(json({ records: [record(1, { level: 'error' })], meta: meta() }))
  const run = await runCommandLine(['search'], { isTTY, environment: { ...environment(node.url), ...more } })
  expect(run.stdout.includes('\u001b[31mERROR\u001b[0m')).toBe(colours)
})

test.each([
  { args: ['search', '-n', '0'] },
  { args: ['search', '-n', 'x'] },
  { args: ['search', '-n', '100001'] },
  { args: ['search', '-o', 'xml'] },
  { args: ['search', '--since', 'yesterday'] },
  { args: ['search', '--since', '5m', '--from', 'now-1h'] },
  { args: ['search', '--timeout', 'long'] },
  { args: ['search', '--unknown'] },
  { args: ['search', '--url', 'ftp://x'] },
  { args: ['import'] },
])('wrong usage ends with exit code 2: $args', async ({ args }) => {
  const run = await runCommandLine(args, { environment: environment('http://127.0.0.1:1') })
  expect(run).toMatchObject({ code: 2, stdout: '' })
  expect(run.stderr).not.toBe('')
})

test('--help ends with exit code 0 and names the exit codes', async () => {
  const run = await runCommandLine(['search', '--help'])
  expect(run).toMatchObject({ code: 0, stderr: '' })
  expect(run.stdout).toContain('3 incomplete')
})
