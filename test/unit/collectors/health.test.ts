import { setImmediate as turn } from 'node:timers/promises'
import { expect, test, vi } from 'vitest'
import { createHealth } from '../../../collectors/health.ts'
import { createOwnLines, OWN_LINES_MAX } from '../../../collectors/own-lines.ts'
import { createOwnStatus } from '../../../collectors/own-status.ts'
import type { Lines } from '../../../collectors/batcher.ts'
import {
  healthReportSchema,
  type CheckReport,
  type HealthReport,
  type HostFacts,
} from '../../../core/health.ts'
import type { Drop } from '../../../core/wire.ts'
import { createFakeClock } from '../../support/fake-clock.ts'
import { quietLog } from '../../support/quiet-log.ts'

const facts: HostFacts = {
  cpu: {
    cores: 2,
    busy: 0.5,
  },
  load: [1, 1, 1],
  memory: {
    totalBytes: 10,
    availableBytes: 5,
  },
  disks: [],
  network: null,
  uptimeS: 1,
}
const check: CheckReport = {
  name: 'a',
  kind: 'tcp',
  state: 'ok',
  sinceMs: 1,
  message: 'm',
  atMs: 1,
  tookMs: 1,
}
const collectorStatus = {
  collector: 'c1',
  held: 'x'.repeat(5e3),
  files: {
    files: 3,
    open: 1,
    behindBytes: 7,
    problems: [],
  },
  spool: {
    batches: 2,
    records: 9,
    bytes: 100,
    full: false,
    corrupt: 0,
  },
  destinations: [
    {
      name: 'd',
      sent: 4,
      failures: 1,
      problem: 'y'.repeat(5e3),
      refused: 0,
    },
  ],
  statsd: {
    series: 1,
    metrics: 2,
    packets: 3,
    lost: { kernel: 4 },
    problem: null,
  },
}

type Send = (report: HealthReport, signal: AbortSignal) => Promise<void>

function setUp(sends: Readonly<Record<string, Send>>, { readFacts = () => Promise.resolve(facts) } = {}) {
  const clock = createFakeClock()
  const taken: string[] = []
  const warnings: object[] = []
  const infos: object[] = []
  const drops = { cut: 2 }
  const spoolBytesMax = 1_000
  const status = createOwnStatus({
    version: '1.2',
    spoolBytesMax,
    clock,
    status: () => collectorStatus,
    drops: () => drops,
  })
  const log = {
    ...quietLog,
    warn: (fields: object) => void warnings.push(fields),
    info: (fields: object) => void infos.push(fields),
  }
  const health = createHealth({
    config: {
      host: 'web-1',
      tier: 'webhead',
      health: { every: '1s' },
    },
    collector: 'c1',
    senders: new Map(Object.entries(sends).map(([name, sendHealth]) => [name, { sendHealth }])),
    facts: { read: readFacts },
    checks: {
      reports: () => [check],
      metrics: () => ['check.state:0|g'],
    },
    status,
    takeMetrics: (lines: string) => void taken.push(lines),
    clock,
    log,
  })
  return { clock, health, taken, warnings, infos }
}

test('a report goes out at every beat, it fits its schema, and the last one says goodbye', async () => {
  const sent: HealthReport[] = []
  const { clock, health } = setUp({ d: async (report) => void sent.push(report) })
  health.start()
  await clock.advance(2_500)
  expect(sent).toHaveLength(3)
  expect(sent.map((report) => healthReportSchema.parse(report))).toEqual(sent)
  expect(sent[2]).toMatchObject({
    collector: 'c1',
    host: 'web-1',
    tier: 'webhead',
    intervalMs: 1e3,
    facts,
    checks: [check],
    sentAtMs: clock.nowMs() - 500,
    status: {
      id: 'c1',
      version: '1.2',
      spoolBytes: 100,
      spoolBytesMax: 1e3,
      spoolBatches: 2,
      behindBytes: 7,
      files: 3,
      drops: { cut: 2 },
      destinations: [
        {
          name: 'd',
          sent: 4,
          failures: 1,
        },
      ],
      statsd: {
        series: 1,
        metrics: 2,
        packets: 3,
        lost: { kernel: 4 },
        problem: null,
      },
    },
  })
  await health.stop()
  expect(sent.map(({ goodbye }) => goodbye)).toEqual([undefined, undefined, undefined, true])
  expect(healthReportSchema.safeParse(sent[3]).success).toBe(true)
  expect(clock.timers).toBe(0)
})

