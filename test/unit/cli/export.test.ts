import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import type { ServerResponse } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as fc from 'fast-check'
import { afterAll, beforeEach, expect, test } from 'vitest'
import { exportParts } from '../../../cli/ndjson.ts'
import { systemClock } from '../../../core/clock.ts'
import { NOW_MS, environment, json, meta, record, runCommandLine, scriptedNode } from './harness.ts'

const folder = mkdtempSync(join(tmpdir(), 'noctule-export-'))
const file = join(folder, 'out.ndjson')
beforeEach(() => {
  rmSync(folder, { recursive: true })
  mkdirSync(folder)
})
afterAll(() => rmSync(folder, { recursive: true }))

const line = (value: unknown) => `${JSON.stringify(value)}\n`
const PLAN = line({ plan: { query: 'a' } })
const RECORDS = line(record(2)) + line(record(1))
const END = line({ meta: meta() })
const COMPLETE = 'complete to 03:12:07 for 1 of 1 site\n'

/** Sends the text; then ends the answer as HTTP wants it, breaks the connection, or stays. */
const stream =
  (text: string, end: 'close' | 'break' | 'stay' = 'close') =>
  (_request: unknown, response: ServerResponse) => {
    response.writeHead(200, { 'content-type': 'application/x-ndjson' })
    response.write(text, () => {
      if (end === 'close') response.end()
      if (end === 'break') response.destroy()
    })
  }

test('export writes the records as they come, and the completeness on standard error', async () => {
  await using node = await scriptedNode(stream(PLAN + RECORDS + END))
  const args = ['export', 'a', '--since', '1h', '-n', '9', '--grep', 'x.y', '--oldest', '--site', 'eu']
  const run = await runCommandLine(args, { environment: environment(node.url) })
  expect(run).toEqual({ code: 0, stdout: RECORDS, stderr: `exported 2 records, 0.0 MiB\n${COMPLETE}` })
  expect(node.requests[0]).toMatchObject({ method: 'GET', path: '/v1/export' })
  expect(node.requests[0]?.parameters).toEqual({
    q: 'a',
    from: 'now-3600000ms',
    sites: 'eu',
    grep: 'x.y',
    order: 'oldest',
    limit: '9',
  })
})

test.each([
  { output: 'csv', stdout: /^time,id,.*\n2026-11-21T03:12:02.000Z,.*\n2026-11-21T03:12:01.000Z,.*\n$/ },
  { output: 'pretty', stdout: /^2026-11-21T03:12:02.000Z INFO {2}eu\/web-1 api message 2\n.* message 1\n$/ },
])('export writes $output, too', async ({ output, stdout }) => {
  await using node = await scriptedNode(stream(PLAN + RECORDS + END))
  const run = await runCommandLine(['export', '-o', output], { environment: environment(node.url) })
  expect(run.code).toBe(0)
  expect(run.stdout).toMatch(stdout)
})

test('an export of nothing is complete', async () => {
  await using node = await scriptedNode(stream(PLAN + END))
  const run = await runCommandLine(['export', '-O', file], { environment: environment(node.url) })
  expect(run).toEqual({
    code: 0,
    stdout: '',
    stderr: `exported 0 records, 0.0 MiB to ${file}\n${COMPLETE}`,
  })
  expect(readFileSync(file, 'utf8')).toBe('')
})

test('a file has its name when all is there; what an earlier time left is replaced', async () => {
  writeFileSync(`${file}.part`, 'left by an earlier export\n')
  writeFileSync(file, 'old\n')
  await using node = await scriptedNode(stream(PLAN + RECORDS + END))
  const run = await runCommandLine(['export', '-O', file], { environment: environment(node.url) })
  expect(run).toMatchObject({ code: 0, stdout: '' })
  expect(readFileSync(file, 'utf8')).toBe(RECORDS)
  expect(readdirSync(folder)).toEqual(['out.ndjson'])
})

test('an incomplete export is whole, says so, and ends with exit code 3', async () => {
  const end = line({ meta: meta({ complete: false, cursor: 'more' }) })
  await using node = await scriptedNode(stream(PLAN + RECORDS + end))
  const run = await runCommandLine(['export', '-O', file, '-n', '2'], { environment: environment(node.url) })
  expect(run.code).toBe(3)
  expect(run.stderr).toContain('there are more records, see -n\n')
  expect(run.stderr).toContain('INCOMPLETE: local: ')
  expect(readFileSync(file, 'utf8')).toBe(RECORDS)
})

