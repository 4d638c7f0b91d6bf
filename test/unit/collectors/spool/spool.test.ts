import { randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { PENDING_RANGES_MAX } from '../../../../collectors/spool/book.ts'
import { openSpool } from '../../../../collectors/spool/spool.ts'
import type { Spool, SpooledBatch } from '../../../../collectors/spool/types.ts'
import { systemClock } from '../../../../core/clock.ts'
import { nodeFs } from '../../../../core/fs.ts'
import { BODY_BYTES_MAX, decodeFrame } from '../../../../core/wire.ts'
import { createFakeClock } from '../../../support/fake-clock.ts'
import { createPowerLossFs } from '../../../support/power-loss-fs.ts'
import { seededRandom } from '../../../support/random.ts'
import type { FsOperation, PowerLossFs } from '../../../support/power-loss-fs.ts'
import { draftOf } from '../../../support/spool.ts'
import { quietLog } from '../../../support/quiet-log.ts'

const DIR = '/spool'
const RESERVE_BYTES = 1 << 20
const SEGMENT = /\.seg$/
const never = new AbortController().signal
const clock = createFakeClock()

interface OpenOptions {
  readonly destinations?: readonly string[]
  readonly bytesMax?: number
  readonly collector?: string
}

function open(fs: PowerLossFs, options: OpenOptions = {}): Promise<Spool> {
  return openSpool({
    fs,
    dir: DIR,
    destinations: ['out'],
    bytesMax: 64 << 20,
    clock,
    log: quietLog,
    ...options,
  })
}

/** Appends batches of one line each, one after the other; their position is `n`. */
async function fill(spool: Spool, from: number, to: number): Promise<void> {
  for (let n = from; n <= to; n += 1) await spool.append(draftOf([`line ${n}`]), { s: { n } })
}

async function takeAll(spool: Spool, destination = 'out'): Promise<SpooledBatch[]> {
  const batches: SpooledBatch[] = []
  const pending = spool.epochs(destination).flatMap((epoch) => epoch.pending)
  for (const { seqFrom, seqTo } of pending) {
    for (let seq = seqFrom; seq <= seqTo; seq += 1) batches.push(await spool.take(destination, never))
  }
  return batches
}

const linesOf = async (batches: readonly SpooledBatch[]) => {
  const decoded = await Promise.all(batches.map(({ frame }) => decodeFrame(frame)))
  return decoded.map(({ body }) => body.toString().trim())
}

const numbered = (from: number, to: number) =>
  Array.from({ length: to - from + 1 }, (_, index) => `line ${from + index}`)

const segmentsIn = async (fs: PowerLossFs) => (await fs.list(DIR)).filter((name) => SEGMENT.test(name))

/** Hardly compressible, so that sizes are nearly what they look like. */
function noise(bytes: number): string {
  return randomBytes(bytes).toString('base64').slice(0, bytes)
}

describe('append and take', () => {
  test('batches are numbered in the order of the calls and given out in that order, as they were handed in', async () => {
    const spool = await open(createPowerLossFs(), { collector: 'c1' })
    await Promise.all(
      Array.from({ length: 20 }, (_, n) =>
        spool.append(draftOf([`line ${n}`]), { s: { n }, [`s${n}`]: { n } }),
      ),
    )
    const batches = await takeAll(spool)
    expect(await linesOf(batches)).toEqual(numbered(0, 19))
    for (const [index, batch] of batches.entries()) {
      const { header } = await decodeFrame(batch.frame)
      expect(header).toMatchObject({ v: 1, collector: 'c1', epoch: spool.epoch, seq: index + 1, records: 1 })
      expect({ epoch: batch.epoch, seq: batch.seq }).toEqual({ epoch: header.epoch, seq: header.seq })
    }
    expect(spool.positions()).toMatchObject({ s: { n: 19 }, s0: { n: 0 }, s19: { n: 19 } })
  })

  test('a position can be forgotten, also over a restart', async () => {
    const fs = createPowerLossFs()
    const spool = await open(fs)
    await spool.append(draftOf(['a']), { gone: { n: 1 }, kept: { n: 1 } })
    await spool.append(draftOf(['b']), { gone: null })
    expect(spool.positions()).toEqual({ kept: { n: 1 } })
    expect((await open(fs.crash())).positions()).toEqual({ kept: { n: 1 } })
  })

  test('take waits for the next batch; several wait in turn', async () => {
    const spool = await open(createPowerLossFs())
    const waiting = [spool.take('out', never), spool.take('out', never)]
    await fill(spool, 1, 2)
    expect(await linesOf(await Promise.all(waiting))).toEqual(numbered(1, 2))
  })

  test('take rejects with the reason of its signal and takes nothing', async () => {
    const spool = await open(createPowerLossFs())
    const reason = new Error('stop')
    const controller = new AbortController()
    const waiting = spool.take('out', controller.signal)
    controller.abort(reason)
    await expect(waiting).rejects.toBe(reason)
    await expect(spool.take('out', AbortSignal.abort(reason))).rejects.toBe(reason)
    await fill(spool, 1, 1)
    expect(await linesOf([await spool.take('out', never)])).toEqual(numbered(1, 1))
  })

  test('what is given back comes again before newer ones, in order', async () => {
    const spool = await open(createPowerLossFs())
    await fill(spool, 1, 5)
    const [one, two, three] = [
      await spool.take('out', never),
      await spool.take('out', never),
      await spool.take('out', never),
    ]
    spool.giveBack('out', three.ref)
    spool.giveBack('out', one.ref)
    spool.giveBack('out', one.ref)
    spool.ack('out', two.ref)
    expect(await linesOf(await takeAll(spool))).toEqual(['line 1', 'line 3', 'line 4', 'line 5'])
  })

  test('frames that left the memory are read from the disk', async () => {
    const spool = await open(createPowerLossFs())
    const lines = Array.from({ length: 6 }, () => noise(4 << 20))
    for (const [n, line] of lines.entries()) await spool.append(draftOf([line]), { s: { n } })
    expect(await linesOf(await takeAll(spool))).toEqual(lines)
  })

  test('appends that are made while one is synced share the next sync', async () => {
    const fs = createPowerLossFs({ random: seededRandom(1) })
    const spool = await open(fs)
    let syncs = 0
    fs.fault = (operation: FsOperation, path) => {
      if (operation === 'sync' && SEGMENT.test(path)) syncs += 1
      return undefined
    }
    await Promise.all(Array.from({ length: 100 }, (_, n) => spool.append(draftOf([`line ${n}`]), {})))
    expect(syncs).toBeLessThan(100)
    expect(spool.stats().batches).toBe(100)
  })

  test('a batch that no frame can hold is refused, with the limit', async () => {
    const spool = await open(createPowerLossFs())
    const draft = { ...draftOf(['x']), body: Buffer.alloc(BODY_BYTES_MAX + 1) }
    await expect(spool.append(draft, {})).rejects.toMatchObject({ code: 'BATCH_TOO_LARGE' })
    const wide = draftOf(['x'])
    const sources = Array.from({ length: 300 }, () => ({ path: 'p'.repeat(4_000) }))
    await expect(spool.append({ ...wide, header: { ...wide.header, sources } }, {})).rejects.toMatchObject({
      code: 'BATCH_TOO_LARGE',
    })
    await fill(spool, 1, 1)
    expect(spool.epochs('out')).toMatchObject([{ lastSeq: 1 }])
  })
})

describe('acknowledgements', () => {
  test('survive an orderly stop; after a crash a batch may come again, under the same number and bytes', async () => {
    const fs = createPowerLossFs()
    const spool = await open(fs)
    await fill(spool, 1, 3)
    const first = await takeAll(spool)
    spool.ack('out', first[0]?.ref ?? -1)
    const copy = fs.crash()
    const afterCrash = await open(copy)
    const again = await takeAll(afterCrash)
    expect(again.map(({ epoch, seq, frame }) => ({ epoch, seq, frame }))).toEqual(
      first.map(({ epoch, seq, frame }) => ({ epoch, seq, frame })),
    )
    for (const { ref } of again.slice(0, 2)) afterCrash.ack('out', ref)
    await afterCrash.close()
    expect(await linesOf(await takeAll(await open(copy)))).toEqual(['line 3'])
  })

  test('are written within some seconds, without a stop', async () => {
    const fs = createPowerLossFs()
    const spool = await open(fs)
    await fill(spool, 1, 3)
    spool.ack('out', (await spool.take('out', never)).ref)
    await clock.advance(10_000)
    expect(await linesOf(await takeAll(await open(fs.crash())))).toEqual(numbered(2, 3))
  })

  test('only count for what is out, once', async () => {
    const spool = await open(createPowerLossFs())
    await fill(spool, 1, 2)
    const { ref } = await spool.take('out', never)
    spool.giveBack('out', ref)
    spool.ack('out', ref)
    spool.ack('out', ref + 1)
    spool.ack('out', 999)
    expect(spool.stats().batches).toBe(2)
  })

  test('every destination gets every batch; the spool is freed when all have it', async () => {
    const fs = createPowerLossFs()
    const spool = await open(fs, { destinations: ['near', 'far'] })
    await fill(spool, 1, 3)
    for (const { ref } of await takeAll(spool, 'near')) spool.ack('near', ref)
    expect(spool.stats()).toMatchObject({ batches: 3, records: 3 })
    const far = await takeAll(spool, 'far')
    expect(await linesOf(far)).toEqual(numbered(1, 3))
    for (const { ref } of far) spool.ack('far', ref)
    expect(spool.stats()).toMatchObject({ batches: 0, records: 0 })
    await spool.close()
    expect(await fs.list(DIR)).toEqual(['LOCK', 'checkpoint', 'reserve'])
  })

  test('a new destination gets what still waits for another; one that left holds nothing back', async () => {
    const fs = createPowerLossFs()
    const spool = await open(fs, { destinations: ['near', 'far'] })
    await fill(spool, 1, 4)
    const [near, far] = [await takeAll(spool, 'near'), await takeAll(spool, 'far')]
    for (const { ref } of near.slice(0, 3)) spool.ack('near', ref)
    for (const { ref } of far.slice(0, 1)) spool.ack('far', ref)
    await spool.close()
    const next = await open(fs, { destinations: ['near', 'new'] })
    expect(await linesOf(await takeAll(next, 'near'))).toEqual(['line 4'])
    expect(await linesOf(await takeAll(next, 'new'))).toEqual(numbered(2, 4))
    await next.close()
    const last = await open(fs, { destinations: ['near'] })
    expect(last.stats().batches).toBe(1)
  })
})

describe('epochs', () => {
  test('every open draws a new one; spooled batches keep theirs; the first batch names the one before', async () => {
    const fs = createPowerLossFs()
    const first = await open(fs)
    await fill(first, 1, 3)
    const second = await open(fs.crash())
    expect(second.collector).toBe(first.collector)
    expect(second.epoch).not.toBe(first.epoch)
    await fill(second, 4, 5)
    const headers = await Promise.all(
      (await takeAll(second)).map(async ({ frame }) => (await decodeFrame(frame)).header),
    )
    expect(headers.map(({ epoch, seq, previous }) => ({ epoch, seq, previous }))).toEqual([
      { epoch: first.epoch, seq: 1 },
      { epoch: first.epoch, seq: 2 },
      { epoch: first.epoch, seq: 3 },
      { epoch: second.epoch, seq: 1, previous: { epoch: first.epoch, lastSeq: 3 } },
      { epoch: second.epoch, seq: 2 },
    ])
  })

  test('an epoch without a batch is passed over, also when everything of the one before is gone', async () => {
    const fs = createPowerLossFs()
    const first = await open(fs)
    await fill(first, 1, 2)
    for (const { ref } of await takeAll(first)) first.ack('out', ref)
    await first.close()
    await (await open(fs)).close()
    const third = await open(fs)
    await fill(third, 3, 3)
    const { header } = await decodeFrame((await third.take('out', never)).frame)
    expect(header.previous).toEqual({ epoch: first.epoch, lastSeq: 2 })
  })

  test('another collector id does not name the epochs of the old one', async () => {
    const fs = createPowerLossFs()
    const first = await open(fs, { collector: 'old' })
    await fill(first, 1, 1)
    await first.close()
    const second = await open(fs, { collector: 'new' })
    await fill(second, 2, 2)
    const [, batch] = await takeAll(second)
    const { header } = await decodeFrame(batch?.frame ?? Buffer.alloc(0))
    expect(header).toMatchObject({ collector: 'new', seq: 1 })
    expect(header.previous).toBeUndefined()
  })

  test('a mark names what waits per epoch, the live one last', async () => {
    const fs = createPowerLossFs()
    const first = await open(fs, { destinations: ['near', 'far'] })
    for (let n = 1; n <= 5; n += 1) {
      await first.append(draftOf(['a', 'b'], { fromMs: n * 100, toMs: n * 100 + 50 }), {})
    }
    const [one, , three] = await takeAll(first, 'near')
    first.ack('near', one?.ref ?? -1)
    first.ack('near', three?.ref ?? -1)
    const range = (seqFrom: number, seqTo: number) => ({
      seqFrom,
      seqTo,
      timeFromMs: seqFrom * 100,
      timeToMs: seqTo * 100 + 50,
      records: 2 * (seqTo - seqFrom + 1),
    })
    const nearOld = { epoch: first.epoch, lastSeq: 5, spoolLow: 2, pending: [range(2, 2), range(4, 5)] }
    expect(first.epochs('near')).toEqual([nearOld])
    await first.close()
    const second = await open(fs, { destinations: ['near', 'far'] })
    const live = { epoch: second.epoch, lastSeq: 0, spoolLow: 1, pending: [] }
    expect(second.epochs('near')).toEqual([nearOld, live])
    expect(second.epochs('far')).toEqual([
      { epoch: first.epoch, lastSeq: 5, spoolLow: 1, pending: [range(1, 5)] },
      live,
    ])
    for (const { ref } of await takeAll(second, 'near')) second.ack('near', ref)
    await second.append(draftOf(['x'], { fromMs: 1, toMs: 2 }), {})
    for (const { ref } of await takeAll(second, 'near')) second.ack('near', ref)
    expect(second.epochs('near')).toEqual([{ ...live, lastSeq: 1, spoolLow: 2 }])
  })

  test('a mark has a bounded number of ranges, and they cover everything that waits', async () => {
    const spool = await open(createPowerLossFs())
    const count = 2 * PENDING_RANGES_MAX + 20
    await Promise.all(Array.from({ length: count }, () => spool.append(draftOf(['x']), {})))
    for (const { ref, seq } of await takeAll(spool)) if (seq % 2 === 1) spool.ack('out', ref)
    const [{ pending, spoolLow } = { pending: [], spoolLow: 0 }] = spool.epochs('out')
    expect({ spoolLow, ranges: pending.length }).toEqual({ spoolLow: 2, ranges: PENDING_RANGES_MAX })
    for (let seq = 2; seq <= count; seq += 2) {
      expect(pending.some(({ seqFrom, seqTo }) => seqFrom <= seq && seq <= seqTo)).toBe(true)
    }
    expect(pending.reduce((total, { records }) => total + records, 0)).toBe(count / 2)
  })
})

describe('a full spool', () => {
  const bytesMax = 64 << 10

  async function fillUp(spool: Spool): Promise<number> {
    const isFull = { code: 'OVERLOADED', details: { bytesMax } }
    for (let n = 1; ; n += 1) {
      const refused: unknown = await spool
        .append(draftOf([noise(1500)]), { s: { n } })
        .catch((e: unknown) => e)
      if (refused === undefined) continue
      expect(refused).toMatchObject(isFull)
      return n - 1
    }
  }

  test('refuses, uses no number, stays within its bytes, and takes batches again once some were acknowledged', async () => {
    const fs = createPowerLossFs()
    const spool = await open(fs, { bytesMax })
    const count = await fillUp(spool)
    expect(count).toBeGreaterThan(20)
    expect(spool.stats()).toMatchObject({ batches: count, full: true })
    expect(spool.stats().bytes).toBeLessThanOrEqual(bytesMax)
    expect(spool.positions()).toEqual({ s: { n: count } })
    for (const { ref } of (await takeAll(spool)).slice(0, 10)) spool.ack('out', ref)
    await clock.advance(0)
    await fill(spool, count + 1, count + 1)
    expect(spool.stats().full).toBe(false)
    expect(spool.epochs('out')).toMatchObject([{ lastSeq: count + 1, spoolLow: 11 }])
  })

  test('a refusal also refuses what was called after it and before it was known', async () => {
    const spool = await open(createPowerLossFs(), { bytesMax })
    await fill(spool, 1, 1)
    const large = draftOf([noise(bytesMax)])
    const results = await Promise.allSettled([
      spool.append(draftOf(['line 2']), { s: { n: 2 } }),
      spool.append(large, { s: { n: 3 } }),
      spool.append(draftOf(['line 4']), { s: { n: 4 } }),
    ])
    expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'rejected'])
    expect(spool.positions()).toEqual({ s: { n: 2 } })
    await fill(spool, 4, 4)
  })

  test('an empty spool takes a batch that is larger than itself', async () => {
    const spool = await open(createPowerLossFs(), { bytesMax })
    await spool.append(draftOf([noise(2 * bytesMax)]), {})
    await expect(spool.append(draftOf(['x']), {})).rejects.toMatchObject({ code: 'OVERLOADED' })
    spool.ack('out', (await spool.take('out', never)).ref)
    await spool.append(draftOf(['x']), {})
  })
})

