import { seededRandom } from './random.ts'

/** How the generator writes a time, and pools of values that lines are made of: seeded, so a seed replays a run. */
interface Ink {
  readonly pick: <T>(from: readonly T[]) => T
  readonly below: (limit: number) => number
  readonly hex: (digits: number) => string
  readonly timeMs: number
}

type Template = (ink: Ink) => string

const WORDS = [
  'cart',
  'order',
  'invoice',
  'session',
  'profile',
  'search',
  'stock',
  'mail',
  'voucher',
  'review',
]
const ROUTES = [
  '/',
  '/api/cart',
  '/api/orders/{n}',
  '/api/items/{n}/stock',
  '/login',
  '/static/app.js',
  '/api/search?q={w}',
  '/api/users/{n}',
]
const AGENTS = [
  'Mozilla/5.0 (X11; Linux x86_64) Firefox/144.0',
  'curl/8.16.0',
  'okhttp/5.1.0',
  'Mozilla/5.0 (iPhone; CPU iPhone OS 19_1)',
]
const METHODS = ['GET', 'GET', 'GET', 'GET', 'POST', 'PUT', 'DELETE']
const STATUSES = [200, 200, 200, 200, 200, 200, 201, 204, 301, 304, 400, 401, 404, 404, 499, 500, 502, 503]
const LEVELS = ['INFO', 'INFO', 'INFO', 'INFO', 'DEBUG', 'WARN', 'ERROR']
const SERVICES = ['checkout', 'catalog', 'accounts', 'payments', 'shipping', 'frontend', 'search', 'mailer']
const CLASSES = ['OrderService', 'StockCache', 'PaymentClient', 'SessionStore', 'InvoiceJob', 'MailQueue']
const HOSTS = ['web-1', 'web-2', 'db-1', 'queue-1', 'proxy-1']
const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec']
const TABLES = ['orders', 'stock_items', 'sessions', 'invoices', 'users']
const ERRORS = [
  'connection refused',
  'timeout after 3000 ms',
  'broken pipe',
  'no route to host',
  'too many open files',
]

const two = (value: number) => String(value).padStart(2, '0')
const iso = ({ timeMs }: Ink) => new Date(timeMs).toISOString()
const spaced = (ink: Ink) => iso(ink).slice(0, 23).replace('T', ' ').replace('.', ',')

function syslogTime({ timeMs }: Ink): string {
  const at = new Date(timeMs)
  return `${MONTHS[at.getUTCMonth()]} ${String(at.getUTCDate()).padStart(2)} ${two(at.getUTCHours())}:${two(at.getUTCMinutes())}:${two(at.getUTCSeconds())}`
}

function clfTime({ timeMs }: Ink): string {
  const at = new Date(timeMs)
  return `${two(at.getUTCDate())}/${MONTHS[at.getUTCMonth()]}/${at.getUTCFullYear()}:${two(at.getUTCHours())}:${two(at.getUTCMinutes())}:${two(at.getUTCSeconds())} +0000`
}

const address = ({ below }: Ink) => `10.${below(4)}.${below(32)}.${below(250) + 1}`
const trace = ({ hex }: Ink) => hex(32)
const route = (ink: Ink) =>
  ink
    .pick(ROUTES)
    .replace('{n}', String(ink.below(90_000)))
    .replace('{w}', ink.pick(WORDS))

/** A JSON access log line, 30 % of everything. */
const jsonAccess: Template = (ink) =>
  `{"time":"${iso(ink)}","level":"info","service":"${ink.pick(SERVICES)}","msg":"request handled","method":"${ink.pick(METHODS)}","url":"${route(ink)}","status":${ink.pick(STATUSES)},"latency_ms":${ink.below(900)}.${ink.below(10)},"bytes":${ink.below(60_000)},"trace_id":"${trace(ink)}","client":"${address(ink)}"}`

