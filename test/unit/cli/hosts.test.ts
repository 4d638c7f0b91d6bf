import { describe, expect, test } from 'vitest'
import { systemClock } from '../../../core/clock.ts'
import { environment, json, NOW_MS, runCommandLine, scriptedNode } from './harness.ts'

const ago = (seconds: number) => new Date(NOW_MS - seconds * 1_000).toISOString()
const facts = {
  cpu: { cores: 4, busy: 0.251 },
  memory: { totalBytes: 1_000, availableBytes: 400 },
  disks: [
    { mount: '/', totalBytes: 100, usedBytes: 10 },
    { mount: '/var', totalBytes: 100, usedBytes: 91 },
  ],
}
const host = (name: string, more: object = {}) => ({
  site: 'eu',
  host: name,
  tier: 'webhead',
  state: 'ok',
  since: ago(7_200),
  reportedAt: ago(0.4),
  version: '1.2.3',
  checks: [{ name: 'shop-http', kind: 'http', state: 'ok', message: 'HTTP 200' }],
  facts,
  ...more,
})
const failing = host('web-2', {
  state: 'fail',
  since: ago(42),
  checks: [
    { name: 'shop-http', state: 'fail', message: 'HTTP 503\nafter\u001b[2J 12 ms' },
    { name: 'disk', state: 'ok', message: '' },
    { name: 'cert', state: 'warn', message: '9 days left' },
  ],
})
const missing = host('db-1', {
  tier: 'database',
  state: 'missing',
  reportedAt: null,
  version: '',
  checks: [],
  facts: null,
})
const answer = (hosts: object[], more: object = {}) => ({
  at: ago(0),
  source: 'deliveries',
  tiers: [
    { name: 'database', expected: 1, hosts: 1, up: 0, states: {} },
    { name: 'webhead', expected: null, hosts: 2, up: 2, states: {} },
  ],
  hostsTotal: hosts.length,
  hosts,
  ...more,
})
const HEAD = /^tier +host +state +since +cpu +memory +disk +version +age +checks$/

describe('noctule hosts', () => {
  test('shows the hosts by tier with what fails, sums up, and ends with 1 when something does', async () => {
    await using node = await scriptedNode(json(answer([host('web-1'), failing, missing])))
    const run = await runCommandLine(['hosts'], { environment: environment(node.url) })
    const [head, ...lines] = run.stdout.trimEnd().split('\n')
    expect(head).toMatch(HEAD)
    expect(lines.map((line) => line.split(/ {2,}/))).toEqual([
      ['database', 'db-1', 'missing', '2h'],
      ['webhead', 'web-1', 'ok', '2h', '25.1 %', '60.0 %', '/var 91.0 %', '1.2.3', '400 ms'],
      [
        ...'webhead,web-2,fail,42s,25.1 %,60.0 %,/var 91.0 %,1.2.3,400 ms'.split(','),
        String.raw`shop-http fail: HTTP 503\nafter\x1b[2J 12 ms; cert warn: 9 days left`,
      ],
    ])
    expect(run.stderr).toBe('3 hosts: 1 missing, 1 fail, 1 ok; tier database: 0 of 1 up\n')
    expect(run.code).toBe(1)
  })

  test.each([
    { state: 'ok', code: 0 },
    { state: 'warn', code: 0 },
    { state: 'unknown', code: 0 },
    { state: 'fail', code: 1 },
    { state: 'silent', code: 1 },
    { state: 'missing', code: 1 },
  ])('a host that is $state ends it with $code', async ({ state, code }) => {
    await using node = await scriptedNode(json(answer([host('web-1', { state })])))
    expect((await runCommandLine(['hosts'], { environment: environment(node.url) })).code).toBe(code)
  })

  test('colours a row on a terminal by its state', async () => {
    await using node = await scriptedNode(json(answer([host('web-1'), failing])))
    const options = { environment: environment(node.url), isTTY: true, columns: 200 }
    const { stdout } = await runCommandLine(['hosts'], options)
    const line = (name: string) => stdout.split('\n').find((text) => text.includes(name))
    expect(line('web-2')?.startsWith('\u001b[31m')).toBe(true)
    expect(line('web-1')).not.toContain('\u001b')
  })

  test('passes the filters on, and names the site where there are several', async () => {
    await using node = await scriptedNode(json(answer([host('web-1'), host('web-1', { site: 'us' })])))
    const filters = ['--tier', 'a', '--tier', 'b', '--state', 'ok', '--state', 'warn', '--host', 'web-1']
    const { stdout } = await runCommandLine(['hosts', ...filters], { environment: environment(node.url) })
    expect(node.requests[0]).toMatchObject({
      path: '/v1/hosts',
      parameters: { tier: 'a,b', state: 'ok,warn', host: 'web-1' },
    })
    expect(stdout).toMatch(/^site +tier/)
  })

  test('gives programs the hosts as the node has them, or their columns', async () => {
    await using node = await scriptedNode(json(answer([failing])))
    const ask = (form: string) =>
      runCommandLine(['hosts', '-o', form], { environment: environment(node.url) })
    expect(JSON.parse((await ask('jsonl')).stdout)).toEqual(failing)
    const [head, row] = (await ask('csv')).stdout.split('\r\n').flatMap((line) => line.split('\n'))
    expect(head).toBe('site,tier,host,state,since,cpu,memory,disk,version,age,checks')
    expect(row).toContain(`eu,webhead,web-2,fail,${ago(42)},0.251,0.6,0.91,1.2.3,400,`)
  })

  test('says when no report reaches the node', async () => {
    await using node = await scriptedNode(json(answer([], { source: 'none', tiers: [] })))
    const run = await runCommandLine(['hosts'], { environment: environment(node.url) })
    expect(run).toMatchObject({ code: 0, stderr: '0 hosts; no report of a host reaches this node\n' })
  })
})

describe('noctule hosts --watch', () => {
  /** A second passes at once. */
  const clock = { ...systemClock, nowMs: () => NOW_MS, sleep: () => Promise.resolve() }
  const problem = json({ code: 'STORE_UNAVAILABLE', detail: 'it is away', status: 503 }, 503)

  test('redraws a terminal in place until Ctrl-C, and ends as the last answer says', async () => {
    await using node = await scriptedNode(json(answer([host('web-1')])), json(answer([failing])))
    const run = await runCommandLine(['hosts', '--watch'], {
      environment: environment(node.url),
      isTTY: true,
      clock,
      onOutput: ({ stdout, interrupt }) => {
        if (stdout.includes('web-2')) interrupt()
      },
    })
    expect(run.stdout.split('\u001b[H').length).toBeGreaterThanOrEqual(3)
    expect(run.stdout).toContain('1 host: 1 ok')
    expect(run.code).toBe(1)
  })

  test('keeps what it showed while the node is away, and says so', async () => {
    await using node = await scriptedNode(json(answer([host('web-1')])), problem, json(answer([failing])))
    const run = await runCommandLine(['hosts', '--watch', '-o', 'jsonl'], {
      environment: environment(node.url),
      clock,
      onOutput: ({ stdout, interrupt }) => {
        if (stdout.includes('web-2')) interrupt()
      },
    })
    expect(run.stderr).toContain(`it is away. What is shown is as of ${ago(0)}.`)
    expect(run.code).toBe(1)
  })

  test('ends when nobody answers at all', async () => {
    await using node = await scriptedNode(problem)
    const run = await runCommandLine(['hosts', '--watch'], { environment: environment(node.url), clock })
    expect(run).toMatchObject({ code: 4, stderr: expect.stringContaining('it is away') })
  })
})