describe('a full disk', () => {
  const full = { code: 'DISK_FULL', retryable: true }

  test('refuses, keeps nothing of the batch, uses no number, and recovers when there is room', async () => {
    const fs = createPowerLossFs()
    const spool = await open(fs)
    await fill(spool, 1, 2)
    const before = spool.stats().bytes
    fs.diskBytesMax = RESERVE_BYTES + 3_000
    await expect(spool.append(draftOf([noise(5_000)]), { s: { n: 99 } })).rejects.toMatchObject(full)
    expect(spool.stats()).toMatchObject({ full: true, bytes: before })
    const [segment = ''] = await segmentsIn(fs)
    expect(await fs.size(`${DIR}/${segment}`)).toBe(before)
    expect(spool.positions()).toEqual({ s: { n: 2 } })
    fs.diskBytesMax = Infinity
    await fill(spool, 3, 3)
    expect(spool.stats().full).toBe(false)
    expect(spool.epochs('out')).toMatchObject([{ lastSeq: 3 }])
    expect(await linesOf(await takeAll(await open(fs.crash())))).toEqual(numbered(1, 3))
  })

  test('acknowledgements can still be written, at the cost of the reserve, which appends do not get', async () => {
    const fs = createPowerLossFs()
    const spool = await open(fs, { bytesMax: 64 << 10 })
    const lines = Array.from({ length: 12 }, () => noise(3_000))
    for (const line of lines) await spool.append(draftOf([line]), {})
    const usedBytes = async () => {
      let total = 0
      for (const name of await fs.list(DIR)) total += (await fs.size(`${DIR}/${name}`)) ?? 0
      return total
    }
    fs.diskBytesMax = await usedBytes()
    spool.ack('out', (await spool.take('out', never)).ref)
    await clock.advance(10_000)
    expect(await fs.size(`${DIR}/reserve`)).toBeNull()
    await expect(spool.append(draftOf(['x']), {})).rejects.toMatchObject(full)
    const next = await open(fs.crash(), { bytesMax: 64 << 10 })
    const rest = await takeAll(next)
    expect(await linesOf(rest)).toEqual(lines.slice(1))
    fs.diskBytesMax = Infinity
  })

  test('the reserve is held again, before anything is appended, once there is room', async () => {
    const fs = createPowerLossFs()
    const spool = await open(fs)
    await fill(spool, 1, 1)
    fs.diskBytesMax = 0
    spool.ack('out', (await spool.take('out', never)).ref)
    await clock.advance(10_000)
    expect(await fs.size(`${DIR}/reserve`)).toBeNull()
    fs.diskBytesMax = Infinity
    await fill(spool, 2, 2)
    expect(await fs.size(`${DIR}/reserve`)).toBe(RESERVE_BYTES)
  })
})

