import { createHash, randomBytes } from 'node:crypto'
import { encodeHealth } from '../../core/health.ts'
import type { CheckReport, CheckState, HealthReport } from '../../core/health.ts'
import type { MetricKind, MetricPoint } from '../../core/metrics/types.ts'
import { encodeMetricLine } from '../../core/metrics/wire.ts'
import { createDistribution } from '../../core/sketch/distribution.ts'
import { encodeFrame, type BatchHeader, type BatchRun, type BatchSource, type Mark } from '../../core/wire.ts'
import { createWriters, type Written } from './generator.ts'
import { HOSTS, type HostFacts } from './generator-ink.ts'
import { seededRandom } from './random.ts'

/** Made-up collectors on the 40 hosts of the generator, at eight sites: they deliver over HTTP as real ones do. */
export interface Company {
  /** YAML for the program that they deliver to. */
  readonly config: string
  /** What they wrote and measured until now. */
  past(url: string, facts: { linesMs: number; metricsMs: number }): Promise<void>
  /** Goes on writing, measuring and reporting once a second until the signal. */
  live(url: string, signal: AbortSignal): Promise<void>
}

const SLICE_MS = 60_000
const FLUSH_MS = 10_000
const VERSION = '1.4.2'
const GIB = 1024 ** 3
const MIB = 1024 ** 2
/** Lines of a host in a minute: busy ones write more. */
const LINES_PER_MINUTE = 60
const POSTS_AT_ONCE = 4

/** What is wrong at this company. */
const FAILING = 'web-2.us-east'
const FULL_DISK = 'db-1.sa-east'
const SILENT = 'edge-1.ap-south'
const LOSING = 'app-1.eu-north'
const LOST_RECORDS = 1024
/** From when on, in seconds of living: the ledger needs a few marks before to know from when on something is missing. */
const LOSES_AT_S = 5
const SILENT_FROM_S = 7
const OUTAGE = { fromAgoMs: 310_000, toAgoMs: 130_000 }

/** A collector by hand: numbers its batches, and knows how far each file is. */
interface Collector {
  readonly host: HostFacts
  readonly tier: string
  readonly epoch: string
  seq: number
  readonly offsets: Map<string, number>
}

const tierOf = ({ name }: HostFacts) => /^[a-z]+/.exec(name)?.[0] ?? ''
const tokenOf = (site: string) => createHash('sha256').update(`made-up ${site}`).digest('base64url')

