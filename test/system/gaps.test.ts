import { randomBytes } from 'node:crypto'
import { expect, test } from 'vitest'
import { type BatchHeader, encodeFrame, type Mark } from '../../core/wire.ts'
import { search } from '../support/answers.ts'
import { type Program, startProgram, until } from '../support/program.ts'
import { createWorkspace } from '../support/workspace.ts'

/** A collector made by hand: sends what the test says, leaves out what the test leaves out. */
function handMadeCollector(program: Program, name: string) {
  const epoch = randomBytes(16).toString('hex')
  return {
    async batch(seq: number, lines: readonly string[], more: Partial<BatchHeader> = {}) {
      const body = Buffer.from(lines.map((line) => `${line}\n`).join(''))
      const nowMs = Date.now()
      const run = { source: 0, offset: 0, bytes: body.length, lines: lines.length, readAtMs: nowMs }
      const who = { collector: name, host: name, epoch }
      const times = { createdAtMs: nowMs, fromMs: nowMs - 500, toMs: nowMs, utcOffsetMin: 0 }
      const size = { records: lines.length, bodyBytes: body.length }
      const content = { sources: [{ path: '/x.log' }], runs: [run], drops: [], tombstones: [] }
      const header: BatchHeader = { v: 1, kind: 'lines', ...who, seq, ...times, ...size, ...content, ...more }
      const frame = new Uint8Array(await encodeFrame(header, body))
      return await program.post('/v1/batches', frame, 'application/octet-stream')
    },
    async mark(lastSeq: number, spoolLow: number, more: Partial<Mark> = {}) {
      const epochs = [{ epoch, lastSeq, spoolLow, pending: [] }]
      const mark = {
        v: 1,
        collector: name,
        host: name,
        epoch,
        sentAtMs: Date.now(),
        readAgeMs: 0,
        epochs,
        ...more,
      }
      return await program.post('/v1/marks', JSON.stringify(mark))
    },
  }
}

const siteOnly = 'collector: { files: [] }\n'

async function untilAnswer(
  program: Program,
  accept: (meta: Awaited<ReturnType<typeof search>>['meta']) => boolean,
  each: () => Promise<unknown>,
) {
  return await until(
    async () => {
      await each()
      const { meta } = await search(program, '', { from: 'now-15m', to: 'now' })
      return accept(meta) ? meta : undefined
    },
    20_000,
    () => program.output().slice(-2000),
    100,
  )
}

test('a single batch that never arrives is named as a gap; everything else is found', async () => {
  using workspace = createWorkspace(siteOnly)
  const program = await startProgram({ ...workspace, role: 'site' })
  const collector = handMadeCollector(program, 'web-3')
  for (const seq of [1, 2, 4]) expect((await collector.batch(seq, [`line of batch ${seq}`])).status).toBe(200)
  const meta = await untilAnswer(
    program,
    ({ sites }) => sites['local']?.gaps.some((gap) => gap.reason === 'lost') ?? false,
    () => collector.mark(4, 5),
  )
  expect(meta.complete).toBe(false)
  expect(meta.sites['local']?.gaps).toContainEqual(
    expect.objectContaining({ reason: 'lost', collector: 'web-3', host: 'web-3' }),
  )
  expect((await search(program, 'batch')).records).toHaveLength(3)

  expect((await collector.batch(3, ['line of batch 3'])).status).toBe(200)
  await untilAnswer(
    program,
    ({ complete }) => complete,
    () => collector.mark(4, 5),
  )
  await program.stop()
})

test('the same batch again is a duplicate and kept once; another body under its number is a conflict', async () => {
  using workspace = createWorkspace(siteOnly)
  const program = await startProgram({ ...workspace, role: 'site' })
  const collector = handMadeCollector(program, 'web-4')
  const fixed = {
    createdAtMs: 1,
    fromMs: 0,
    toMs: 1,
    runs: [{ source: 0, offset: 0, bytes: 9, lines: 1, readAtMs: Date.now() }],
  }
  expect(await (await collector.batch(1, ['the same'], fixed)).json()).toEqual({ status: 'stored' })
  expect(await (await collector.batch(1, ['the same'], fixed)).json()).toEqual({ status: 'duplicate' })
  const conflict = await collector.batch(1, ['not same'], fixed)
  expect(conflict.status).toBe(409)
  expect(await conflict.json()).toMatchObject({ code: 'SEQUENCE_CONFLICT' })
  await program.kill()

  const again = await startProgram({ ...workspace, role: 'site' })
  const later = handMadeCollector(again, 'web-4')
  expect((await later.batch(1, ['another epoch'])).status).toBe(200)
  expect((await search(again, 'same')).records).toHaveLength(1)
  await again.stop()
})

test('a collector that falls silent makes the answer incomplete, and is named', async () => {
  using workspace = createWorkspace(`${siteOnly}completeness: { settleMs: 200, silentAfterMs: 500 }\n`)
  const program = await startProgram({ ...workspace, role: 'site' })
  const collector = handMadeCollector(program, 'web-5')
  await untilAnswer(
    program,
    ({ complete, sites }) => complete || (sites['local']?.completeTo ?? null) !== null,
    () => collector.mark(0, 1),
  )
  const meta = await untilAnswer(
    program,
    ({ sites }) => sites['local']?.gaps.some((gap) => gap.reason === 'silent') ?? false,
    () => Promise.resolve(),
  )
  expect(meta.complete).toBe(false)
  expect(meta.sites['local']?.gaps[0]).toMatchObject({ reason: 'silent', collector: 'web-5' })
  await program.stop()
})

test('foreign bytes are refused, and stand in the quarantine', async () => {
  using workspace = createWorkspace(siteOnly)
  const program = await startProgram({ ...workspace, role: 'site' })
  const response = await program.post(
    '/v1/batches',
    Buffer.from('not a batch at all'),
    'application/octet-stream',
  )
  expect(response.status).toBe(400)
  expect(await response.json()).toMatchObject({ code: 'BATCH_MALFORMED', retryable: false })
  const quarantine = (await (await program.get('/v1/quarantine')).json()) as { total: number }
  expect(quarantine.total).toBe(1)
  await program.stop()
})