describe('a failing disk', () => {
  const broken = (operation: FsOperation) => (asked: FsOperation, path: string) =>
    asked === operation && SEGMENT.test(path) ? Object.assign(new Error('EIO'), { code: 'EIO' }) : undefined

  test.each(['write', 'sync', 'create'] as const)(
    'a failed %s refuses the batch and its number is used again',
    async (operation) => {
      const fs = createPowerLossFs()
      const spool = await open(fs)
      if (operation !== 'create') await fill(spool, 1, 1)
      fs.fault = broken(operation)
      await expect(spool.append(draftOf(['refused']), { s: { n: 99 } })).rejects.toMatchObject({
        code: 'STORE_UNAVAILABLE',
      })
      fs.fault = undefined
      await fill(spool, 2, 3)
      const lines = operation === 'create' ? numbered(2, 3) : numbered(1, 3)
      const next = await open(fs.kill())
      const batches = await takeAll(next)
      expect(await linesOf(batches)).toEqual(lines)
      expect(batches.map(({ seq }) => seq)).toEqual(lines.map((_, index) => index + 1))
    },
  )

  test('while a failed write cannot be taken back, no number is given out', async () => {
    const fs = createPowerLossFs()
    const spool = await open(fs)
    await fill(spool, 1, 1)
    const failing = new Set<FsOperation>(['sync', 'truncate'])
    fs.fault = (operation, path) =>
      failing.has(operation) && SEGMENT.test(path) ? new Error(`no ${operation}`) : undefined
    await expect(spool.append(draftOf(['refused']), {})).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' })
    failing.delete('sync')
    await expect(spool.append(draftOf(['refused too']), {})).rejects.toMatchObject({
      code: 'STORE_UNAVAILABLE',
    })
    failing.delete('truncate')
    await fill(spool, 2, 2)
    expect(await linesOf(await takeAll(await open(fs.kill())))).toEqual(numbered(1, 2))
  })

  test('a batch that cannot be read now is not lost', async () => {
    const fs = createPowerLossFs()
    await fill(await open(fs), 1, 1)
    const disk = fs.kill()
    const spool = await open({
      ...disk,
      openRead: () => Promise.reject(Object.assign(new Error('EMFILE'), { code: 'EMFILE' })),
    })
    await expect(spool.take('out', never)).rejects.toMatchObject({
      code: 'STORE_UNAVAILABLE',
      retryable: true,
    })
    expect(spool.epochs('out')).toMatchObject([{ spoolLow: 1 }, {}])
  })
})

