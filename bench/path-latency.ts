/**
 * Appended → found: from the return of write() to the first search that finds the line, polled every 10 ms, `LINES` (300) times,
 * with `LINES_PER_S` (0) other lines a second beside it. With `ENGINES=1` through a real Kafka into a real Elasticsearch.
 */
import { appendFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { stringify } from 'yaml'
import { configOf, startOwnEngines } from '../test/support/engines/fault-run.ts'
import { generateLines } from '../test/support/generator.ts'
import { startProgram, until } from '../test/support/program.ts'
import { quantile, report } from './support.ts'

const LINES = Number(process.env['LINES'] ?? 300)
const WARM_UP = 5
const LINES_PER_S = Number(process.env['LINES_PER_S'] ?? 0)

const base = mkdtempSync(join(tmpdir(), 'noctule-bench-'))
const engines = process.env['ENGINES'] === '1' ? await startOwnEngines() : null
const files = [{ paths: [`${base}/*.log`] }]
const config = engines === null ? { collector: { files } } : configOf(engines, 'noctule-bench', files)
writeFileSync(join(base, 'noctule.yaml'), stringify(config))
const program = await startProgram({ dataDir: join(base, 'data'), configFile: join(base, 'noctule.yaml') })
const noise = generateLines({ seed: 7 })
const tookMs: number[] = []
let done = false

async function writeNoise(): Promise<void> {
  while (!done && LINES_PER_S > 0) {
    let text = ''
    for (let i = 0; i < LINES_PER_S / 20; i++) text += `${noise.next().value}\n`
    appendFileSync(join(base, 'noise.log'), text)
    await sleep(50)
  }
}

async function isFound(token: string): Promise<true | undefined> {
  const answer = (await (await program.get(`/v1/search?limit=1&from=now-10m&q=${token}`)).json()) as {
    records: unknown[]
  }
  return answer.records.length === 1 ? true : undefined
}

/** How long one line takes, ms. */
async function appendedToFound(i: number): Promise<number> {
  const token = `needle${i}x${Math.floor(performance.now())}`
  appendFileSync(join(base, 'app.log'), `INFO something happened ${token}\n`)
  const written = performance.now()
  await until(
    () => isFound(token),
    30_000,
    () => `${token} is not found`,
  )
  return performance.now() - written
}

const noisy = writeNoise()
// The first lines find neither topic nor index: they are made once, and are not what is measured.
for (let i = 0; i < WARM_UP; i++) await appendedToFound(-1 - i)
for (let i = 0; i < LINES; i++) {
  tookMs.push(await appendedToFound(i))
  await sleep((i * 37) % 100) // spreads the writes over every phase of the program's timers
}
done = true
await noisy
report(`path-latency beside ${LINES_PER_S}/s${engines === null ? '' : ', engines'}`, {
  lines: LINES,
  'p50 ms': Math.round(quantile(tookMs, 0.5)),
  'p99 ms': Math.round(quantile(tookMs, 0.99)),
  'max ms': Math.round(Math.max(...tookMs)),
})
await program.stop()
await engines?.[Symbol.asyncDispose]()
rmSync(base, { recursive: true })