export function createCompany(seed: number): Company {
  const random = seededRandom(seed)
  const writers = createWriters(seed)
  const startMs = Date.now()
  const collectors = HOSTS.map((host): Collector => {
    const epoch = randomBytes(16).toString('hex')
    return { host, tier: tierOf(host), epoch, seq: 0, offsets: new Map() }
  })

  function write(collector: Collector, fromMs: number, toMs: number): readonly Written[] {
    const busy = collector.tier === 'web' || collector.tier === 'edge' ? 1.6 : 0.7
    const expected = (LINES_PER_MINUTE * busy * (toMs - fromMs)) / SLICE_MS
    const count = Math.floor(expected + random())
    const timesMs = Array.from({ length: count }, () => fromMs + random() * (toMs - fromMs)).sort(
      (a, b) => a - b,
    )
    return timesMs.flatMap((timeMs) => [
      writers.write(Math.floor(timeMs), collector.host),
      ...outage(collector, timeMs),
    ])
  }

  /** The bank does not answer for a while, and what pays through it fails. */
  function outage({ tier }: Collector, timeMs: number): readonly Written[] {
    const agoMs = startMs - timeMs
    if (tier !== 'app' || agoMs > OUTAGE.fromAgoMs || agoMs < OUTAGE.toAgoMs || random() > 0.8) return []
    const order = 4000 + Math.floor(random() * 900)
    const said = `payment ${order} refused by acme-bank: timeout after 3000 ms (attempt ${1 + Math.floor(random() * 3)} of 3)`
    const line = {
      time: new Date(timeMs).toISOString(),
      level: 'error',
      service: 'payments',
      msg: said,
      order,
    }
    return [{ lines: [JSON.stringify(line)], service: 'payments', path: '/var/log/payments/app.json' }]
  }

  async function deliver(url: string, collector: Collector, written: readonly Written[], span: Span) {
    if (written.length === 0) return
    const { body, sources, runs } = packed(collector, written, span.toMs)
    await sendBatch(url, collector, { kind: 'lines', body, sources, runs, ...span })
  }

  /** Before anybody could be called missing or silent. */
  async function reportAlways(url: string, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await inTurns(collectors, async (collector) => await reportHealth(url, collector, startMs))
      await new Promise((resolve) => setTimeout(resolve, 1000))
    }
  }

  return {
    config: configOf(),
    async past(url, { linesMs, metricsMs }) {
      const written = new AbortController()
      const heard = reportAlways(url, written.signal)
      await inTurns(collectors, async (collector) => {
        await sendMetrics(url, collector, { fromMs: startMs - metricsMs, toMs: startMs })
        for (let fromMs = startMs - linesMs; fromMs < startMs; fromMs += SLICE_MS) {
          const span = { fromMs, toMs: Math.min(startMs, fromMs + SLICE_MS) }
          await deliver(url, collector, write(collector, span.fromMs, span.toMs), span)
        }
        const said = stateLine(collector, startMs)
        if (said !== null) await deliver(url, collector, [said], { fromMs: startMs - 1000, toMs: startMs })
      })
      written.abort()
      await heard
    },
    async live(url, signal) {
      let fromMs = startMs
      let flushedMs = Math.floor(startMs / FLUSH_MS) * FLUSH_MS
      for (let second = 0; !signal.aborted; second++) {
        const span = { fromMs, toMs: Date.now() }
        const flushMs = Math.floor(span.toMs / FLUSH_MS) * FLUSH_MS
        const metrics = { fromMs: flushedMs, toMs: flushMs }
        await inTurns(
          collectors.filter(({ host }) => host.name !== SILENT || second < SILENT_FROM_S),
          async (collector) => {
            if (collector.host.name === LOSING && second === LOSES_AT_S)
              await tellOfLoss(url, collector, span)
            if (flushMs > flushedMs) await sendMetrics(url, collector, metrics)
            await deliver(url, collector, write(collector, span.fromMs, span.toMs), span)
            await report(url, collector, startMs)
          },
        )
        fromMs = span.toMs
        flushedMs = flushMs
        await new Promise((resolve) => setTimeout(resolve, Math.max(0, span.toMs + 1000 - Date.now())))
      }
    },
  }
}

async function inTurns(collectors: readonly Collector[], work: (one: Collector) => Promise<void>) {
  const waiting = [...collectors]
  const worker = async () => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) await work(next)
  }
  await Promise.all(Array.from({ length: POSTS_AT_ONCE }, worker))
}

function configOf(): string {
  const sites = [...new Set(HOSTS.map(({ site }) => site))]
  const tiers = Map.groupBy(HOSTS, tierOf)
  const expected = [...tiers].map(
    ([tier, hosts]) => `  ${tier}: { hosts: [${hosts.map(({ name }) => name).join(', ')}] }`,
  )
  const tokens = sites.map((site) => {
    const sha256 = createHash('sha256').update(tokenOf(site)).digest('hex')
    return `    - { name: ${site}, role: collector, site: ${site}, sha256: "${sha256}" }`
  })
  return `site: eu-west
collector: { files: [] }
access:
  tokens:
${tokens.join('\n')}
tiers:
${expected.join('\n')}
boards:
  - name: shop
    title: Shop
    charts:
      - { title: Orders, metric: shop.orders, by: [env] }
      - { title: Requests, metric: shop.requests, by: [site] }
      - { title: Time of a request (p95), metric: shop.request_ms, by: [service] }
      - { title: Queue of payments, metric: shop.queue.depth, by: [site] }
      - { title: Failed payments, metric: shop.payments.failed, by: [site] }
      - { title: CPU of databases, metric: host.cpu.busy, tags: ["tier:db"], by: [host] }
`
}

interface Span {
  readonly fromMs: number
  readonly toMs: number
}