describe('damage', () => {
  async function damagedSpool(): Promise<{ fs: PowerLossFs; segment: string; frames: Buffer[] }> {
    const fs = createPowerLossFs()
    const spool = await open(fs, { destinations: ['near', 'far'] })
    await fill(spool, 1, 4)
    const frames = (await takeAll(spool, 'near')).map(({ frame }) => frame)
    const [segment = ''] = await segmentsIn(fs)
    return { fs: fs.kill(), segment: `${DIR}/${segment}`, frames }
  }

  const placeOf = async (fs: PowerLossFs, segment: string, frame: Buffer | undefined) =>
    (await fs.readFile(segment)).indexOf(frame ?? 'missing') + 100

  test('found at open: the batch is set aside, counted and skipped, and its number stays missing', async () => {
    const { fs, segment, frames } = await damagedSpool()
    fs.damage(segment, await placeOf(fs, segment, frames[1]))
    const spool = await open(fs, { destinations: ['near', 'far'] })
    expect(spool.stats()).toMatchObject({ batches: 3, corrupt: 1 })
    expect(await linesOf(await takeAll(spool, 'far'))).toEqual(['line 1', 'line 3', 'line 4'])
    expect(spool.epochs('near')).toMatchObject([
      {
        lastSeq: 4,
        spoolLow: 1,
        pending: [
          { seqFrom: 1, seqTo: 1 },
          { seqFrom: 3, seqTo: 4 },
        ],
      },
      {},
    ])
    const aside = (await fs.list(DIR)).find((name) => name.startsWith('corrupt-')) ?? 'none'
    expect((await fs.readFile(`${DIR}/${aside}`)).includes(frames[1]?.subarray(150) ?? 'missing')).toBe(true)
  })

  test('found when it is given out: the same, for every destination', async () => {
    const { fs, segment, frames } = await damagedSpool()
    const spool = await open(fs, { destinations: ['near', 'far'] })
    fs.damage(segment, await placeOf(fs, segment, frames[1]))
    const near = [
      await spool.take('near', never),
      await spool.take('near', never),
      await spool.take('near', never),
    ]
    expect(await linesOf(near)).toEqual(['line 1', 'line 3', 'line 4'])
    expect(await linesOf(await takeAll(spool, 'far'))).toEqual(['line 1', 'line 3', 'line 4'])
    expect(spool.stats()).toMatchObject({ batches: 3, corrupt: 1 })
    expect((await fs.list(DIR)).filter((name) => name.startsWith('corrupt-')).length).toBe(1)
  })

  test('of what everybody has acknowledged does not matter', async () => {
    const fs = createPowerLossFs()
    const spool = await open(fs)
    await fill(spool, 1, 3)
    const [one] = await takeAll(spool)
    spool.ack('out', one?.ref ?? -1)
    await spool.close()
    const [segment = ''] = await segmentsIn(fs)
    fs.damage(`${DIR}/${segment}`, 20)
    const next = await open(fs)
    expect(next.stats()).toMatchObject({ batches: 2, corrupt: 0 })
  })

  test('a segment that somebody removed costs its batches and blocks nothing', async () => {
    const { fs, segment } = await damagedSpool()
    const spool = await open(fs, { destinations: ['near', 'far'] })
    await fs.remove(segment)
    await fill(spool, 5, 5)
    expect(await linesOf([await spool.take('near', never)])).toEqual(['line 5'])
    expect(spool.stats()).toMatchObject({ batches: 1, corrupt: 4 })
  })

  test('a torn tail is cut without a word, and its number is not missed', async () => {
    const { fs, segment } = await damagedSpool()
    const size = (await fs.size(segment)) ?? 0
    await fs.truncate(segment, size - 3)
    const spool = await open(fs, { destinations: ['near', 'far'] })
    expect(spool.stats()).toMatchObject({ batches: 3, corrupt: 0 })
    expect(spool.positions()).toEqual({ s: { n: 3 } })
    expect(spool.epochs('near')).toMatchObject([{ lastSeq: 3 }, {}])
  })

  test('of the last batch after an orderly stop is damage, not a torn tail', async () => {
    const fs = createPowerLossFs()
    const spool = await open(fs)
    await fill(spool, 1, 2)
    await spool.close()
    const [segment = ''] = await segmentsIn(fs)
    fs.damage(`${DIR}/${segment}`, ((await fs.size(`${DIR}/${segment}`)) ?? 0) - 5)
    const next = await open(fs)
    expect(next.stats()).toMatchObject({ batches: 1, corrupt: 1 })
    expect(next.epochs('out')).toMatchObject([{ lastSeq: 2, pending: [{ seqFrom: 1, seqTo: 1 }] }, {}])
    await fill(next, 3, 3)
    expect(await linesOf(await takeAll(next))).toEqual(['line 1', 'line 3'])
  })
})