const java =
  (text: (ink: Ink) => string): Template =>
  (ink) =>
    `${spaced(ink)} ${ink.pick(LEVELS)} [worker-${ink.below(16)}] com.example.shop.${ink.pick(CLASSES)} - ${text(ink)}`
const syslog =
  (app: string, text: (ink: Ink) => string): Template =>
  (ink) =>
    `${syslogTime(ink)} ${ink.pick(HOSTS)} ${app}[${ink.below(30_000) + 300}]: ${text(ink)}`
const kernel =
  (text: (ink: Ink) => string): Template =>
  (ink) =>
    `${syslogTime(ink)} ${ink.pick(HOSTS)} kernel: [${ink.below(900_000)}.${String(ink.below(1_000_000)).padStart(6, '0')}] ${text(ink)}`
const database =
  (text: (ink: Ink) => string): Template =>
  (ink) =>
    `${iso(ink).slice(0, 23).replace('T', ' ')} UTC [${ink.below(9000) + 100}] app@shop LOG:  ${text(ink)}`
const logfmt =
  (text: (ink: Ink) => string): Template =>
  (ink) =>
    `ts=${iso(ink)} level=${ink.pick(LEVELS).toLowerCase()} caller=${ink.pick(WORDS)}.go:${ink.below(400)} ${text(ink)}`

const OTHERS: readonly Template[] = [
  java((i) => `reserved ${i.below(20)} pieces of item ${i.below(90_000)} for order ${i.below(900_000)}`),
  java((i) => `order ${i.below(900_000)} moved from PLACED to PAID in ${i.below(400)} ms`),
  java((i) => `cache miss for key ${i.pick(WORDS)}:${i.below(90_000)}, loading from the database`),
  java((i) => `cannot reach ${i.pick(SERVICES)} at ${address(i)}:8080: ${i.pick(ERRORS)}`),
  java((i) => `retrying ${i.pick(WORDS)} call, attempt ${i.below(5) + 1} of 5`),
  java((i) => `user ${i.below(90_000)} logged in from ${address(i)}`),
  java((i) => `java.lang.IllegalStateException: ${i.pick(WORDS)} ${i.below(90_000)} has no owner`),
  () => '\tat com.example.shop.OrderService.place(OrderService.java:214)',
  () => '\tat com.example.shop.web.CheckoutController.submit(CheckoutController.java:88)',
  () => 'Caused by: java.net.SocketTimeoutException: Read timed out',
  syslog('sshd', (i) => `Accepted publickey for deploy from ${address(i)} port ${i.below(60_000)} ssh2`),
  syslog(
    'sshd',
    (i) => `Failed password for invalid user admin from ${address(i)} port ${i.below(60_000)} ssh2`,
  ),
  syslog('sshd', (i) => `Connection closed by ${address(i)} port ${i.below(60_000)} [preauth]`),
  syslog('cron', (i) => `(root) CMD (/usr/local/bin/backup --table ${i.pick(TABLES)})`),
  syslog('systemd', (i) => `Started Session ${i.below(9000)} of user deploy.`),
  syslog(
    'haproxy',
    (i) =>
      `Server shop/${i.pick(HOSTS)} is DOWN, reason: Layer4 timeout, check duration: ${i.below(2000)}ms.`,
  ),
  syslog(
    'postfix/smtp',
    (i) =>
      `${i.hex(10).toUpperCase()}: to=<user${i.below(900)}@example.com>, relay=mx.example.com, delay=${i.below(9)}.${i.below(10)}, status=sent`,
  ),
  syslog(
    'named',
    (i) => `client ${address(i)}#${i.below(60_000)}: query: ${i.pick(WORDS)}.example.com IN A +`,
  ),
  kernel((i) => `Out of memory: Killed process ${i.below(30_000)} (java) total-vm:${i.below(9_000_000)}kB`),
  kernel((i) => `eth0: link becomes ready, speed ${i.pick(['1000', '10000'])} Mbps`),
  kernel((i) => `EXT4-fs (sda${i.below(4) + 1}): mounted filesystem with ordered data mode`),
  kernel((i) => `TCP: request_sock_TCP: Possible SYN flooding on port ${i.pick(['80', '443', '8080'])}.`),
  database(
    (i) =>
      `duration: ${i.below(3000)}.${i.below(1000)} ms  statement: SELECT * FROM ${i.pick(TABLES)} WHERE id = ${i.below(900_000)}`,
  ),
  database((i) => `checkpoint complete: wrote ${i.below(9000)} buffers (${i.below(50)}.${i.below(10)}%)`),
  database(
    (i) =>
      `process ${i.below(9000)} still waiting for ShareLock on transaction ${i.below(9_000_000)} after 1000.${i.below(999)} ms`,
  ),
  database((i) => `automatic vacuum of table "shop.public.${i.pick(TABLES)}": index scans: ${i.below(3)}`),
  logfmt((i) => `msg="batch flushed" records=${i.below(5000)} took=${i.below(400)}ms`),
  logfmt(
    (i) =>
      `msg="upstream slow" upstream=${i.pick(SERVICES)} latency=${i.below(4)}.${i.below(10)}s trace_id=${trace(i)}`,
  ),
  logfmt((i) => `msg="token refreshed" user=${i.below(90_000)} ttl=3600`),
  logfmt((i) => `msg="queue depth" queue=${i.pick(WORDS)} depth=${i.below(10_000)}`),
  (i) =>
    `${address(i)} - - [${clfTime(i)}] "${i.pick(METHODS)} ${route(i)} HTTP/1.1" ${i.pick(STATUSES)} ${i.below(60_000)} "-" "${i.pick(AGENTS)}"`,
  (i) =>
    `${i.pick(LEVELS)} ${i.pick(WORDS)} worker ${i.below(32)} finished job ${i.below(900_000)} in ${i.below(9000)} ms`,
  (i) => `starting ${i.pick(SERVICES)} version 4.${i.below(20)}.${i.below(9)} build ${i.hex(7)}`,
]

