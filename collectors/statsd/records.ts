import type { StatsdEvent, StatsdServiceCheck } from './aggregation.ts'

/** Service of a record whose tags name none. */
export const STATSD_SERVICE = 'statsd'

const YEAR_10000_MS = Date.UTC(10_000)
const EVENT_LEVELS = { error: 'error', warning: 'warn', info: 'info', success: 'info' } as const
const CHECK_STATES = ['ok', 'warning', 'critical', 'unknown'] as const
const CHECK_LEVELS = ['info', 'warn', 'error', 'warn'] as const

/** An event as a log line: JSON, without a newline. `receivedAtMs` is its time when it brings none that can be. */
export function eventLine(event: StatsdEvent, receivedAtMs: number): string {
  const { title, text, alertType, tags } = event
  return JSON.stringify({
    ...head(event, receivedAtMs),
    level: EVENT_LEVELS[alertType],
    message: text === '' ? title : `${title}: ${text}`,
    event: {
      kind: 'event',
      title,
      alert_type: alertType,
      priority: event.priority,
      ...present('hostname', event.hostname),
      ...present('aggregation_key', event.aggregationKey),
      ...present('source_type', event.sourceType),
    },
    tags,
  })
}

/** A service check as a log line, like `eventLine`. */
export function serviceCheckLine(check: StatsdServiceCheck, receivedAtMs: number): string {
  const { name, status, message, tags } = check
  const said = `service check ${name} is ${CHECK_STATES[status]}`
  return JSON.stringify({
    ...head(check, receivedAtMs),
    level: CHECK_LEVELS[status],
    message: message === '' ? said : `${said}: ${message}`,
    event: {
      kind: 'service_check',
      name,
      state: CHECK_STATES[status],
      ...present('hostname', check.hostname),
    },
    tags,
  })
}

function head({ atMs, tags }: Pick<StatsdEvent, 'atMs' | 'tags'>, receivedAtMs: number) {
  const isPossible = atMs !== null && atMs >= 0 && atMs < YEAR_10000_MS
  const service = tags['service'] ?? ''
  return {
    time: new Date(isPossible ? atMs : receivedAtMs).toISOString(),
    service: service === '' ? STATSD_SERVICE : service,
  }
}

function present(key: string, value: string | null): Readonly<Record<string, string>> {
  return value === null || value === '' ? {} : { [key]: value }
}