describe('the end of an epoch', () => {
  const ends = (spool: Spool) => spool.epochs('out').map(({ epoch, lastSeq }) => [epoch, lastSeq])

  test('is named until the first batch of the next one was acknowledged, also over restarts', async () => {
    let fs = createPowerLossFs()
    const first = await open(fs)
    await fill(first, 1, 2)
    for (const { ref } of await takeAll(first)) first.ack('out', ref)
    await first.close()
    fs = fs.crash()
    await open(fs)
    fs = fs.crash()
    const spool = await open(fs)
    expect(ends(spool)).toEqual([
      [first.epoch, 2],
      [spool.epoch, 0],
    ])
    await fill(spool, 3, 4)
    const [three, four] = await takeAll(spool)
    spool.ack('out', four?.ref ?? -1)
    expect(ends(spool)[0]).toEqual([first.epoch, 2])
    spool.ack('out', three?.ref ?? -1)
    expect(ends(spool)).toEqual([[spool.epoch, 2]])
  })

  test('counts what is damaged there, and is named for good when the batch that would tell is damaged too', async () => {
    const fs = createPowerLossFs()
    const first = await open(fs)
    await fill(first, 1, 3)
    await first.close()
    const [one = ''] = await segmentsIn(fs)
    const second = await open(fs)
    await fill(second, 4, 5)
    await second.close()
    const two = (await segmentsIn(fs)).at(-1) ?? ''
    fs.damage(`${DIR}/${one}`, ((await fs.size(`${DIR}/${one}`)) ?? 0) - 5)
    fs.damage(`${DIR}/${two}`, 20)
    const third = await open(fs)
    expect(third.stats().corrupt).toBe(2)
    await fill(third, 6, 6)
    for (const { ref } of await takeAll(third)) third.ack('out', ref)
    await third.close()
    const spool = await open(fs.crash())
    expect(ends(spool)).toEqual([
      [first.epoch, 3],
      [third.epoch, 1],
      [spool.epoch, 0],
    ])
  })
})