const failed = {
  type: '/reference#DEADLINE',
  code: 'DEADLINE',
  status: 504,
  detail: 'page too late \u001b[2J',
}
test.each([
  {
    name: 'no last line',
    text: PLAN + RECORDS,
    end: 'close',
    why: 'the connection ended before the last line',
  },
  { name: 'half a last line', text: PLAN + RECORDS + END.slice(0, -5), end: 'close', why: 'ended before' },
  { name: 'half a record', text: `${PLAN}${RECORDS}{"time":`, end: 'close', why: 'ended before' },
  { name: 'a broken connection', text: PLAN + RECORDS, end: 'break', why: 'the connection broke: ' },
  {
    name: 'a failure in the last line',
    text: PLAN + RECORDS + line({ error: failed }),
    end: 'close',
    why: 'page too late \\x1b[2J; what',
  },
  {
    name: 'a failure without words',
    text: PLAN + RECORDS + line({ error: 1 }),
    end: 'close',
    why: 'status 503',
  },
  {
    name: 'a second plan',
    text: PLAN + RECORDS + PLAN,
    end: 'close',
    why: 'does not answer as Noctule does',
  },
  {
    name: 'a meta of another shape',
    text: PLAN + RECORDS + line({ meta: {} }),
    end: 'close',
    why: 'expects',
  },
] as const)('an export is cut off by $name', async ({ text, end, why }) => {
  writeFileSync(file, 'old\n')
  await using node = await scriptedNode(stream(text, end))
  const run = await runCommandLine(['export', '-O', file], { environment: environment(node.url) })
  expect(run).toMatchObject({ code: 1, stdout: '' })
  expect(run.stderr).toMatch(/^noctule: the export is CUT OFF after [02] records?, 0\.0 MiB: .*\n$/)
  expect(run.stderr).toContain(why)
  expect(run.stderr).toContain(`; what came is in ${file}.part\n`)
  expect(readFileSync(file, 'utf8')).toBe('old\n')
  expect(['', RECORDS]).toContain(readFileSync(`${file}.part`, 'utf8'))
})

test('a cut export to standard output ends with exit code 1', async () => {
  await using node = await scriptedNode(stream(PLAN + RECORDS))
  const run = await runCommandLine(['export'], { environment: environment(node.url) })
  expect(run).toEqual({
    code: 1,
    stdout: RECORDS,
    stderr:
      'noctule: the export is CUT OFF after 2 records, 0.0 MiB: the connection ended before the last line\n',
  })
})

test.each([
  { name: 'a page of somebody else', text: '<html>\n<body>\n</html>\n' },
  { name: 'records without a plan', text: RECORDS + END },
  { name: 'nothing', text: '' },
  { name: 'the last line first', text: END },
])('$name is no export: nothing is written', async ({ text }) => {
  await using node = await scriptedNode(stream(text))
  const run = await runCommandLine(['export', '-O', file], { environment: environment(node.url) })
  expect(run).toEqual({
    code: 4,
    stdout: '',
    stderr: `noctule: ${node.url} does not answer as Noctule does\n`,
  })
  expect(readdirSync(folder)).toEqual([])
})

test.each([
  { code: 'QUERY_SYNTAX', status: 400, exit: 2 },
  { code: 'DENIED', status: 403, exit: 5 },
  { code: 'OVERLOADED', status: 429, exit: 4 },
])('an export that is refused with $code leaves no file', async ({ code, status, exit }) => {
  await using node = await scriptedNode(json({ code, detail: 'no', details: { column: 3 } }, status))
  const run = await runCommandLine(['export', 'a )', '-O', file], { environment: environment(node.url) })
  expect(run).toEqual({ code: exit, stdout: '', stderr: 'noctule: no\n  a )\n    ^\n' })
  expect(readdirSync(folder)).toEqual([])
})

test.each([
  { name: 'a folder', path: folder },
  { name: 'a folder that is not there', path: join(folder, 'absent', 'out') },
])('$name cannot be written, and the export does not wait for its end', async ({ path }) => {
  await using node = await scriptedNode(stream(PLAN + RECORDS, 'stay'))
  const run = await runCommandLine(['export', '-O', path], { environment: environment(node.url) })
  expect(run).toMatchObject({ code: 2, stdout: '' })
  expect(run.stderr).toMatch(/^noctule: cannot write .*\n$/)
})

