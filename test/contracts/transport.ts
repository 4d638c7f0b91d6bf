import { afterEach, describe, expect, test } from 'vitest'
import { ServiceError, type Details, type FailureCode } from '../../core/errors.ts'
import {
  CHECKS_MAX,
  CHECK_MESSAGE_CHARS_MAX,
  type CheckReport,
  type HealthReport,
} from '../../core/health.ts'
import type { Intake, Origin, TransportSender } from '../../core/ports.ts'
import { FRAME_BYTES_MAX, type Mark } from '../../core/wire.ts'

/** An Intake that the test leads: what it does with each batch and mark, and what arrived. */
export interface ScriptedIntake extends Intake {
  readonly frames: Buffer[]
  readonly marks: Mark[]
  readonly reports: { report: HealthReport; origin: Origin }[]
  /** Signals of the batches, in order of arrival: aborted when the sender went away. */
  readonly signals: AbortSignal[]
  /** Resolves when so many frames and marks have arrived. */
  arrived(frames: number, marks: number): Promise<void>
  /** Resolves when a report has arrived that was sent at `sentAtMs`. */
  reported(sentAtMs: number): Promise<void>
  onBatch: (frame: Uint8Array, signal: AbortSignal) => Promise<'stored' | 'duplicate'>
  onMark: (mark: Mark) => Promise<void>
}

export function createScriptedIntake(): ScriptedIntake {
  const expecting = new Map<number, () => void>()
  const waiting = new Set<{ frames: number; marks: number; resolve: () => void }>()
  const tell = () => {
    for (const one of waiting) {
      if (intake.frames.length < one.frames || intake.marks.length < one.marks) continue
      waiting.delete(one)
      one.resolve()
    }
  }
  const intake: ScriptedIntake = {
    frames: [],
    marks: [],
    reports: [],
    signals: [],
    arrived(frames, marks) {
      const { promise, resolve } = Promise.withResolvers<void>()
      waiting.add({ frames, marks, resolve })
      tell()
      return promise
    },
    reported(sentAtMs) {
      const { promise, resolve } = Promise.withResolvers<void>()
      expecting.set(sentAtMs, resolve)
      if (intake.reports.some(({ report }) => report.sentAtMs === sentAtMs)) resolve()
      return promise
    },
    onBatch: async () => 'stored',
    onMark: async () => {},
    async batch(frame, _, signal) {
      intake.frames.push(Buffer.from(frame))
      intake.signals.push(signal)
      tell()
      return intake.onBatch(frame, signal)
    },
    async mark(mark) {
      intake.marks.push(mark)
      tell()
      await intake.onMark(mark)
    },
    health(report, origin) {
      intake.reports.push({ report, origin })
      expecting.get(report.sentAtMs)?.()
    },
  }
  return intake
}

/** A sender whose other side hands everything to `intake`. `close` ends both sides. */
export interface TransportUnderTest {
  readonly sender: TransportSender
  close(): Promise<void>
}

const EPOCH = '0123456789abcdef0123456789abcdef'

export function someMark(fields: Partial<Mark> = {}): Mark {
  return {
    v: 1,
    collector: 'c1',
    host: 'web-1',
    epoch: EPOCH,
    sentAtMs: 1_700_000_000_000,
    readAgeMs: 12,
    epochs: [{ epoch: EPOCH, lastSeq: 3, spoolLow: 2, pending: [] }],
    ...fields,
  }
}

export function someReport(fields: Partial<HealthReport> = {}): HealthReport {
  const atMs = fields.sentAtMs ?? 1_700_000_000_000
  return {
    v: 1,
    collector: 'c1',
    host: 'web-1',
    tier: 'webhead',
    sentAtMs: atMs,
    intervalMs: 1_000,
    facts: null,
    checks: [],
    status: {
      id: 'c1',
      version: '1.2.3',
      startedAtMs: 1_600_000_000_000,
      rssBytes: 1,
      cpuBusy: 0.1,
      spoolBytes: 0,
      spoolBytesMax: 1,
      spoolBatches: 0,
      behindBytes: 0,
      files: 0,
      held: null,
      drops: {},
      destinations: [],
      statsd: null,
    },
    ...fields,
  }
}

export function someCheck(fields: Partial<CheckReport> = {}): CheckReport {
  const times = { sinceMs: 1_700_000_000_000, atMs: 1_700_000_000_000, tookMs: 1 }
  return { name: 'shop-http', kind: 'http', state: 'ok', message: 'HTTP 200', ...times, ...fields }
}

const never = () => new AbortController().signal

type Make = (intake: Intake) => Promise<TransportUnderTest>

/** Connections for the tests of one `describe`, closed after each. */
function connections(make: Make) {
  const open: TransportUnderTest[] = []
  afterEach(async () => {
    for (const transport of open.splice(0)) await transport.close()
  })
  return async () => {
    const intake = createScriptedIntake()
    const made = await make(intake)
    open.push(made)
    return { intake, sender: made.sender }
  }
}