describe('renumber', () => {
  test('gives what waits new numbers in an epoch of its own, says what became of the old ones, and touches no other destination', async () => {
    const spool = await open(createPowerLossFs(), { destinations: ['near', 'far'] })
    const old = spool.epoch
    await fill(spool, 1, 4)
    const [one, two] = await takeAll(spool, 'near')
    spool.ack('near', one?.ref ?? -1)
    await spool.renumber('near')
    await fill(spool, 5, 5)
    const near = await takeAll(spool, 'near')
    expect(await linesOf(near)).toEqual(numbered(2, 5))
    const renumbered = near[0]?.epoch ?? ''
    expect(new Set([old, renumbered, spool.epoch]).size).toBe(3)
    expect(near.map(({ epoch, seq }) => [epoch, seq])).toEqual([
      [renumbered, 1],
      [renumbered, 2],
      [renumbered, 3],
      [spool.epoch, 1],
    ])
    const headers = await Promise.all(near.map(async ({ frame }) => (await decodeFrame(frame)).header))
    expect(headers.map(({ epoch, seq }) => [epoch, seq])).toEqual(near.map(({ epoch, seq }) => [epoch, seq]))
    expect(headers[2]?.tombstones).toMatchObject([
      { epoch: old, seqFrom: 2, seqTo: 4, records: 3, reason: 'renumbered' },
    ])
    expect(headers.toSpliced(2, 1).flatMap(({ tombstones }) => tombstones)).toEqual([])
    expect(headers[3]?.previous).toEqual({ epoch: old, lastSeq: 4 })
    expect(near[0]?.ref).toBe(two?.ref)
    expect(spool.epochs('near')).toMatchObject([
      { epoch: old, lastSeq: 4, spoolLow: 2, pending: [] },
      { epoch: renumbered, lastSeq: 3, spoolLow: 1, pending: [{ seqFrom: 1, seqTo: 3 }], renumbered: true },
      { epoch: spool.epoch, lastSeq: 1 },
    ])
    const far = await takeAll(spool, 'far')
    expect(far.map(({ epoch, seq }) => [epoch, seq])).toEqual([
      [old, 1],
      [old, 2],
      [old, 3],
      [old, 4],
      [spool.epoch, 1],
    ])
  })

  test('survives a crash with the same numbers and bytes, and again a second time', async () => {
    let fs = createPowerLossFs()
    let spool = await open(fs)
    await fill(spool, 1, 5)
    const before = await takeAll(spool)
    spool.ack('out', before[1]?.ref ?? -1)
    for (const round of [1, 2]) {
      await spool.renumber('out')
      const batches = (await takeAll(spool)).map(({ epoch, seq, frame }) => ({ epoch, seq, frame }))
      expect(batches.map(({ seq }) => seq)).toEqual([1, 2, 3, 4])
      fs = fs.crash()
      spool = await open(fs)
      const again = (await takeAll(spool)).map(({ epoch, seq, frame }) => ({ epoch, seq, frame }))
      expect(again, `round ${round}`).toEqual(batches)
    }
  })

  test('a second time: what the first one has not told goes along', async () => {
    const spool = await open(createPowerLossFs())
    const old = spool.epoch
    await fill(spool, 1, 3)
    await spool.renumber('out')
    const [first] = await takeAll(spool)
    spool.ack('out', first?.ref ?? -1)
    await spool.renumber('out')
    const batches = await takeAll(spool)
    const { header } = await decodeFrame(batches.at(-1)?.frame ?? Buffer.alloc(0))
    expect(header.tombstones.map(({ epoch, seqFrom, seqTo }) => [epoch, seqFrom, seqTo])).toEqual([
      [first?.epoch, 2, 3],
      [old, 1, 3],
    ])
  })

  test('an acknowledgement under the old number comes too late', async () => {
    const spool = await open(createPowerLossFs())
    await fill(spool, 1, 1)
    const { ref } = await spool.take('out', never)
    await spool.renumber('out')
    spool.ack('out', ref)
    expect((await spool.take('out', never)).seq).toBe(1)
  })

  test('when it cannot be written nothing changes, and it can be tried again', async () => {
    const fs = createPowerLossFs()
    const spool = await open(fs)
    const { epoch } = spool
    await fill(spool, 1, 2)
    fs.fault = (operation) => (operation === 'rename' ? new Error('EIO') : undefined)
    await expect(spool.renumber('out')).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' })
    expect(spool.epoch).toBe(epoch)
    fs.fault = undefined
    const first = await spool.take('out', never)
    expect({ epoch: first.epoch, seq: first.seq }).toEqual({ epoch, seq: 1 })
    await spool.renumber('out')
    expect((await spool.take('out', never)).epoch).not.toBe(epoch)
  })

  test('appends that are made meanwhile are numbered in the new live epoch', async () => {
    const spool = await open(createPowerLossFs())
    await fill(spool, 1, 1)
    const renumbered = spool.renumber('out')
    await Promise.all([renumbered, fill(spool, 2, 2)])
    const batches = await takeAll(spool)
    expect(batches.map(({ epoch, seq }) => [epoch === spool.epoch, seq])).toEqual([
      [false, 1],
      [true, 1],
    ])
  })
})