test('Ctrl-C ends the request and says where the part is', async () => {
  let isGone = false
  const asked = Promise.withResolvers<void>()
  await using node = await scriptedNode((request, response) => {
    request.socket.once('close', () => (isGone = true))
    stream(PLAN + RECORDS, 'stay')(request, response)
    asked.resolve()
  })
  const run = await runCommandLine(['export', '-O', file], {
    environment: environment(node.url),
    interruptAfter: asked.promise.then(() => appears(`${file}.part`)),
  })
  expect(run).toMatchObject({ code: 130, stdout: '' })
  expect(run.stderr).toMatch(/^stopped after [02] records, 0\.0 MiB; what came is in .*\.part\n$/)
  expect(readdirSync(folder)).toEqual(['out.ndjson.part'])
  await expect.poll(() => isGone, { timeout: 5_000 }).toBe(true)
})

async function appears(path: string): Promise<void> {
  await expect
    .poll(() => readdirSync(folder).some((name) => path.endsWith(name)), { timeout: 5_000 })
    .toBe(true)
}

test('a reader that leaves early is no failure', async () => {
  await using node = await scriptedNode(stream(PLAN + RECORDS.repeat(1_000), 'stay'))
  const run = await runCommandLine(['export'], { environment: environment(node.url), readerLeavesAfter: 10 })
  expect(run).toMatchObject({ code: 0, stderr: '' })
})

/** Every look at it is a second later. */
function hastyClock() {
  let ms = 0
  return { ...systemClock, nowMs: () => NOW_MS, monotonicMs: () => (ms += 1_000) }
}

test.each([
  { name: 'a terminal beside a file', options: { isWatched: true }, shown: true },
  { name: 'a terminal that shows the records', options: { isTTY: true }, shown: false },
  { name: 'no terminal', options: {}, shown: false },
])('progress: $name', async ({ options, shown }) => {
  await using node = await scriptedNode(stream(PLAN + RECORDS + END))
  const run = await runCommandLine(['export'], {
    ...options,
    environment: environment(node.url),
    clock: hastyClock(),
  })
  const shownLines = run.stderr.split('\r\u001b[K')
  expect(shownLines.at(-1)).toBe(`exported 2 records, 0.0 MiB\n${COMPLETE}`)
  expect(shownLines.length > 1).toBe(shown)
  expect(shownLines.slice(1, -1)).toSatisfy((lines: string[]) =>
    lines.every((line) => /^2 records, 0\.0 MiB, \d+ records\/s$/.test(line)),
  )
})

test.each(['jsonl', 'csv', 'pretty'])('records in %s cannot steer the terminal', async (output) => {
  const hostile = record(1, { message: '\u001b[2J\u009b31m\r\u202e' })
  await using node = await scriptedNode(stream(PLAN + line(hostile) + END))
  const options = { environment: environment(node.url), isTTY: true }
  const { stdout } = await runCommandLine(['export', '-o', output], options)
  // eslint-disable-next-line no-control-regex -- our own colours are fine, all else is not
  expect(stdout.replaceAll(/\u001b\[\d+m/g, '')).not.toMatch(/[\0-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e]/)
})

test('jsonl on a terminal is the same JSON', async () => {
  const hostile = record(1, { message: '\u001b[2J\u009b31m\r\u202e' })
  await using node = await scriptedNode(stream(PLAN + line(hostile) + END))
  const { stdout } = await runCommandLine(['export'], { environment: environment(node.url), isTTY: true })
  expect(JSON.parse(stdout)).toEqual(hostile)
})

test('the parts of an export are the same however its bytes are cut', async () => {
  const text = PLAN + line(record(1, { message: 'ü {"meta":' })) + RECORDS + END
  const bytes = Buffer.from(text)
  await fc.assert(
    fc.asyncProperty(fc.array(fc.nat(bytes.length), { maxLength: 20 }), async (cuts) => {
      const bounds = [0, ...cuts.toSorted((a, b) => a - b), bytes.length]
      async function* chunks() {
        for (const [at, from] of bounds.entries()) yield bytes.subarray(from, bounds[at + 1] ?? from)
      }
      let records = ''
      let count = 0
      const control: string[] = []
      for await (const part of exportParts(chunks())) {
        if (part.kind === 'control') control.push(`${part.line}\n`)
        else {
          records += part.bytes.toString()
          count += part.count
        }
      }
      expect(control.join('') + records).toBe(PLAN + END + text.slice(PLAN.length, -END.length))
      expect(count).toBe(3)
    }),
  )
})
