import { pino, stdSerializers, stdTimeFunctions } from 'pino'
import type { DestinationStream } from 'pino'
import type { Config } from '../core/config.ts'
import type { Logger } from '../core/ports.ts'

/** Where a secret could stand, at the top and one level down, should somebody log it by mistake. */
const SECRETS = ['authorization', 'cookie', 'token', 'password', 'headers.authorization', 'headers.cookie']

/**
 * The program's own log: JSON lines on standard error, with the names that our collector reads (time, level, message).
 * Written at once, so that the last line before a crash is there.
 */
export function createLogger({
  level,
  destination = pino.destination({ dest: 2, sync: true }),
}: {
  level: Config['log']['level']
  destination?: DestinationStream
}): Logger {
  return pino(
    {
      level,
      base: { service: 'noctule' },
      messageKey: 'message',
      timestamp: stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      serializers: { error: stdSerializers.err },
      redact: { paths: SECRETS.flatMap((path) => [path, `*.${path}`]), censor: '[secret]' },
    },
    destination,
  )
}
