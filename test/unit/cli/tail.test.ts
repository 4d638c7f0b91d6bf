import type { ServerResponse } from 'node:http'
import { expect, test } from 'vitest'
import { serverEvents } from '../../../cli/sse.ts'
import { environment, json, record, runCommandLine, scriptedNode, site } from './harness.ts'
import { createFakeClock } from '../../support/fake-clock.ts'

const event = (name: string, data: unknown, id?: number) =>
  `event: ${name}\n${id === undefined ? '' : `id: ${id}\n`}data: ${JSON.stringify(data)}\n\n`
const plan = (position: number) => event('plan', { query: '', sites: ['eu'], position })
const news = (second: number) => event('record', record(second), second)
const judged = (complete: boolean, position: number) =>
  event('meta', { ...(complete ? site.complete : site.incomplete), position }, position)

/** Sends the text; then closes, breaks or stays. */
const stream =
  (text: string, end: 'close' | 'break' | 'stay') => (_request: unknown, response: ServerResponse) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    response.write(text, () => {
      if (end === 'close') response.end()
      if (end === 'break') response.destroy()
    })
  }

test('tail prints records as they come and stops after -n', async () => {
  await using node = await scriptedNode(
    stream(plan(0) + judged(true, 0) + news(1) + news(2) + news(3), 'stay'),
  )
  const run = await runCommandLine(['tail', 'message', '-n', '2', '-o', 'jsonl'], {
    environment: environment(node.url),
  })
  expect(run).toEqual({
    code: 0,
    stdout: `${JSON.stringify(record(1))}\n${JSON.stringify(record(2))}\n`,
    stderr: '',
  })
  expect(node.requests[0]).toMatchObject({ path: '/v1/tail', parameters: { q: 'message' } })
  expect(node.requests[0]?.headers).not.toHaveProperty('last-event-id')
})

test('after a lost connection tail resumes behind the last record it printed', async () => {
  await using node = await scriptedNode(
    stream(plan(0) + news(1), 'break'),
    json({ code: 'SHUTTING_DOWN', detail: 'the program is stopping' }, 503),
    stream(plan(1) + news(2) + 'event: record\nid: 3\ndata: {"cut', 'close'),
    stream(plan(2) + news(3), 'stay'),
  )
  const run = await runCommandLine(['tail', '-n', '3', '-o', 'jsonl'], { environment: environment(node.url) })
  expect(run.code).toBe(0)
  expect(
    run.stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as unknown),
  ).toEqual([record(1), record(2), record(3)])
  expect(run.stderr.match(/Reconnecting…/g)).toHaveLength(3)
  expect(node.requests.map(({ headers }) => headers['last-event-id'])).toEqual([undefined, '1', '1', '2'])
})

test('a connection that is lost before the first record resumes at its start', async () => {
  await using node = await scriptedNode(stream(plan(41), 'close'), stream(plan(41) + news(42), 'stay'))
  const run = await runCommandLine(['tail', '-n', '1'], { environment: environment(node.url) })
  expect(run.code).toBe(0)
  expect(node.requests[1]?.headers['last-event-id']).toBe('41')
})

test('a node that stops says so with an event, and tail goes on', async () => {
  const end = event('end', { code: 'SHUTTING_DOWN', detail: 'the program is stopping', status: 503 })
  await using node = await scriptedNode(stream(plan(0) + end, 'close'), stream(plan(0) + news(1), 'stay'))
  const run = await runCommandLine(['tail', '-n', '1'], { environment: environment(node.url) })
  expect(run).toMatchObject({ code: 0, stderr: 'the program is stopping. Reconnecting…\n' })
})

test('an end that waiting does not help ends the tail', async () => {
  const end = event('end', { code: 'DATA_CORRUPT', detail: 'a segment fails its checksum', status: 500 })
  await using node = await scriptedNode(stream(plan(0) + end, 'close'))
  const run = await runCommandLine(['tail'], { environment: environment(node.url) })
  expect(run).toMatchObject({ code: 1, stderr: 'noctule: a segment fails its checksum\n' })
})