/** Lines by file, as a collector reads them. */
function packed(collector: Collector, written: readonly Written[], readAtMs: number) {
  const byPath = [...Map.groupBy(written, ({ path }) => path)]
  const sources: BatchSource[] = byPath.map(([path, [first]]) => ({
    path,
    service: first?.service ?? '',
    tier: collector.tier,
    version: VERSION,
  }))
  const bodies = byPath.map(([, of]) => of.flatMap(({ lines }) => lines))
  const runs = byPath.map(([path], source): BatchRun => {
    const lines = bodies[source] ?? []
    const offset = collector.offsets.get(path) ?? 0
    const bytes = lines.reduce((sum, line) => sum + Buffer.byteLength(line) + 1, 0)
    collector.offsets.set(path, offset + bytes)
    return { source, offset, bytes, lines: lines.length, readAtMs }
  })
  return { sources, runs, body: bodies.flat().join('\n') + '\n' }
}

type Content = Pick<BatchHeader, 'kind' | 'sources' | 'runs'> & Partial<BatchHeader> & Span & { body: string }

async function sendBatch(url: string, collector: Collector, { body, ...content }: Content): Promise<void> {
  const bytes = Buffer.from(body)
  const header: BatchHeader = {
    v: 1,
    collector: collector.host.name,
    host: collector.host.name,
    epoch: collector.epoch,
    seq: ++collector.seq,
    createdAtMs: content.toMs,
    utcOffsetMin: 0,
    records: content.runs.reduce((sum, { lines }) => sum + lines, 0),
    bodyBytes: bytes.length,
    drops: [],
    tombstones: [],
    ...content,
  }
  await post(url, collector, '/v1/batches', new Uint8Array(await encodeFrame(header, bytes)))
}

async function post(url: string, { host }: Collector, path: string, body: string | Uint8Array<ArrayBuffer>) {
  const type = typeof body === 'string' ? 'application/json' : 'application/octet-stream'
  const headers = { authorization: `Bearer ${tokenOf(host.site)}`, 'content-type': type }
  const response = await fetch(url + path, { method: 'POST', body, headers })
  if (!response.ok) throw new Error(`${path} is answered ${response.status}: ${await response.text()}`)
  await response.arrayBuffer()
}

/** Its disk was full for a moment: what it could not keep is told with numbers. */
async function tellOfLoss(url: string, collector: Collector, { fromMs, toMs }: Span): Promise<void> {
  const seq = ++collector.seq
  const lost = { epoch: collector.epoch, seqFrom: seq, seqTo: seq, records: LOST_RECORDS, bytes: 180_000 }
  await sendBatch(url, collector, {
    kind: 'lines',
    fromMs: toMs,
    toMs,
    body: '',
    sources: [],
    runs: [],
    tombstones: [{ ...lost, fromMs, toMs, reason: 'disk full' }],
  })
}

/** What a collector wrote when a check changed. */
function stateLine({ host: { name } }: Collector, nowMs: number): Written | null {
  const said =
    name === FAILING
      ? { check: 'shop-http', level: 'error', state: 'fail', text: 'failed: HTTP 503 after 12 ms' }
      : name === FULL_DISK
        ? { check: 'disk', level: 'warn', state: 'warn', text: 'warns: 91 % of /var is used' }
        : null
  if (said === null) return null
  const { check, level, state, text } = said
  const event = { kind: 'state', what: 'check', name: check, state, before: 'ok' }
  const time = new Date(nowMs - 400).toISOString()
  const line = { time, level, service: 'noctule', message: `check ${check} of ${name} ${text}`, event }
  return { lines: [JSON.stringify(line)], service: 'noctule', path: '' }
}

/** A number between 0 and 1 for a name: always the same. */
function shareOf(text: string): number {
  return createHash('sha256').update(text).digest().readUInt32BE() / 2 ** 32
}

/** The course of something over the day: never twice the same, and the same for the same time. */
function course(name: string, timeMs: number): number {
  const phase = shareOf(name) * 7
  const slow = Math.sin(timeMs / 1_400_000 + phase) + Math.sin(timeMs / 530_000 + phase * 3) / 2
  return 1 + slow / 5 + (shareOf(`${name} ${timeMs}`) - 0.5) / 6
}

interface Measured {
  readonly name: string
  readonly kind: MetricKind
  readonly tags: Readonly<Record<string, string>>
  readonly values: readonly number[]
}

