import type { LogRecord } from '../../dashboards/src/api.ts'

/** [level, service, message]; `#` becomes a number. */
const LINES = [
  ['info', 'api', 'GET /v2/orders/# 200 in # ms'],
  ['info', 'api', 'GET /v2/carts/# 200 in # ms'],
  ['info', 'web', 'rendered checkout/summary for customer # in # ms'],
  ['debug', 'api', 'pool acquired connection # of 32, waited # µs'],
  ['info', 'billing', 'invoice # settled, amount 129.90 EUR'],
  ['info', 'proxy', '10.4.2.# - "POST /v2/payments HTTP/1.1" 201 # "curl/8.6"'],
  ['debug', 'web', 'cache hit session:# ttl=#s'],
  ['warn', 'api', 'slow query: SELECT * FROM orders WHERE customer_id = # took # ms'],
  ['info', 'keysigner', 'signed manifest # with key eu-2026-03'],
  ['error', 'billing', 'payment provider timeout after # ms: connection reset by peer (attempt # of 3)'],
] as const

/** `count` plausible lines before `untilMs`, `everyMs` apart, the same on every call. */
export function sampleLines(options: { count: number; untilMs: number; everyMs: number }): LogRecord[] {
  const { count, untilMs, everyMs } = options
  return Array.from({ length: count }, (_, index) => sampleLine(index, untilMs - (count - index) * everyMs))
}

export function sampleLine(index: number, timeMs: number): LogRecord {
  const dice = (index * 2_654_435_761) % 4_294_967_296
  const [level, service, text] = LINES[Math.floor(dice / 65_536) % LINES.length] ?? LINES[0]
  let number = 0
  const message = text.replaceAll('#', () => String(7 + ((dice >> (number++ * 3 + 4)) & 1023)))
  return {
    id: `line${index}`,
    time: new Date(timeMs).toISOString(),
    ingested: new Date(timeMs + 180).toISOString(),
    message,
    level,
    service,
    version: '2026.11.3',
    host: `${service}-${1 + (index % 4)}.eu`,
    site: 'eu-west',
    path: `/var/log/${service}/current.log`,
    offset: index * 112,
    trace: (dice * 977).toString(16).padStart(16, '0').slice(0, 16),
    attrs: {
      request_id: `req-${dice % 99_991}`,
      'user.plan': index % 3 === 0 ? 'pro' : 'free',
      retries: index % 4,
    },
  }
}
