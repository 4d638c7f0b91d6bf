/**
 * What taking statsd costs: the real collector role, delivering to a node that only counts, and a sender in a process of its own.
 * `node bench/statsd.ts [case …]`; `SECONDS` (10) of load a case. Loss is what the points that were delivered lack of what was sent.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { decodeMetricLines } from '../core/metrics/wire.ts'
import { LOST_METRIC } from '../core/metrics/types.ts'
import { decodeFrame } from '../core/wire.ts'
import { startProgram } from '../test/support/program.ts'
import { cpuSeconds, report, rounded, rssPeakMib } from './support.ts'

interface Case {
  readonly name: string
  readonly kind: 'single' | 'packed' | 'series'
  /** Datagrams a second; 0: as many as the sender can. */
  readonly rate: number
  readonly unix?: boolean
}

const SECONDS = Number(process.env['SECONDS'] ?? 10)
const CASES: readonly Case[] = [
  { name: 'udp, one metric, 200 k/s', kind: 'single', rate: 200_000 },
  { name: 'udp, one metric, 275 k/s', kind: 'single', rate: 275_000 },
  { name: 'udp, one metric, unpaced', kind: 'single', rate: 0 },
  { name: 'udp, packed, 100 k/s', kind: 'packed', rate: 100_000 },
  { name: 'udp, packed, unpaced', kind: 'packed', rate: 0 },
  { name: 'unix, one metric, unpaced', kind: 'single', rate: 0, unix: true },
  { name: 'unix, packed, unpaced', kind: 'packed', rate: 0, unix: true },
  { name: '100 k series, 100 k/s', kind: 'series', rate: 100_000 },
]

/** Takes every batch, and adds up the values of what is in it. */
async function startCountingNode() {
  const taken = { metrics: 0, lost: new Map<string, number>() }
  const server = createServer((request, response) => {
    const parts: Buffer[] = []
    request.on('data', (part: Buffer) => parts.push(part))
    request.on('end', () => {
      void count(request.url ?? '', Buffer.concat(parts)).then(() => {
        response.setHeader('content-type', 'application/json').end('{"status":"stored"}')
      })
    })
  })

  async function count(path: string, body: Buffer): Promise<void> {
    if (!path.endsWith('/v1/batches')) return
    const batch = await decodeFrame(body)
    if (batch.header.kind !== 'metrics') return
    for (const { series, count: values, sum } of decodeMetricLines(batch.body).points) {
      const reason = series.tags['reason'] ?? ''
      if (series.name === LOST_METRIC) taken.lost.set(reason, (taken.lost.get(reason) ?? 0) + sum)
      else if (series.name.startsWith('shop.')) taken.metrics += values
    }
  }

  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    taken,
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: () => server.close(),
  }
}

async function runSender(target: string, { kind, rate }: Case) {
  const script = join(import.meta.dirname, 'statsd-sender.ts')
  const child = spawn(process.execPath, [script, target, kind, String(rate), String(SECONDS)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let output = ''
  child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()))
  await once(child, 'close')
  return JSON.parse(output) as { packets: number; metrics: number; seconds: number }
}

function rssMib(pid: number): number {
  return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1024
}

/** Milliseconds of the longest flush, from the program's log. */
function longestFlushMs(output: string): number {
  const times = output.matchAll(/"points":(\d+),"tookMs":(\d+)/g)
  return Math.max(0, ...[...times].map(([, , tookMs]) => Number(tookMs)))
}

async function measure(one: Case): Promise<void> {
  const dir = mkdtempSync(join(tmpdir(), 'noctule-bench-statsd-'))
  const node = await startCountingNode()
  const socket = join(dir, 'statsd.sock')
  const configFile = join(dir, 'noctule.yaml')
  const destinations = [{ name: 'node', url: node.url, token: 'token' }]
  const collector = { files: [], statsd: { socket, seriesMax: 110_000 }, destinations }
  writeFileSync(configFile, JSON.stringify({ log: { level: 'debug' }, collector }))
  const program = await startProgram({ dataDir: join(dir, 'data'), configFile, role: 'collector' })
  await sleep(2_000)
  const idleMib = rssMib(program.pid)
  const idleCpu = cpuSeconds(program.pid)
  await sleep(2_000)
  const startCpu = cpuSeconds(program.pid)
  const sent = await runSender(one.unix === true ? socket : String(await program.statsdPort()), one)
  await sleep(1_000) // What is left in the kernel's buffer, and the flush.
  const cpu = cpuSeconds(program.pid) - startCpu
  const peakMib = rssPeakMib(program.pid)
  await program.stop()
  node.close()
  rmSync(dir, { recursive: true })
  report(`statsd: ${one.name}`, {
    'packets/s sent': rounded(sent.packets / sent.seconds, 0),
    'metrics/s taken': rounded(node.taken.metrics / sent.seconds, 0),
    'lost %': rounded((1 - node.taken.metrics / sent.metrics) * 100, 3),
    'lost, told': [...node.taken.lost].map(([reason, count]) => `${reason} ${count}`).join(', ') || 'none',
    'CPU-s per million metrics': rounded((cpu / node.taken.metrics) * 1e6, 3),
    'longest flush ms': longestFlushMs(program.output()),
    'RSS peak MiB': rounded(peakMib),
    'RSS idle MiB': rounded(idleMib),
    'CPU idle %': rounded(((startCpu - idleCpu) / 2) * 100, 2),
  })
}

const asked = process.argv.slice(2)
for (const one of CASES)
  if (asked.length === 0 || asked.some((word) => one.name.includes(word))) await measure(one)