/** What the programs of a host count and time in ten seconds. */
function measured({ host, tier }: Collector, timeMs: number, nowMs: number): readonly Measured[] {
  const at = (name: string) => course(`${host.name} ${name}`, timeMs)
  const agoMs = nowMs - timeMs
  const out = agoMs < OUTAGE.fromAgoMs && agoMs > OUTAGE.toAgoMs
  const gauge = (name: string, value: number): Measured => ({
    name,
    kind: 'gauge',
    tags: {},
    values: [value],
  })
  const weight = 0.4 + shareOf(host.site)
  const common = [
    gauge(
      'host.cpu.busy',
      Math.min(0.97, (tier === 'db' ? 0.5 : 0.3) * at('cpu') * (0.6 + shareOf(host.name))),
    ),
    gauge('host.memory.used_share', 0.35 + 0.4 * shareOf(`${host.name} memory`) + 0.02 * at('memory')),
    gauge('host.load1', 2.2 * at('load')),
    gauge('host.network.received_bytes_per_s', 3_400_000 * at('in') * weight),
    gauge('host.network.sent_bytes_per_s', 9_100_000 * at('out') * weight),
  ]
  if (tier !== 'web' && tier !== 'app') return common
  const services = tier === 'web' ? ['web', 'api'] : ['payments', 'catalog']
  const slow = (service: string) => (out && service === 'payments' ? 6 : 1)
  const perService = services.flatMap((service): Measured[] => [
    {
      name: 'shop.requests',
      kind: 'counter',
      tags: { service, env: 'prod' },
      values: [Math.round(640 * at(service) * weight)],
    },
    {
      name: 'shop.request_ms',
      kind: 'distribution',
      tags: { service, env: 'prod' },
      values: Array.from(
        { length: 12 },
        (_, n) => 14 * at(`${service} ${n}`) ** 4 * (1 + n ** 2 / 18) * slow(service),
      ),
    },
  ])
  const orders = ['prod', 'canary'].map((env): Measured => ({
    name: 'shop.orders',
    kind: 'counter',
    tags: { env },
    values: [Math.round((env === 'prod' ? 34 : 4) * at(env) * weight * (out ? 0.45 : 1))],
  }))
  const payments: Measured[] = [
    gauge('shop.queue.depth', Math.round((out ? 420 : 18) * at('queue') * weight)),
    {
      name: 'shop.payments.failed',
      kind: 'counter',
      tags: {},
      values: [Math.round((out ? 9 : 0.4) * at('failed') * weight)],
    },
  ]
  return [...common, ...perService, ...(tier === 'app' ? payments : orders)]
}

async function sendMetrics(url: string, collector: Collector, { fromMs, toMs }: Span): Promise<void> {
  const lines: string[] = []
  for (let startMs = Math.ceil(fromMs / FLUSH_MS) * FLUSH_MS; startMs + FLUSH_MS <= toMs; startMs += FLUSH_MS)
    for (const one of measured(collector, startMs, toMs))
      lines.push(encodeMetricLine(pointOf(one, collector, startMs)))
  if (lines.length === 0) return
  const body = `${lines.join('\n')}\n`
  const run = { source: 0, offset: 0, bytes: Buffer.byteLength(body), lines: lines.length, readAtMs: toMs }
  await sendBatch(url, collector, {
    kind: 'metrics',
    body,
    sources: [{ path: '' }],
    runs: [run],
    fromMs,
    toMs,
  })
}

function pointOf(
  { name, kind, tags, values }: Measured,
  { host, tier }: Collector,
  startMs: number,
): MetricPoint {
  const sketch = kind === 'distribution' ? createDistribution() : null
  for (const value of values) sketch?.add(value)
  return {
    series: { name, kind, tags: { ...tags, host: host.name, tier } },
    startMs,
    stepMs: FLUSH_MS,
    count: values.length,
    sum: values.reduce((sum, value) => sum + value, 0),
    min: Math.min(...values),
    max: Math.max(...values),
    last: values.at(-1) ?? 0,
    sketch: sketch?.encode() ?? null,
  }
}

/** A mark and a report of health, as every second. */
async function report(url: string, collector: Collector, startMs: number): Promise<void> {
  const nowMs = Date.now()
  const { host, epoch, seq } = collector
  const who = { collector: host.name, host: host.name, epoch, sentAtMs: nowMs }
  const mark: Mark = {
    v: 1,
    ...who,
    readAgeMs: 0,
    epochs: [{ epoch, lastSeq: seq, spoolLow: seq + 1, pending: [] }],
  }
  await post(url, collector, '/v1/marks', JSON.stringify(mark))
  await reportHealth(url, collector, startMs)
}

