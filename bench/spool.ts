import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openSpool } from '../collectors/spool/spool.ts'
import type { BatchDraft } from '../collectors/spool/types.ts'
import { systemClock } from '../core/clock.ts'
import { nodeFs } from '../core/fs.ts'
import type { Logger } from '../core/ports.ts'

/** Appends full batches to a spool on a real folder and takes them out again; prints MiB of raw lines per second and of CPU. */
const BATCH_BYTES = 512 << 10
const BATCHES = 1_000
const IN_FLIGHT = 4
const MIB = 1 << 20
const log: Logger = { debug() {}, info() {}, warn: console.warn, error: console.error, child: () => log }

function makeDraft(seed: number): BatchDraft {
  const lines: string[] = []
  for (let bytes = 0; bytes < BATCH_BYTES; bytes += (lines.at(-1)?.length ?? 0) + 1) {
    const n = (seed * 7919 + lines.length * 104_729) % 1_000_003
    const path = `/api/v1/orders/${n}/items?page=${n % 17}`
    lines.push(
      `2025-01-01T00:00:${String(n % 60).padStart(2, '0')}.${n % 1000}Z INFO web-${n % 9} GET ${path} 200 ${n % 977}ms`,
    )
  }
  const body = Buffer.from(`${lines.join('\n')}\n`)
  const run = { source: 0, offset: 0, bytes: body.length, lines: lines.length, readAtMs: 0 }
  return {
    header: {
      kind: 'lines',
      host: 'bench',
      createdAtMs: 0,
      utcOffsetMin: 0,
      fromMs: 0,
      toMs: 0,
      records: lines.length,
      sources: [{ path: '/var/log/app.log' }],
      runs: [run],
      drops: [],
    },
    body,
  }
}

async function measure(name: string, rawBytes: number, work: () => Promise<void>): Promise<void> {
  const startMs = performance.now()
  const cpuBefore = process.cpuUsage()
  await work()
  const seconds = (performance.now() - startMs) / 1000
  const { user, system } = process.cpuUsage(cpuBefore)
  const cpuSeconds = (user + system) / 1e6
  const mib = rawBytes / MIB
  console.log(
    `${name}: ${(mib / seconds).toFixed(0)} MiB/s, ${(mib / cpuSeconds).toFixed(0)} MiB per CPU second, ` +
      `${cpuSeconds.toFixed(2)} CPU s, rss ${(process.memoryUsage.rss() / MIB).toFixed(0)} MiB`,
  )
}

const dir = await mkdtemp(join(process.argv[2] ?? tmpdir(), 'noctule-bench-spool-'))
try {
  const options = { fs: nodeFs, dir, destinations: ['out'], bytesMax: 2 ** 31, clock: systemClock, log }
  const spool = await openSpool(options)
  const drafts = Array.from({ length: 16 }, (_, seed) => makeDraft(seed))
  const rawBytes = drafts.reduce((total, { body }) => total + body.length, 0) * (BATCHES / drafts.length)
  let left = BATCHES
  const appendAll = async (): Promise<void> => {
    while (left > 0) {
      left -= 1
      const draft = drafts[left % drafts.length]
      if (draft !== undefined) await spool.append(draft, { '/var/log/app.log': { offset: left } })
    }
  }
  await measure('append', rawBytes, async () => {
    await Promise.all(Array.from({ length: IN_FLIGHT }, appendAll))
  })
  await spool.close()

  let again = await openSpool({ ...options, dir: join(dir, 'empty') })
  await again.close()
  await measure('open', rawBytes, async () => {
    again = await openSpool(options)
  })
  const never = new AbortController().signal
  await measure('take and acknowledge', rawBytes, async () => {
    for (let count = 0; count < BATCHES; count += 1) again.ack('out', (await again.take('out', never)).ref)
  })
  await again.close()
} finally {
  await rm(dir, { recursive: true })
}