/** Every TransportSender. What was sent may still be on its way when `send` resolves. */
export function transportContract(
  name: string,
  make: Make,
  /** The largest frame that it takes. */
  { frameBytesMax = FRAME_BYTES_MAX }: { frameBytesMax?: number } = {},
): void {
  describe(`transport contract: ${name}`, () => {
    const connect = connections(make)

    test('a frame arrives byte for byte', async () => {
      const { intake, sender } = await connect()
      const frame = Buffer.from(Array.from({ length: 1_000 }, (_, index) => index % 256))
      await sender.send(frame, never())
      await intake.arrived(1, 0)
      expect(intake.frames).toEqual([frame])
    })

    test('a duplicate counts as sent', async () => {
      const { intake, sender } = await connect()
      intake.onBatch = async () => 'duplicate'
      await sender.send(Buffer.from('frame'), never())
      await intake.arrived(1, 0)
    })

    test('batches that are sent at once do not wait for each other', async () => {
      const { intake, sender } = await connect()
      const first = Promise.withResolvers<'stored'>()
      intake.onBatch = async (frame) => (Buffer.from(frame).toString() === 'first' ? first.promise : 'stored')
      const sending = sender.send(Buffer.from('first'), never())
      await sender.send(Buffer.from('second'), never())
      await intake.arrived(2, 0)
      first.resolve('stored')
      await sending
      expect(intake.frames.map(String).sort()).toEqual(['first', 'second'])
    })

    test('the largest frame goes through, a larger one is refused', async () => {
      const { intake, sender } = await connect()
      await sender.send(Buffer.alloc(frameBytesMax, 7), never())
      await intake.arrived(1, 0)
      expect(intake.frames[0]?.length).toBe(frameBytesMax)
      const tooLarge = Buffer.alloc(frameBytesMax + 1)
      await expect(sender.send(tooLarge, never())).rejects.toMatchObject({ code: 'BATCH_TOO_LARGE' })
      await sender.send(Buffer.from('next'), never())
      await intake.arrived(2, 0)
      expect(intake.frames.map(({ length }) => length)).toEqual([frameBytesMax, 4])
    })

    test('nothing is sent with a signal that is aborted already', async () => {
      const { intake, sender } = await connect()
      const aborted = AbortSignal.abort(new Error('enough'))
      await expect(sender.send(Buffer.from('frame'), aborted)).rejects.toBeInstanceOf(Error)
      await expect(sender.sendMark(someMark(), aborted)).rejects.toBeInstanceOf(Error)
      await expect(sender.sendHealth(someReport(), aborted)).rejects.toBeInstanceOf(Error)
      await sender.send(Buffer.from('next'), never())
      await intake.arrived(1, 0)
      expect([intake.frames.map(String), intake.marks, intake.reports]).toEqual([['next'], [], []])
    })

    test('a mark arrives whole, with fields that only a newer side knows', async () => {
      const { intake, sender } = await connect()
      const mark = someMark({ goodbye: true, fromTheFuture: { yes: [1, 2] } })
      await sender.sendMark(mark, never())
      await intake.arrived(0, 1)
      expect(intake.marks).toEqual([mark])
    })

    test('a mark arrives behind the frames that were sent before it, once they are stored', async () => {
      const { intake, sender } = await connect()
      let stored = 0
      let storedAtMark = 0
      intake.onBatch = async () => {
        await new Promise((resolve) => setImmediate(resolve))
        stored++
        return 'stored'
      }
      intake.onMark = async () => {
        storedAtMark = stored
      }
      await Promise.all(['a', 'b', 'c'].map((text) => sender.send(Buffer.from(text), never())))
      await sender.sendMark(someMark(), never())
      await intake.arrived(3, 1)
      expect(storedAtMark).toBe(3)
    })

    test('a report arrives whole, with fields that only a newer side knows, under the site of the connection', async () => {
      const { intake, sender } = await connect()
      const report = someReport({
        checks: [someCheck()],
        goodbye: true,
        site: 'elsewhere',
        new: { yes: [1] },
      })
      await sender.sendHealth(report, never())
      await intake.reported(report.sentAtMs)
      expect(intake.reports[0]?.report).toEqual(report)
      expect(intake.reports[0]?.origin.site).toMatch(/^eu/)
    })

    test('of reports that are sent at once the newest arrives, and each is settled', async () => {
      const { intake, sender } = await connect()
      const times = Array.from({ length: 20 }, (_, index) => 1_700_000_000_000 + index)
      const sent = await Promise.allSettled(
        times.map((sentAtMs) => sender.sendHealth(someReport({ sentAtMs }), never())),
      )
      expect(sent.at(-1)?.status).toBe('fulfilled')
      await intake.reported(1_700_000_000_019)
      expect(intake.reports.at(-1)?.report.sentAtMs).toBe(1_700_000_000_019)
    })

    test('a report does not wait behind a batch that hangs', async () => {
      const { intake, sender } = await connect()
      const stop = new AbortController()
      intake.onBatch = () => new Promise(() => {})
      const hanging = sender.send(Buffer.from('frame'), stop.signal).catch(() => undefined)
      await intake.arrived(1, 0)
      await sender.sendHealth(someReport(), never())
      await intake.reported(1_700_000_000_000)
      intake.onBatch = async () => 'stored'
      stop.abort(new Error('enough'))
      await hanging
    })

    test('a report of every check there may be, with long messages, goes through', async () => {
      const { intake, sender } = await connect()
      const message = 'ü世'.repeat(CHECK_MESSAGE_CHARS_MAX / 2)
      const checks = Array.from({ length: CHECKS_MAX }, (_, index) =>
        someCheck({ name: `check ${index}`, state: 'fail', message }),
      )
      await sender.sendHealth(someReport({ checks }), never())
      await intake.reported(1_700_000_000_000)
      const [taken] = intake.reports
      expect(taken?.report.checks.map(({ name }) => name)).toEqual(checks.map(({ name }) => name))
      expect(taken?.report.checks.every((check) => message.startsWith(check.message))).toBe(true)
    })

    test('a closed sender sends nothing', async () => {
      const { sender } = await connect()
      await sender.close()
      const closed = { code: 'SHUTTING_DOWN' }
      await expect(sender.send(Buffer.from('frame'), never())).rejects.toMatchObject(closed)
      await expect(sender.sendMark(someMark(), never())).rejects.toMatchObject(closed)
      await expect(sender.sendHealth(someReport(), never())).rejects.toMatchObject(closed)
    })
  })
}

