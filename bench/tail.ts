import { once } from 'node:events'
import { createWriteStream } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createBatcher } from '../collectors/batcher.ts'
import { createFileSource } from '../collectors/file-source.ts'
import { openSpool } from '../collectors/spool/spool.ts'
import { systemClock as clock } from '../core/clock.ts'
import { parseConfig } from '../core/config.ts'
import { nodeFs } from '../core/fs.ts'
import type { Logger } from '../core/ports.ts'
import { report, rounded } from './support.ts'

/**
 * What following files costs: a large file read into the real spool (hashed, compressed, synced), and many files in which nothing happens.
 * `node bench/tail.ts [MiB] [files]`
 */
const MIB = 1 << 20
const fileMib = Number(process.argv[2] ?? 256)
const idleFiles = Number(process.argv[3] ?? 2_000)
const IDLE_SECONDS = 10
const log: Logger = { debug() {}, info() {}, warn: console.warn, error: console.error, child: () => log }

async function writeLines(path: string, bytes: number): Promise<number> {
  const out = createWriteStream(path)
  let written = 0
  let lines = 0
  while (written < bytes) {
    const block: string[] = []
    for (let i = 0; i < 5_000; i++, lines++) {
      const n = (lines * 104_729) % 1_000_003
      block.push(
        `2026-01-01T00:${String(n % 60).padStart(2, '0')}:00.${n % 1000}Z INFO web-${n % 9} GET /api/v1/orders/${n}/items?page=${n % 17} 200 ${n % 977}ms trace=${(n * 7919).toString(16)} agent=curl/8.${n % 10} region=eu\n`,
      )
    }
    const text = block.join('')
    written += text.length
    if (!out.write(text)) await once(out, 'drain')
  }
  out.end()
  await once(out, 'close')
  return written
}

async function openTail(dir: string) {
  const files = [{ paths: [join(dir, '*.log')], exclude: [], labels: {} }]
  const config = { ...parseConfig(null, {}).collector, files }
  const spool = await openSpool({
    fs: nodeFs,
    dir: join(dir, 'spool'),
    destinations: ['nobody'],
    bytesMax: 8 * 1024 * MIB,
    clock,
    log,
  })
  const batcher = createBatcher({
    spool,
    host: 'bench',
    bounds: config.batch,
    clock,
    log,
    random: Math.random,
  })
  const source = createFileSource({ config, positions: spool.positions(), batcher, clock, log })
  return { spool, batcher, source }
}

async function measure(work: () => Promise<void>): Promise<{ seconds: number; cpuSeconds: number }> {
  const startMs = performance.now()
  const before = process.cpuUsage()
  await work()
  const { user, system } = process.cpuUsage(before)
  return { seconds: (performance.now() - startMs) / 1_000, cpuSeconds: (user + system) / 1e6 }
}

const dir = await mkdtemp(join(tmpdir(), 'noctule-bench-tail-'))
try {
  const mib = (await writeLines(join(dir, 'big.log'), fileMib * MIB)) / MIB
  const { spool, batcher, source } = await openTail(dir)
  const bulk = await measure(async () => {
    await source.sweep()
    await batcher.flush(new AbortController().signal)
  })
  const rssMib = process.memoryUsage.rss() / MIB
  const records = spool.stats().records
  for (let i = 0; i < idleFiles; i++) await writeFile(join(dir, `idle-${i}.log`), 'one line\n')
  await source.sweep()
  await source.start()
  const idle = await measure(() => clock.sleep(IDLE_SECONDS * 1_000))
  report('tail', {
    'file MiB': rounded(mib),
    records,
    'MiB/s': rounded(mib / bulk.seconds),
    'MiB per CPU second': rounded(mib / bulk.cpuSeconds),
    'RSS MiB': rounded(rssMib),
    [`CPU % of ${idleFiles} idle files`]: rounded((100 * idle.cpuSeconds) / idle.seconds),
  })
  await source.stop()
  await batcher.flush(new AbortController().signal)
  await spool.close()
} finally {
  await rm(dir, { recursive: true, force: true })
}
