import { ServiceError } from '../core/errors.ts'

/** A bounded number of long streams at once. Nobody waits for a place: a stream may last for hours. */
export interface Places {
  readonly taken: number
  /** Takes one and returns how to give it back; throws OVERLOADED when all are taken. */
  take(): () => void
}

/** `what` names the streams in the message. */
export function createPlaces(what: string, max: number): Places {
  let taken = 0
  return {
    get taken() {
      return taken
    },
    take() {
      if (taken >= max) throw new ServiceError('OVERLOADED', `too many ${what} are open`, { max })
      taken += 1
      let held = true
      return () => {
        if (held) taken -= 1
        held = false
      }
    },
  }
}