/** Senders that speak with the Intake itself: they resolve when it has stored the batch, and bring its failures back. */
export function directTransportContract(name: string, make: Make): void {
  describe(`direct transport contract: ${name}`, () => {
    const connect = connections(make)

    test('send resolves only after the other side holds the batch', async () => {
      const { intake, sender } = await connect()
      const held = Promise.withResolvers<'stored'>()
      intake.onBatch = () => held.promise
      let resolved = false
      const sending = sender.send(Buffer.from('frame'), never()).then(() => {
        resolved = true
      })
      await intake.arrived(1, 0)
      await new Promise((resolve) => {
        setImmediate(resolve)
      })
      expect(resolved).toBe(false)
      held.resolve('stored')
      await sending
      expect(resolved).toBe(true)
    })

    const failures: [FailureCode, Details][] = [
      ['SEQUENCE_CONFLICT', {}],
      ['BATCH_MALFORMED', {}],
      ['BATCH_TOO_LARGE', {}],
      ['OVERLOADED', { retryAfterMs: 2_000 }],
      ['STORE_UNAVAILABLE', { retryAfterMs: 1_000 }],
      ['DISK_FULL', {}],
      ['SHUTTING_DOWN', {}],
    ]
    test.each(failures)('%s comes back as what it is', async (code, details) => {
      const { intake, sender } = await connect()
      intake.onBatch = async () => {
        throw new ServiceError(code, 'said by the other side', details)
      }
      await expect(sender.send(Buffer.from('frame'), never())).rejects.toMatchObject({ code, details })
      intake.onBatch = async () => 'stored'
      await sender.send(Buffer.from('frame'), never())
      expect(intake.frames).toHaveLength(2)
    })

    test('an aborted send rejects at once, and the other side learns of it', async () => {
      const { intake, sender } = await connect()
      const learnt = Promise.withResolvers<void>()
      intake.onBatch = (_, signal) => {
        signal.addEventListener('abort', () => learnt.resolve())
        return new Promise(() => {})
      }
      const controller = new AbortController()
      const sending = sender.send(Buffer.from('frame'), controller.signal)
      const rejected = sending.then(
        () => false,
        () => true,
      )
      await intake.arrived(1, 0)
      controller.abort(new Error('enough'))
      expect(await rejected).toBe(true)
      await learnt.promise
    })

    test('a failed mark is told and not repeated; the next one goes through', async () => {
      const { intake, sender } = await connect()
      intake.onMark = async () => {
        throw new ServiceError('STORE_UNAVAILABLE', 'said by the other side')
      }
      await expect(sender.sendMark(someMark(), never())).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' })
      intake.onMark = async () => {}
      await sender.sendMark(someMark({ sentAtMs: 1_700_000_001_000 }), never())
      expect(intake.marks.map(({ sentAtMs }) => sentAtMs)).toEqual([1_700_000_000_000, 1_700_000_001_000])
    })
  })
}