test('a slow destination misses beats and gets no old news; the others miss none', async () => {
  const fast: number[] = []
  const slow: number[] = []
  const { clock, health, warnings } = setUp({
    fast: async ({ sentAtMs }) => void fast.push(sentAtMs),
    slow: (report) => {
      slow.push(report.sentAtMs)
      return new Promise(() => undefined)
    },
  })
  const startMs = clock.nowMs()
  health.start()
  await clock.advance(6_500)
  expect(fast.map((atMs) => atMs - startMs)).toEqual([0, 1_000, 2_000, 3_000, 4_000, 5_000, 6_000])
  expect(slow.map((atMs) => atMs - startMs).length).toBeLessThanOrEqual(4)
  expect(slow.length).toBeGreaterThanOrEqual(3)
  expect(warnings).toEqual([{ destination: 'slow', error: 'no answer within 2000 ms' }])
  const stopping = health.stop()
  await clock.advance(1_000)
  await stopping
})

test('a destination that fails is told once in the log, and once when it takes reports again', async () => {
  let down = true
  const { clock, health, warnings, infos } = setUp({
    d: () => (down ? Promise.reject(new Error('nobody there')) : Promise.resolve()),
  })
  health.start()
  await clock.advance(3_500)
  down = false
  await clock.advance(3_000)
  expect(warnings).toEqual([{ destination: 'd', error: 'nobody there' }])
  expect(infos).toEqual([{ destination: 'd' }])
  await health.stop()
})

test('facts that cannot be had are left out, and the host is still heard', async () => {
  const sent: HealthReport[] = []
  const { clock, health } = setUp(
    { d: async (report) => void sent.push(report) },
    { readFacts: () => new Promise(() => undefined) },
  )
  health.start()
  await clock.advance(3_500)
  expect(sent.map((report) => report.facts)).toEqual([null, null, null])
  await health.stop()
})

test('facts and checks are metrics, at least once in every flush', async () => {
  const { clock, health, taken } = setUp({})
  health.start()
  await clock.advance(10_500)
  expect(taken).toHaveLength(3)
  expect(taken[0]?.split('\n')).toEqual(expect.arrayContaining(['host.cpu.busy:0.5|g', 'check.state:0|g']))
  await health.stop()
})

test('a clock that is set back does not stop the reports', async () => {
  const sent: HealthReport[] = []
  const { clock, health } = setUp({ d: async (report) => void sent.push(report) })
  health.start()
  await clock.advance(1_500)
  clock.jump(-86_400_000)
  await clock.advance(2_000)
  expect(sent).toHaveLength(4)
  await health.stop()
})

function ownLines() {
  const clock = createFakeClock()
  const added: Lines[] = []
  const drops: Drop[] = []
  let open = Promise.withResolvers<void>()
  const lines = createOwnLines({
    batcher: {
      add: (given) => void added.push(given),
      note: (note) => void drops.push(...(note.drops ?? [])),
      room: (signal) => {
        const { promise, reject } = Promise.withResolvers<never>()
        signal.addEventListener('abort', () => reject(signal.reason as Error))
        return Promise.race([open.promise, promise])
      },
    },
    tier: 'webhead',
    clock,
  })
  const hold = () => (open = Promise.withResolvers())
  return { clock, added, drops, lines, hold, release: () => open.resolve() }
}

test("the collector's own lines wait for room, in order", async () => {
  const { clock, added, lines, hold, release } = ownLines()
  lines.give('one')
  await clock.advance(500)
  lines.give('two')
  expect(added).toEqual([])
  release()
  await turn()
  hold()
  lines.give('three')
  release()
  await turn()
  expect(added.map(({ bytes, offset, lines }) => [bytes.toString(), offset, lines])).toEqual([
    ['one\ntwo\n', 0, 2],
    ['three\n', 8, 1],
  ])
  expect(added[0]).toMatchObject({
    source: { path: '', service: 'noctule', tier: 'webhead' },
    fromMs: clock.nowMs() - 500,
  })
  expect(added[1]?.source).toBe(added[0]?.source)
})

test('own lines beyond the bound are dropped, and said to be', async () => {
  const { added, drops, lines, release } = ownLines()
  for (let at = 0; at < OWN_LINES_MAX + 5; at++) lines.give('ünfein')
  release()
  await vi.waitFor(() => expect(added).toHaveLength(1))
  expect(added[0]?.lines).toBe(OWN_LINES_MAX)
  expect(drops).toMatchObject([{ reason: 'own_lines', records: 5, bytes: 35 }])
})

test('a stop hands over what waits', () => {
  const { added, lines } = ownLines()
  lines.give('one')
  lines.stop()
  expect(added.map(({ bytes }) => bytes.toString())).toEqual(['one\n'])
})
