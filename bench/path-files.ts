/**
 * Whole path, file → searchable, one process, observed from outside: `LINES_PER_S` (20000) lines a second into 10 files for
 * `SECONDS` (300), 5 queries a second beside it.
 */
import { mkdtempSync, openSync, rmSync, writeFileSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { generateLines } from '../test/support/generator.ts'
import { type Program, startProgram, until } from '../test/support/program.ts'
import { cpuSeconds, quantile, report, rounded, rssPeakMib } from './support.ts'

const LINES_PER_S = Number(process.env['LINES_PER_S'] ?? 20_000)
const SECONDS = Number(process.env['SECONDS'] ?? 300)
const FILES = 10
const TICK_MS = 100
const QUERIES = ['', 'error', 'level:error', 'timeout OR refused', 'status:>=500']

async function writeLines(folder: string): Promise<{ lines: number; bytes: number; behindMs: number }> {
  const files = Array.from({ length: FILES }, (_, i) => openSync(join(folder, `app-${i}.log`), 'a'))
  const lines = generateLines({ seed: 42 })
  const perTick = (LINES_PER_S * TICK_MS) / 1000
  const start = performance.now()
  let bytes = 0
  let behindMs = 0
  for (let tick = 0; tick < (SECONDS * 1000) / TICK_MS; tick++) {
    let text = ''
    for (let i = 0; i < perTick; i++) text += `${lines.next().value}\n`
    bytes += writeSync(files[tick % FILES] ?? 0, text)
    const waitMs = start + (tick + 1) * TICK_MS - performance.now()
    behindMs = Math.max(behindMs, -waitMs)
    await sleep(Math.max(0, waitMs))
  }
  return { lines: ((SECONDS * 1000) / TICK_MS) * perTick, bytes, behindMs }
}

async function queryUntil(
  program: Program,
  stop: AbortSignal,
): Promise<{ tookMs: number[]; failed: number }> {
  const tookMs: number[] = []
  let failed = 0
  for (let i = 0; !stop.aborted; i++) {
    const started = performance.now()
    const kind = i % 5 === 4 ? 'histogram?by=level&' : 'search?'
    const response = await program.get(
      `/v1/${kind}from=now-5m&q=${encodeURIComponent(QUERIES[(i + Math.floor(i / 5)) % QUERIES.length] ?? '')}`,
    )
    await response.text()
    if (response.status === 200) tookMs.push(performance.now() - started)
    else failed += 1
    await sleep(Math.max(0, started + 200 - performance.now()))
  }
  return { tookMs, failed }
}

async function storedTotal(program: Program): Promise<number> {
  const stats = (await (await program.get('/v1/store')).json()) as { records: number }
  return stats.records
}

async function metric(program: Program, name: string): Promise<number> {
  const text = await (await program.get('/metrics')).text()
  return Number(new RegExp(`^${name} ([\\d.e+-]+)$`, 'm').exec(text)?.[1])
}

const base = mkdtempSync(join(tmpdir(), 'noctule-bench-'))
writeFileSync(join(base, 'noctule.yaml'), `collector: { files: [{ paths: ["${base}/*.log"] }] }\n`)
const program = await startProgram({ dataDir: join(base, 'data'), configFile: join(base, 'noctule.yaml') })
const stop = new AbortController()
const cpuAtStart = cpuSeconds(program.pid)
const started = performance.now()
const [written, queried] = await Promise.all([
  writeLines(base).finally(() => stop.abort()),
  queryUntil(program, stop.signal),
])
const writtenAt = performance.now()
const total = await until(
  async () => ((await storedTotal(program)) >= written.lines ? await storedTotal(program) : undefined),
  60_000,
  () => 'not all lines were stored',
  50,
)
report(`path-files ${LINES_PER_S}/s × ${SECONDS} s`, {
  'lines written': written.lines,
  'lines stored': total,
  'lines/s': Math.round((total * 1000) / (performance.now() - started)),
  'writer behind, worst ms': Math.round(written.behindMs),
  'stored after the last write, ms': Math.round(performance.now() - writtenAt),
  'MiB/s': rounded(written.bytes / 2 ** 20 / SECONDS),
  'CPU cores used': rounded(
    (cpuSeconds(program.pid) - cpuAtStart) / ((performance.now() - started) / 1000),
    2,
  ),
  'lines per CPU-second': Math.round(total / (cpuSeconds(program.pid) - cpuAtStart)),
  'RSS peak MiB': Math.round(rssPeakMib(program.pid)),
  'event loop delay p99 ms': rounded((await metric(program, 'nodejs_eventloop_lag_p99_seconds')) * 1000),
  queries: queried.tookMs.length,
  'queries failed': queried.failed,
  'query p50 ms': Math.round(quantile(queried.tookMs, 0.5)),
  'query p99 ms': Math.round(quantile(queried.tookMs, 0.99)),
})
await program.stop()
rmSync(base, { recursive: true })
