/**
 * Whole path over HTTP: `COLLECTORS` (1000) simulated collectors, each `LINES_PER_S` (20) lines a second as one batch a second and
 * one mark a second, for `SECONDS` (60).
 */
import { randomBytes } from 'node:crypto'
import { Agent, request } from 'node:http'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { type BatchHeader, encodeFrame } from '../core/wire.ts'
import { generateLines } from '../test/support/generator.ts'
import { startProgram, until } from '../test/support/program.ts'
import { cpuSeconds, quantile, report, rounded, rssPeakMib } from './support.ts'

const COLLECTORS = Number(process.env['COLLECTORS'] ?? 1000)
const LINES_PER_S = Number(process.env['LINES_PER_S'] ?? 20)
const SECONDS = Number(process.env['SECONDS'] ?? 60)

type Who = { readonly v: 1; readonly collector: string; readonly host: string; readonly epoch: string }

const base = mkdtempSync(join(tmpdir(), 'noctule-bench-'))
writeFileSync(join(base, 'noctule.yaml'), 'collector: { files: [] }\n')
const program = await startProgram({
  dataDir: join(base, 'data'),
  configFile: join(base, 'noctule.yaml'),
  role: 'site',
})
const lines = generateLines({ seed: 9 })
const ackMs: number[] = []
let refused = 0

const agent = new Agent({ keepAlive: true })

/** The cheapest client at hand: what it uses is taken from the program, on a machine that both share. */
function post(path: string, type: string, body: string | Uint8Array): Promise<number> {
  const headers = {
    authorization: `Bearer ${program.token}`,
    'content-type': type,
    'content-length': Buffer.byteLength(body),
  }
  return new Promise((resolve, reject) => {
    const sent = request(program.url + path, { method: 'POST', agent, headers }, (response) => {
      response.resume().on('end', () => resolve(response.statusCode ?? 0))
    })
    sent.on('error', reject).end(body)
  })
}

/** Sends until it is acknowledged, as a collector does. */
async function deliver(frame: Uint8Array): Promise<void> {
  const started = performance.now()
  while ((await post('/v1/batches', 'application/octet-stream', frame)) !== 200) {
    refused += 1
    await sleep(200)
  }
  ackMs.push(performance.now() - started)
}

/** What a collector will send, made before the clock starts: real collectors bring their own processors. */
async function framesOf(who: Who): Promise<Buffer[]> {
  const frames: Buffer[] = []
  for (let seq = 1; seq <= SECONDS; seq++) {
    const text = Array.from({ length: LINES_PER_S }, () => `${lines.next().value}\n`).join('')
    const nowMs = Date.now()
    const body = Buffer.from(text)
    const run = { source: 0, offset: 0, bytes: body.length, lines: LINES_PER_S, readAtMs: nowMs }
    const times = { createdAtMs: nowMs, fromMs: nowMs - 1000, toMs: nowMs, utcOffsetMin: 0 }
    const size = { records: LINES_PER_S, bodyBytes: body.length }
    const content = { sources: [{ path: '/var/log/app.log' }], runs: [run], drops: [], tombstones: [] }
    const header: BatchHeader = { ...who, kind: 'lines', seq, ...times, ...size, ...content }
    frames.push(await encodeFrame(header, body))
  }
  return frames
}

async function collect(index: number, who: Who, frames: readonly Buffer[]): Promise<void> {
  await sleep((index * 1000) / COLLECTORS)
  const start = performance.now()
  for (const [at, frame] of frames.entries()) {
    await deliver(frame)
    const epochs = [{ epoch: who.epoch, lastSeq: at + 1, spoolLow: at + 2, pending: [] }]
    await post(
      '/v1/marks',
      'application/json',
      JSON.stringify({ ...who, sentAtMs: Date.now(), readAgeMs: 0, epochs }),
    )
    await sleep(Math.max(0, start + (at + 1) * 1000 - performance.now()))
  }
}

const collectors: { who: Who; frames: Buffer[] }[] = []
for (let index = 0; index < COLLECTORS; index++) {
  const who: Who = {
    v: 1,
    collector: `bench-${index}`,
    host: `host-${index}`,
    epoch: randomBytes(16).toString('hex'),
  }
  collectors.push({ who, frames: await framesOf(who) })
}
const cpuAtStart = cpuSeconds(program.pid)
const started = performance.now()
await Promise.all(collectors.map(({ who, frames }, index) => collect(index, who, frames)))
const expected = COLLECTORS * LINES_PER_S * SECONDS
const seconds = (performance.now() - started) / 1000
const stored = async () => ((await (await program.get('/v1/store')).json()) as { records: number }).records
await until(
  async () => ((await stored()) === expected ? true : undefined),
  30_000,
  () => 'not all lines were stored',
  100,
)
const metrics = await (await program.get('/metrics')).text()
report(`path-http ${COLLECTORS} × ${LINES_PER_S}/s × ${SECONDS} s`, {
  'lines stored': expected,
  'lines/s': Math.round(expected / seconds),
  'CPU cores used': rounded((cpuSeconds(program.pid) - cpuAtStart) / seconds, 2),
  'RSS peak MiB': Math.round(rssPeakMib(program.pid)),
  'event loop delay p99 ms': rounded(
    Number(/^nodejs_eventloop_lag_p99_seconds ([\d.e+-]+)$/m.exec(metrics)?.[1]) * 1000,
  ),
  'acknowledged p50 ms': Math.round(quantile(ackMs, 0.5)),
  'acknowledged p99 ms': Math.round(quantile(ackMs, 0.99)),
  'answered 429 or 503': refused,
})
agent.destroy()
await program.stop()
rmSync(base, { recursive: true })