async function reportHealth(url: string, collector: Collector, startMs: number): Promise<void> {
  await post(url, collector, '/v1/health', encodeHealth(healthOf(collector, Date.now(), startMs)))
}

function healthOf(collector: Collector, nowMs: number, startMs: number): HealthReport {
  const { host, tier } = collector
  const share = (what: string) => shareOf(`${host.name} ${what}`)
  const used = host.name === FULL_DISK ? 0.91 : 0.2 + 0.5 * share('disk')
  const memoryBytes = (tier === 'db' ? 128 : 32) * GIB
  return {
    v: 1,
    collector: host.name,
    host: host.name,
    tier,
    sentAtMs: nowMs,
    intervalMs: 1000,
    facts: {
      cpu: {
        cores: tier === 'db' ? 32 : 8,
        busy: 0.2 + 0.4 * share(`cpu ${Math.floor(nowMs / 3000)}`),
        ioWait: 0.01,
      },
      load: [2.4 * share('load') + 0.3, 2.1 * share('load') + 0.3, 1.9 * share('load') + 0.3],
      memory: {
        totalBytes: memoryBytes,
        availableBytes: memoryBytes * (0.25 + 0.4 * share('memory')),
        swapTotalBytes: 0,
      },
      disks: [
        { mount: '/', totalBytes: 60 * GIB, usedBytes: 60 * GIB * (0.2 + 0.3 * share('root')) },
        { mount: '/var', totalBytes: 400 * GIB, usedBytes: 400 * GIB * used },
      ],
      network: { receivedBytesPerS: 4e6 * share('in'), sentBytesPerS: 9e6 * share('out'), dropsPerS: 0 },
      uptimeS: Math.floor(86_400 * (2 + 60 * share('up'))),
    },
    checks: checksOf(collector, nowMs, startMs, used),
    status: statusOf(collector, nowMs),
  }
}

function checksOf({ host, tier }: Collector, nowMs: number, startMs: number, used: number): CheckReport[] {
  const check = (name: string, kind: string, message: string, state: CheckState = 'ok'): CheckReport => {
    const sinceMs = state === 'ok' ? nowMs - 86_400_000 * (1 + 5 * shareOf(host.name)) : startMs - 400
    return { name, kind, state, sinceMs, message, atMs: nowMs - 200, tookMs: 9 }
  }
  const failing = host.name === FAILING
  const full = host.name === FULL_DISK
  const disk = check('disk', 'disk', `${Math.round(used * 100)} % of /var is used`, full ? 'warn' : 'ok')
  if (tier === 'db') return [check('postgres', 'tcp', 'connected after 1 ms'), disk]
  return [
    check(
      'shop-http',
      'http',
      failing ? 'HTTP 503 after 12 ms' : 'HTTP 200 after 8 ms',
      failing ? 'fail' : 'ok',
    ),
    check('workers', 'process', '4 processes'),
    check('certificate', 'certificate', '61 days left'),
    disk,
  ]
}

function statusOf({ host }: Collector, nowMs: number): HealthReport['status'] {
  const losing = host.name === LOSING
  const share = shareOf(`${host.name} status`)
  return {
    id: host.name,
    version: VERSION,
    startedAtMs: nowMs - 86_400_000 * (0.2 + 9 * share),
    rssBytes: 96 * MIB,
    cpuBusy: 0.02,
    spoolBytes: losing ? 860 * MIB : Math.round(3 * MIB * share),
    spoolBytesMax: 1024 * MIB,
    spoolBatches: losing ? 900 : 2,
    behindBytes: losing ? 41 * MIB : 0,
    files: 8 + Math.floor(10 * share),
    held: null,
    drops: losing ? { 'disk full': LOST_RECORDS } : {},
    destinations: [{ name: host.site, sent: Math.floor(90_000 * share), failures: 0, problem: null }],
    statsd: {
      series: 120 + Math.floor(300 * share),
      metrics: 1_200_000,
      packets: 84_000,
      lost: {},
      problem: null,
    },
  }
}
