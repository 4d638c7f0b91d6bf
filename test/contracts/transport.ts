import { afterEach, describe, expect, test } from 'vitest'
import { ServiceError, type Details, type FailureCode } from '../../core/errors.ts'
import type { Intake, TransportSender } from '../../core/ports.ts'
import { FRAME_BYTES_MAX, type Mark } from '../../core/wire.ts'

/** An Intake that the test leads: what it does with each batch and mark, and what arrived. */
export interface ScriptedIntake extends Intake {
  readonly frames: Buffer[]
  readonly marks: Mark[]
  /** Signals of the batches, in order of arrival: aborted when the sender went away. */
  readonly signals: AbortSignal[]
  onBatch: (frame: Uint8Array, signal: AbortSignal) => Promise<'stored' | 'duplicate'>
  onMark: (mark: Mark) => Promise<void>
}

export function createScriptedIntake(): ScriptedIntake {
  const intake: ScriptedIntake = {
    frames: [],
    marks: [],
    signals: [],
    onBatch: async () => 'stored',
    onMark: async () => {},
    async batch(frame, _, signal) {
      intake.frames.push(Buffer.from(frame))
      intake.signals.push(signal)
      return intake.onBatch(frame, signal)
    },
    async mark(mark) {
      intake.marks.push(mark)
      await intake.onMark(mark)
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

/** Every TransportSender. */
export function transportContract(name: string, make: (intake: Intake) => Promise<TransportUnderTest>): void {
  describe(`transport contract: ${name}`, () => {
    const open: TransportUnderTest[] = []

    async function connect() {
      const intake = createScriptedIntake()
      const made = await make(intake)
      open.push(made)
      return { intake, sender: made.sender }
    }

    afterEach(async () => {
      for (const transport of open.splice(0)) await transport.close()
    })

    const never = () => new AbortController().signal

    test('a frame arrives byte for byte', async () => {
      const { intake, sender } = await connect()
      const frame = Buffer.from(Array.from({ length: 1_000 }, (_, index) => index % 256))
      await sender.send(frame, never())
      expect(intake.frames).toEqual([frame])
    })

    test('send resolves only after the other side holds the batch', async () => {
      const { intake, sender } = await connect()
      const held = Promise.withResolvers<'stored'>()
      const arrived = Promise.withResolvers<void>()
      intake.onBatch = () => {
        arrived.resolve()
        return held.promise
      }
      let resolved = false
      const sending = sender.send(Buffer.from('frame'), never()).then(() => {
        resolved = true
      })
      await arrived.promise
      await new Promise((resolve) => {
        setImmediate(resolve)
      })
      expect(resolved).toBe(false)
      held.resolve('stored')
      await sending
      expect(resolved).toBe(true)
    })

    test('a duplicate counts as sent', async () => {
      const { intake, sender } = await connect()
      intake.onBatch = async () => 'duplicate'
      await sender.send(Buffer.from('frame'), never())
      expect(intake.frames).toHaveLength(1)
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

    test('batches that are sent at once do not wait for each other', async () => {
      const { intake, sender } = await connect()
      const first = Promise.withResolvers<'stored'>()
      intake.onBatch = async (frame) => (Buffer.from(frame).toString() === 'first' ? first.promise : 'stored')
      const sending = sender.send(Buffer.from('first'), never())
      await sender.send(Buffer.from('second'), never())
      first.resolve('stored')
      await sending
      expect(intake.frames.map(String).sort()).toEqual(['first', 'second'])
    })

    test('the largest frame goes through, a larger one is refused', async () => {
      const { intake, sender } = await connect()
      await sender.send(Buffer.alloc(FRAME_BYTES_MAX, 7), never())
      expect(intake.frames[0]?.length).toBe(FRAME_BYTES_MAX)
      const tooLarge = Buffer.alloc(FRAME_BYTES_MAX + 1)
      await expect(sender.send(tooLarge, never())).rejects.toMatchObject({ code: 'BATCH_TOO_LARGE' })
      expect(intake.frames).toHaveLength(1)
    })

    test('an aborted send rejects at once, and the other side learns of it', async () => {
      const { intake, sender } = await connect()
      const arrived = Promise.withResolvers<void>()
      const learnt = Promise.withResolvers<void>()
      intake.onBatch = (_, signal) => {
        signal.addEventListener('abort', () => learnt.resolve())
        arrived.resolve()
        return new Promise(() => {})
      }
      const controller = new AbortController()
      const sending = sender.send(Buffer.from('frame'), controller.signal)
      const rejected = sending.then(
        () => false,
        () => true,
      )
      await arrived.promise
      controller.abort(new Error('enough'))
      expect(await rejected).toBe(true)
      await learnt.promise
    })

    test('nothing is sent with a signal that is aborted already', async () => {
      const { intake, sender } = await connect()
      const aborted = AbortSignal.abort(new Error('enough'))
      await expect(sender.send(Buffer.from('frame'), aborted)).rejects.toBeInstanceOf(Error)
      await expect(sender.sendMark(someMark(), aborted)).rejects.toBeInstanceOf(Error)
      expect([intake.frames, intake.marks]).toEqual([[], []])
    })

    test('a mark arrives whole, with fields that only a newer side knows', async () => {
      const { intake, sender } = await connect()
      const mark = someMark({ goodbye: true, fromTheFuture: { yes: [1, 2] } })
      await sender.sendMark(mark, never())
      expect(intake.marks).toEqual([mark])
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

    test('a closed sender sends nothing', async () => {
      const { intake, sender } = await connect()
      await sender.close()
      await expect(sender.send(Buffer.from('frame'), never())).rejects.toBeInstanceOf(ServiceError)
      expect(intake.frames).toEqual([])
    })
  })
}