test.each([
  { name: 'complete', complete: true, code: 0, told: '' },
  { name: 'incomplete', complete: false, code: 3, told: 'INCOMPLETE: eu: complete to 03:10:01; web-3: ' },
])(
  'Ctrl-C ends tail; what is known to be missing decides the exit code: $name',
  async ({ complete, code, told }) => {
    await using node = await scriptedNode(stream(plan(0) + judged(complete, 0) + news(1), 'stay'))
    const run = await runCommandLine(['tail'], {
      environment: environment(node.url),
      onOutput: ({ stdout, interrupt }) => {
        if (stdout !== '') interrupt()
      },
    })
    expect(run.code).toBe(code)
    expect(run.stdout).toContain('message 1')
    expect(run.stderr.startsWith(told)).toBe(true)
  },
)

test('completeness is told when it changes, not every second', async () => {
  const metas = [true, true, false, false, true].map((complete) => judged(complete, 0)).join('')
  await using node = await scriptedNode(stream(plan(0) + metas + news(1), 'stay'))
  const run = await runCommandLine(['tail', '-n', '1'], { environment: environment(node.url) })
  expect(run.stderr.split('\n').map((line) => line.split(' ', 2).join(' '))).toEqual([
    'INCOMPLETE: eu:',
    'complete to',
    '',
  ])
})

test('Ctrl-C while nobody answers ends with exit code 4', async () => {
  await using node = await scriptedNode(
    stream(plan(0), 'close'),
    json({ code: 'OVERLOADED', detail: 'busy' }, 429),
  )
  const run = await runCommandLine(['tail'], {
    environment: environment(node.url),
    onOutput: ({ stderr, interrupt }) => {
      if (stderr.includes('busy')) interrupt()
    },
  })
  expect(run.code).toBe(4)
})

test('a node that never answered is not waited for', async () => {
  const node = await scriptedNode(json({}))
  await node[Symbol.asyncDispose]()
  const run = await runCommandLine(['tail'], { environment: environment(node.url) })
  expect(run).toMatchObject({ code: 4, stdout: '' })
  expect(run.stderr).toContain('nothing listens on')
})

test('a token that is taken away ends the tail', async () => {
  await using node = await scriptedNode(
    stream(plan(0), 'close'),
    json({ code: 'UNAUTHENTICATED', detail: 'unknown token' }, 401),
  )
  const run = await runCommandLine(['tail'], { environment: environment(node.url) })
  expect(run).toMatchObject({ code: 5 })
})

test('a stream that goes silent is broken, and tail connects again', async () => {
  const clock = createFakeClock()
  await using node = await scriptedNode(stream(plan(7) + news(8), 'stay'), stream(plan(8) + news(9), 'stay'))
  const run = runCommandLine(['tail', '-n', '2', '-o', 'jsonl'], {
    environment: environment(node.url),
    clock,
    onOutput: ({ stdout, stderr }) => {
      if (stdout !== '' && stderr === '') setImmediate(() => void clock.advance(15_000))
      if (stderr !== '') setImmediate(() => void clock.advance(250))
    },
  })
  expect((await run).stderr).toContain('it went silent. Reconnecting…')
  expect(node.requests[1]?.headers['last-event-id']).toBe('8')
})

test.each([1, 2, 3, 1_000])('events are the same however the bytes are cut (%i at a time)', async (size) => {
  const text =
    ': comment\r\n\r\nevent: a\r\nid: 1\r\ndata: x\r\ndata: ü\r\n\r\ndata:no blank\n\nid: 2\n\ndata\r\rdata: cut off'
  const bytes = Buffer.from(text)
  async function* chunks() {
    for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size)
  }
  const events: unknown[] = []
  for await (const event of serverEvents(chunks())) events.push(event)
  expect(events).toEqual([
    { event: 'a', data: 'x\nü', id: '1' },
    { event: 'message', data: 'no blank', id: '1' },
    { event: 'message', data: '', id: '2' },
  ])
})