/** Earliest time in generated lines unless the caller has its own clock. */
const START_MS = Date.UTC(2026, 0, 5)

/** Where the message of a JSON or logfmt line ends. */
const MESSAGE = /msg"?[=:]"[^"]*/

/** The line with ` id=<n>` at the end of its message, so that each can be found by a search for that phrase. */
function marked(line: string, n: number): string {
  const message = MESSAGE.exec(line)
  const end = message === null ? line.length : message.index + message[0].length
  return `${line.slice(0, end)} id=${n}${line.slice(end)}`
}

/**
 * Log lines without end, in the shapes of real systems; 30 % are JSON access logs with trace ids. With `marker` the n-th line,
 * counted from 0, says `id=<n>` in its message.
 */
export function* generateLines(options: {
  seed: number
  timeMs?: () => number
  marker?: boolean
}): Generator<string, never> {
  const random = seededRandom(options.seed)
  let ticks = START_MS
  const { timeMs = () => ticks++ } = options
  const below = (limit: number) => Math.floor(random() * limit)
  const pick = <T>(from: readonly T[]) => from[below(from.length)] as T
  const hex = (digits: number) => {
    let out = ''
    while (out.length < digits) out += below(0x1_0000_0000).toString(16).padStart(8, '0')
    return out.slice(0, digits)
  }
  // Real systems mention the same few things again and again: a trace shows up in several lines.
  const traces = Array.from({ length: 64 }, () => hex(32))
  const near = (digits: number) => (digits === 32 ? (traces[below(64)] as string) : hex(digits))
  for (let n = 0; ; n++) {
    if (n % 16 === 0) traces[below(64)] = hex(32)
    const ink: Ink = { pick, below, hex: near, timeMs: timeMs() }
    const line = random() < 0.3 ? jsonAccess(ink) : pick(OTHERS)(ink)
    yield options.marker === true ? marked(line, n) : line
  }
}
