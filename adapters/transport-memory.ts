import { orAborted } from '../core/abort.ts'
import { ServiceError } from '../core/errors.ts'
import type { Intake, Origin, TransportSender } from '../core/ports.ts'
import { FRAME_BYTES_MAX } from '../core/wire.ts'

/** Collector and aggregator in one process: hands over what it is given. */
export function createMemoryTransport(intake: Intake, origin: Origin): TransportSender {
  const closed = new AbortController()

  function open(signal: AbortSignal): AbortSignal {
    const either = AbortSignal.any([signal, closed.signal])
    either.throwIfAborted()
    return either
  }

  return {
    async send(frame, signal) {
      const either = open(signal)
      if (frame.byteLength > FRAME_BYTES_MAX) {
        const details = { bytes: frame.byteLength, bytesMax: FRAME_BYTES_MAX }
        throw new ServiceError('BATCH_TOO_LARGE', 'the frame is larger than the limit', details)
      }
      await orAborted(intake.batch(frame, origin, either), either)
    },
    async sendMark(mark, signal) {
      const either = open(signal)
      await orAborted(intake.mark(mark, origin), either)
    },
    async sendHealth(report, signal) {
      open(signal)
      intake.health(report, origin)
    },
    async close() {
      closed.abort(new ServiceError('SHUTTING_DOWN', 'the transport is closed'))
    },
  }
}