describe('open and close', () => {
  test('works on a real disk', async () => {
    const dir = await mkdtemp(join(tmpdir(), 'noctule-spool-'))
    const settings = { fs: nodeFs, dir: join(dir, 'spool'), destinations: ['out'], bytesMax: 4 << 20 }
    const options = { ...settings, clock: systemClock, log: quietLog }
    try {
      const spool = await openSpool(options)
      await Promise.all(
        numbered(1, 50).map((line) => spool.append(draftOf([line, noise(20_000)]), { s: { line } })),
      )
      for (let n = 0; n < 20; n += 1) spool.ack('out', (await spool.take('out', never)).ref)
      await expect(openSpool(options)).rejects.toMatchObject({ code: 'DATA_DIR_IN_USE' })
      await spool.close()
      const next = await openSpool(options)
      const lines = await linesOf(await takeAll(next))
      expect(lines.map((text) => text.split('\n')[0])).toEqual(numbered(21, 50))
      expect(next.positions()).toEqual({ s: { line: 'line 50' } })
      await next.close()
    } finally {
      await rm(dir, { recursive: true })
    }
  })

  test('a folder has one owner', async () => {
    const fs = createPowerLossFs()
    const spool = await open(fs)
    await expect(open(fs)).rejects.toMatchObject({ code: 'DATA_DIR_IN_USE' })
    await spool.close()
    await spool.close()
    await (await open(fs)).close()
  })

  test('closing finishes what was appended and rejects who waits', async () => {
    const fs = createPowerLossFs()
    const spool = await open(fs)
    const waiting = spool.take('out', never)
    const appended = spool.append(draftOf(['line 1']), { s: { n: 1 } })
    const closed = spool.close()
    const stopping = { code: 'SHUTTING_DOWN' }
    await expect(waiting).rejects.toMatchObject(stopping)
    await expect(spool.append(draftOf(['x']), {})).rejects.toMatchObject(stopping)
    await expect(spool.take('out', never)).rejects.toMatchObject(stopping)
    await appended
    await closed
    expect(await linesOf(await takeAll(await open(fs)))).toEqual(['line 1'])
  })

  test.each([{ destinations: [] }, { destinations: Array.from({ length: 17 }, (_, n) => `d${n}`) }])(
    'destinations must be a few: $destinations.length',
    async ({ destinations }) => {
      await expect(open(createPowerLossFs(), { destinations })).rejects.toMatchObject({ code: 'BAD_CONFIG' })
    },
  )

  test('a damaged checkpoint stops the start, and the folder is not left locked', async () => {
    const fs = createPowerLossFs()
    await (await open(fs)).close()
    await fs.replaceFile(`${DIR}/checkpoint`, Buffer.from('?'))
    await expect(open(fs)).rejects.toMatchObject({ code: 'DATA_CORRUPT' })
    await (await fs.lock(DIR)).release()
  })

  test('segments are freed one by one as they are acknowledged', async () => {
    const fs = createPowerLossFs()
    const spool = await open(fs, { bytesMax: 64 << 10 })
    for (let n = 1; n <= 10; n += 1) await spool.append(draftOf([noise(3_000)]), { s: { n } })
    const before = await segmentsIn(fs)
    expect(before.length).toBeGreaterThan(3)
    for (const { ref } of (await takeAll(spool)).slice(0, 6)) spool.ack('out', ref)
    await clock.advance(0)
    const after = await segmentsIn(fs)
    expect(after.length).toBeLessThan(before.length)
    expect(after).toEqual(before.slice(-after.length))
    const next = await open(fs.crash(), { bytesMax: 64 << 10 })
    expect(next.positions()).toEqual({ s: { n: 10 } })
    expect(next.stats().batches).toBe(4)
  })
})
