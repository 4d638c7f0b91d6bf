import type { Level } from '../../core/record.ts'
import type { Ink } from './generator-ink.ts'

/** Lines of one kind: who writes them, where, and how a statement becomes a line. */
export interface Family {
  /** Part of all lines, in percent; a statement of several lines counts once. */
  readonly share: number
  /** Programs that write so, the busiest first. */
  readonly services: readonly string[]
  /** The file they go to; `{service}` is put in. */
  readonly path: string
  readonly statements: readonly Statement[]
  readonly line: (ink: Ink, service: string, level: Level, text: string) => string
}

/** One log statement of a program: how often (relative), at which level ('' where the line has none), and what it says. */
export interface Statement {
  readonly weight: number
  readonly level: Level
  /** Several lines when it is an array: a stack trace. */
  readonly text: (ink: Ink) => string | readonly string[]
}

const JAVA = ['checkout', 'orders', 'payments']
const GO = ['catalog', 'search']
const NODE = ['accounts']
const PYTHON = ['mailer']
/** Services that write JSON access logs: everything that answers requests. */
const WEB = [...GO, ...JAVA, ...NODE]

const ROUTES = [
  '/api/v2/items/{n}',
  '/api/v2/cart',
  '/api/v2/search',
  '/api/v2/items/{n}/stock',
  '/api/v2/orders/{n}',
  '/health',
  '/api/v2/users/{u}/profile',
  '/api/v2/checkout',
  '/login',
  '/api/v2/payments/{n}/confirm',
  '/static/app.js',
]
const METHODS = ['GET', 'GET', 'GET', 'POST', 'GET', 'PUT', 'DELETE']
const AGENTS = [
  'Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/142.0 Safari/537.36',
  'Mozilla/5.0 (iPhone; CPU iPhone OS 19_1 like Mac OS X) AppleWebKit/605.1.15 Mobile/15E148',
  'shop-app/7.3.1 (Android 16)',
  'Mozilla/5.0 (X11; Linux x86_64; rv:144.0) Gecko/20100101 Firefox/144.0',
  'okhttp/5.1.0',
  'Googlebot/2.1 (+http://www.google.com/bot.html)',
  'curl/8.16.0',
]
const TABLES = ['order_lines', 'stock_items', 'sessions', 'invoices', 'customers', 'outbox']
const TOPICS = ['orders.placed', 'stock.changed', 'mail.outgoing', 'payments.settled']
const QUEUES = ['mail', 'thumbnails', 'invoices', 'exports']
const COUNTRIES = ['DE', 'US', 'FR', 'SE', 'BR', 'IN', 'JP', 'ZA']
const DEVICES = ['sda1', 'nvme0n1p2', 'sdb1']
const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec']

const two = (value: number) => String(value).padStart(2, '0')
/** Written once per millisecond only: lines of a moment share it. */
const iso = ({ timeMs }: Ink) => new Date(timeMs).toISOString()
const clock = (at: Date) => `${two(at.getUTCHours())}:${two(at.getUTCMinutes())}:${two(at.getUTCSeconds())}`
const item = (ink: Ink) => 10_000 + Math.floor(ink.heavy(900))
const order = (ink: Ink) => 7_000_000 + (Math.floor(ink.timeMs / 400) % 900_000) + ink.below(40)
const ms = (ink: Ink, typical: number) => ink.heavy(typical).toFixed(1)
const whole = (ink: Ink, typical: number) => Math.round(ink.heavy(typical))

function syslogTime({ timeMs }: Ink): string {
  const at = new Date(timeMs)
  return `${MONTHS[at.getUTCMonth()]} ${String(at.getUTCDate()).padStart(2)} ${clock(at)}`
}

function clfTime({ timeMs }: Ink): string {
  const at = new Date(timeMs)
  return `${two(at.getUTCDate())}/${MONTHS[at.getUTCMonth()]}/${at.getUTCFullYear()}:${clock(at)} +0000`
}

function route(ink: Ink): string {
  const path = ink.skewed(ROUTES)
  if (path.includes('{n}')) return path.replace('{n}', String(item(ink)))
  return path.includes('{u}') ? path.replace('{u}', String(ink.user())) : path
}

/** 92 % fine, 5 % the client's fault, 3 % the server's; the level says the same. */
function statusOf(ink: Ink): number {
  const dice = ink.below(1_000)
  if (dice < 920) return dice < 790 ? 200 : dice < 860 ? 304 : dice < 900 ? 201 : 204
  if (dice < 970) return dice < 950 ? 404 : dice < 960 ? 401 : dice < 966 ? 400 : 499
  return dice < 980 ? 500 : dice < 988 ? 503 : dice < 998 ? 504 : 502
}
const levelOf = (status: number) => (status >= 500 ? 'error' : status >= 400 ? 'warn' : 'info')
const said = (status: number) =>
  status === 504
    ? 'request failed: upstream timeout'
    : status === 503
      ? 'request failed: connection refused by upstream'
      : status >= 500
        ? 'request failed'
        : 'request completed'

const say = (weight: number, level: Level, text: Statement['text']): Statement => ({ weight, level, text })

/** JSON access logs with trace ids: three programs' ways of writing them. Their line is the statement's text. */
const access = (share: number, services: readonly string[], text: (ink: Ink, service: string) => string) => ({
  share,
  services,
  path: '/var/log/{service}/access.json',
  statements: [say(1, '', () => '')],
  line: (ink: Ink, service: string) => text(ink, service),
})

const ACCESS: readonly Family[] = [
  access(17, WEB, (ink, service) => {
    const status = statusOf(ink)
    return `{"time":"${iso(ink)}","level":"${levelOf(status)}","service":"${service}","version":"4.${ink.host.turn % 3}.2","msg":"${said(status)}","method":"${ink.skewed(METHODS)}","url":"${route(ink)}","status":${status},"latency_ms":${ms(ink, 12)},"bytes":${whole(ink, 2_400)},"trace_id":"${ink.trace()}","client":"${ink.client()}","user":"u${ink.user()}"}`
  }),
  access(8, GO, (ink, service) => {
    const status = statusOf(ink)
    return `{"ts":"${iso(ink)}","level":"${levelOf(status)}","logger":"http.access","msg":"handled request","service":"${service}","request":{"method":"${ink.skewed(METHODS)}","uri":"${route(ink)}","proto":"HTTP/2.0","host":"shop.example.com"},"status":${status},"duration_ms":${ms(ink, 6)},"size":${whole(ink, 900)},"trace_id":"${ink.trace()}"}`
  }),
  access(5, NODE, (ink, service) => {
    const status = statusOf(ink)
    const level = status >= 500 ? 50 : status >= 400 ? 40 : 30
    return `{"level":${level},"time":${ink.timeMs},"pid":${ink.pid(service)},"service":"${service}","req":{"method":"${ink.skewed(METHODS)}","url":"${route(ink)}","remoteAddress":"${ink.peer()}"},"res":{"statusCode":${status}},"responseTime":${whole(ink, 9)},"traceId":"${ink.trace()}","msg":"${said(status)}"}`
  }),
]

const FRAMES = [
  'at com.example.shop.order.OrderService.place(OrderService.java:214)',
  'at com.example.shop.order.OrderController.submit(OrderController.java:88)',
  'at com.example.shop.payment.PaymentClient.charge(PaymentClient.java:131)',
  'at com.example.shop.stock.StockRepository.reserve(StockRepository.java:57)',
  'at org.springframework.web.method.support.InvocableHandlerMethod.doInvoke(InvocableHandlerMethod.java:255)',
  'at org.springframework.web.servlet.FrameworkServlet.service(FrameworkServlet.java:885)',
  'at org.apache.tomcat.util.net.NioEndpoint$SocketProcessor.doRun(NioEndpoint.java:1740)',
  'at java.base/java.lang.Thread.run(Thread.java:1583)',
]

/** A Java exception with its stack: the first line has the header, the others follow it in the file. */
function stack(exception: string, cause: string, depth: number): readonly string[] {
  const frames = FRAMES.slice(0, depth).map((frame) => `\t${frame}`)
  return [exception, ...frames, `Caused by: ${cause}`, `\t${FRAMES[2]}`, `\t... ${30 + depth} more`]
}

const JAVA_CLASSES = ['o.OrderService', 's.StockCache', 'p.PaymentClient', 'w.SessionFilter', 'i.InvoiceJob']

const JAVA_APP: Family = {
  share: 12,
  services: JAVA,
  path: '/var/log/{service}/app.log',
  line: (ink, _service, level, text) =>
    `${iso(ink).slice(0, 23).replace('T', ' ').replace('.', ',')} ${level.toUpperCase().padEnd(5)} [http-nio-8080-exec-${ink.below(12) + 1}] c.e.shop.${ink.skewed(JAVA_CLASSES)} - ${text}`,
  statements: [
    say(20, 'info', (i) => `reserved ${i.below(5) + 1} pieces of item ${item(i)} for order ${order(i)}`),
    say(16, 'info', (i) => `order ${order(i)} moved from PLACED to PAID in ${whole(i, 60)} ms`),
    say(30, 'debug', (i) => `cache miss for key item:${item(i)}, loading from the database`),
    say(14, 'debug', (i) => `request body of order ${order(i)} validated, ${i.below(9) + 1} lines`),
    say(9, 'info', (i) => `user ${i.user()} signed in from ${i.client()}`),
    say(7, 'info', (i) => `payment of ${whole(i, 40)}.90 EUR for order ${order(i)} authorised by provider`),
    say(5, 'warn', (i) => `retrying request to payments, attempt ${i.below(4) + 2} of 5`),
    say(4, 'warn', (i) => `slow query on ${i.skewed(TABLES)}: ${whole(i, 900)} ms`),
    say(6, 'error', (i) => `cannot reach stock service at ${i.peer()}:8080: connection refused`),
    say(8, 'error', (i) => `request to payments at ${i.peer()}:8443 failed: timeout after 3000 ms`),
    say(1.2, 'error', (i) =>
      stack(
        `order ${order(i)} failed: java.lang.IllegalStateException: item ${item(i)} has no stock left`,
        `java.sql.SQLTransientConnectionException: HikariPool-1 - connection timeout after 30000 ms`,
        5,
      ),
    ),
    say(0.8, 'error', (i) =>
      stack(
        `unhandled exception in request /api/v2/checkout of user ${i.user()}: com.example.shop.CheckoutException`,
        'java.net.SocketTimeoutException: Read timed out',
        8,
      ),
    ),
    say(4, 'fatal', (i) => `out of database connections, refusing orders; pool of ${16 + i.below(3) * 8}`),
  ],
}

const GO_APP: Family = {
  share: 7,
  services: GO,
  path: '/srv/{service}/current/out.log',
  line: (ink, _service, level, text) => `ts=${iso(ink)} level=${level} ${text}`,
  statements: [
    say(
      20,
      'info',
      (i) =>
        `caller=index.go:${i.pick([88, 141])} msg="segment merged" docs=${whole(i, 4000)} took=${whole(i, 80)}ms`,
    ),
    say(
      18,
      'debug',
      (i) => `caller=cache.go:57 msg="cache lookup" key=item:${item(i)} hit=${i.below(4) > 0}`,
    ),
    say(
      14,
      'info',
      (i) =>
        `caller=query.go:211 msg="search served" hits=${whole(i, 40)} took=${ms(i, 7)}ms trace_id=${i.trace()}`,
    ),
    say(
      9,
      'debug',
      (i) => `caller=pool.go:31 msg="connection reused" peer=${i.peer()}:9300 idle=${whole(i, 20)}s`,
    ),
    say(6, 'info', (i) => `caller=auth.go:74 msg="token refreshed" user=u${i.user()} ttl=3600`),
    say(
      5,
      'warn',
      (i) =>
        `caller=client.go:120 msg="upstream slow" upstream=stock latency=${ms(i, 1400)}ms trace_id=${i.trace()}`,
    ),
    say(
      7,
      'error',
      (i) =>
        `caller=client.go:133 msg="upstream request failed" upstream=${i.skewed(JAVA)} err="context deadline exceeded: timeout" trace_id=${i.trace()}`,
    ),
    say(
      2.5,
      'error',
      (i) =>
        `caller=client.go:139 msg="dial failed" err="dial tcp ${i.peer()}:9300: connect: connection refused"`,
    ),
    say(2, 'fatal', (i) => `caller=main.go:40 msg="index is corrupt, stopping" segment=s${i.below(900)}`),
  ],
}

const NODE_APP: Family = {
  share: 3,
  services: NODE,
  path: '/var/log/{service}/app.json',
  line: (ink, service, level, text) =>
    `{"level":"${level}","time":"${iso(ink)}","service":"${service}","pid":${ink.pid(service)},${text}}`,
  statements: [
    say(20, 'info', (i) => `"userId":${i.user()},"country":"${i.skewed(COUNTRIES)}","msg":"profile loaded"`),
    say(12, 'debug', (i) => `"userId":${i.user()},"ageMs":${whole(i, 5000)},"msg":"session renewed"`),
    say(8, 'info', (i) => `"userId":${i.user()},"factors":["password","totp"],"msg":"login succeeded"`),
    say(
      4,
      'warn',
      (i) => `"client":"${i.client()}","attempts":${i.below(8) + 1},"msg":"login failed, wrong password"`,
    ),
    say(
      2,
      'error',
      (i) =>
        `"traceId":"${i.trace()}","err":{"type":"TimeoutError","code":"ETIMEDOUT"},"msg":"user store timeout after ${whole(i, 2000)} ms"`,
    ),
    say(1.2, 'fatal', (i) => `"heapMiB":${1800 + i.below(200)},"msg":"heap limit reached, leaving"`),
  ],
}

const PYTHON_APP: Family = {
  share: 3,
  services: PYTHON,
  path: '/var/log/{service}/worker.log',
  line: (ink, service, level, text) =>
    `[${iso(ink).slice(0, 23).replace('T', ' ').replace('.', ',')}: ${level === 'warn' ? 'WARNING' : level.toUpperCase()}/ForkPoolWorker-${ink.below(8) + 1}] ${service}.tasks: ${text}`,
  statements: [
    say(20, 'info', (i) => `task send_receipt[${i.hex(8)}] succeeded in ${ms(i, 0.4)}s`),
    say(16, 'info', (i) => `task send_receipt[${i.hex(8)}] received`),
    say(
      7,
      'debug',
      (i) => `rendered template receipt_${i.skewed(COUNTRIES).toLowerCase()} in ${whole(i, 14)} ms`,
    ),
    say(3, 'warn', (i) => `recipient of order ${order(i)} deferred: mailbox full`),
    say(
      1.5,
      'error',
      (i) =>
        `smtp relay ${i.peer()} does not answer: timeout after 10 s, task ${i.hex(8)} goes back to the queue`,
    ),
    say(0.5, 'error', (i) => [
      `task send_receipt[${i.hex(8)}] raised unexpected: KeyError('locale')`,
      'Traceback (most recent call last):',
      '  File "/srv/mailer/tasks.py", line 88, in send_receipt',
      '    body = render(order, order["locale"])',
      "KeyError: 'locale'",
    ]),
  ],
}

/** Lines of classic syslog; the program stands in the text. */
const syslog = (share: number, path: string, statements: readonly Statement[]): Family => ({
  share,
  services: ['system'],
  path,
  statements,
  line: (ink, _service, _level, text) => `${syslogTime(ink)} ${ink.host.name} ${text}`,
})
const program = (ink: Ink, name: string) => `${name}[${ink.pid(name)}]:`

const SYSTEM: Family = syslog(5, '/var/log/syslog', [
  say(14, '', (i) => `systemd[1]: Started session-${whole(i, 300)}.scope - Session of User deploy.`),
  say(
    12,
    '',
    (i) => `CRON[${300 + i.below(30_000)}]: (root) CMD (/usr/local/bin/backup --table ${i.skewed(TABLES)})`,
  ),
  say(
    9,
    '',
    (i) =>
      `${program(i, 'named')} client ${i.peer()}#${32_000 + i.below(28_000)}: query: ${i.skewed(WEB)}.svc.example.com IN A +E(0)K`,
  ),
  say(
    7,
    '',
    (i) =>
      `${program(i, 'dhclient')} DHCPACK of ${i.peer()} from 10.0.0.1, bound for ${whole(i, 1800)} seconds`,
  ),
  say(6, '', (i) => `${program(i, 'chronyd')} Selected source ${i.peer()} (ntp.${i.host.site}.example.com)`),
  say(
    5,
    '',
    (i) =>
      `${program(i, 'postfix/smtp')} ${i.hex(10).toUpperCase()}: to=<user${i.user()}@example.org>, relay=mx.example.org[${i.peer()}]:25, delay=${ms(i, 1.2)}, dsn=2.0.0, status=sent (250 ok)`,
  ),
  say(
    4,
    '',
    (i) => `systemd[1]: logrotate.service: Deactivated successfully, consumed ${ms(i, 0.7)}s CPU time.`,
  ),
  say(2, '', (i) => `${program(i, 'puppet-agent')} Applied catalog in ${ms(i, 9)} seconds`),
  say(1, '', (i) => `systemd[1]: ${i.skewed(WEB)}.service: Main process exited, code=killed, status=9/KILL`),
])

const AUTH: Family = syslog(4, '/var/log/auth.log', [
  say(
    10,
    '',
    (i) =>
      `${program(i, 'sshd')} Failed password for invalid user ${i.skewed(['admin', 'test', 'oracle', 'ubuntu'])} from ${i.client()} port ${32_000 + i.below(28_000)} ssh2`,
  ),
  say(
    8,
    '',
    (i) =>
      `${program(i, 'sshd')} Connection closed by ${i.client()} port ${32_000 + i.below(28_000)} [preauth]`,
  ),
  say(
    6,
    '',
    (i) =>
      `${program(i, 'sshd')} Accepted publickey for deploy from ${i.peer()} port ${32_000 + i.below(28_000)} ssh2: ED25519 SHA256:k3yOfDeploy`,
  ),
  say(
    4,
    '',
    (i) =>
      `${program(i, 'sshd')} pam_unix(sshd:session): session opened for user deploy(uid=1001) by (uid=${i.below(2)})`,
  ),
  say(
    3,
    '',
    (i) =>
      `sudo: deploy : TTY=pts/${i.below(4)} ; PWD=/srv ; USER=root ; COMMAND=/bin/systemctl restart ${i.skewed(WEB)}`,
  ),
  say(
    1,
    '',
    (i) =>
      `${program(i, 'sshd')} error: kex_exchange_identification: read from ${i.client()}: Connection reset by peer`,
  ),
])

const KERNEL: Family = {
  share: 3,
  services: ['system'],
  path: '/var/log/kern.log',
  line: (ink, _service, _level, text) =>
    `${syslogTime(ink)} ${ink.host.name} kernel: [${(86_400 * ink.host.turn + (ink.timeMs % 86_400_000) / 1_000).toFixed(3)}] ${text}`,
  statements: [
    say(
      12,
      '',
      (i) =>
        `[UFW BLOCK] IN=eth0 OUT= SRC=${i.client()} DST=10.2.0.${i.host.turn} LEN=40 TTL=${240 + i.below(9)} PROTO=TCP SPT=${32_000 + i.below(28_000)} DPT=${i.skewed([22, 23, 445, 3389])} SYN`,
    ),
    say(
      5,
      '',
      (i) =>
        `TCP: request_sock_TCP: Possible SYN flooding on port ${i.pick([80, 443, 8080])}. Sending cookies.`,
    ),
    say(3, '', (i) => `eth0: NIC link is up at ${i.pick([1000, 10000])} Mbps, full duplex`),
    say(
      3,
      '',
      (i) => `EXT4-fs (${i.pick(DEVICES)}): mounted filesystem with ordered data mode. Quota mode: none.`,
    ),
    say(
      2,
      '',
      (i) =>
        `Out of memory: Killed process ${400 + i.below(31_000)} (java) total-vm:${whole(i, 8_000_000)}kB, anon-rss:${whole(i, 4_000_000)}kB`,
    ),
    say(
      1,
      '',
      (i) =>
        `blk_update_request: I/O error, dev ${i.pick(DEVICES)}, sector ${whole(i, 90_000_000)} op 0x0:(READ)`,
    ),
    say(
      1,
      '',
      (i) =>
        `CPU${i.below(8)}: Core temperature above threshold, cpu clock throttled (total events = ${whole(i, 90)})`,
    ),
  ],
}

const POSTGRES: Family = {
  share: 6,
  services: ['database'],
  path: '/var/log/postgresql/postgresql-17-main.log',
  line: (ink, _service, level, text) =>
    `${iso(ink).slice(0, 23).replace('T', ' ')} UTC [${ink.pid('postgres') + ink.below(24)}] app@shop ${level === 'error' || level === 'fatal' ? level.toUpperCase() : 'LOG'}:  ${text}`,
  statements: [
    say(
      20,
      'info',
      (i) =>
        `duration: ${ms(i, 30)} ms  execute S_${i.below(9)}: SELECT * FROM ${i.skewed(TABLES)} WHERE order_id = $1`,
    ),
    say(
      12,
      'info',
      (i) => `connection authorized: user=app database=shop application_name=${i.skewed(JAVA)}`,
    ),
    say(
      8,
      'info',
      (i) =>
        `disconnection: session time: 0:${two(i.below(60))}:${two(i.below(60))}.${i.below(1000)} user=app database=shop host=${i.peer()}`,
    ),
    say(
      5,
      'info',
      (i) =>
        `checkpoint complete: wrote ${whole(i, 900)} buffers (${ms(i, 4)}%); sync=${ms(i, 0.3)} s, longest=${ms(i, 0.1)} s`,
    ),
    say(
      4,
      'info',
      (i) =>
        `automatic vacuum of table "shop.public.${i.skewed(TABLES)}": index scans: ${i.below(3)}, pages: ${whole(i, 300)} removed`,
    ),
    say(
      3,
      'info',
      (i) =>
        `process ${400 + i.below(9000)} still waiting for ShareLock on transaction ${9_000_000 + whole(i, 50_000)} after 1000.${i.below(999)} ms`,
    ),
    say(2, 'error', (i) => `duplicate key value violates unique constraint "${i.skewed(TABLES)}_pkey"`),
    say(1.5, 'error', () => 'canceling statement due to statement timeout'),
    say(1.2, 'fatal', () => 'remaining connection slots are reserved for roles with the SUPERUSER attribute'),
  ],
}

const REDIS: Family = {
  share: 1,
  services: ['database'],
  path: '/var/log/redis/redis-server.log',
  line: (ink, _service, level, text) =>
    `${ink.pid('redis')}:M ${new Date(ink.timeMs).getUTCDate()} ${MONTHS[new Date(ink.timeMs).getUTCMonth()]} ${new Date(ink.timeMs).getUTCFullYear()} ${iso(ink).slice(11, 23)} ${level === 'warn' ? '#' : '*'} ${text}`,
  statements: [
    say(10, '', (i) => `${whole(i, 100)} changes in 300 seconds. Saving...`),
    say(10, '', (i) => `Background saving started by pid ${400 + i.below(31_000)}`),
    say(
      8,
      '',
      (i) => `Fork CoW for RDB: current ${whole(i, 4)} MB, peak ${whole(i, 6)} MB, average ${whole(i, 5)} MB`,
    ),
    say(
      2,
      'warn',
      (i) =>
        `Client closed for overcoming of output buffer limits: addr=${i.peer()}:${40_000 + i.below(9000)} omem=${whole(i, 9_000_000)}`,
    ),
  ],
}

const MONGO: Family = {
  share: 2,
  services: ['database'],
  path: '/var/log/mongodb/mongod.log',
  line: (ink, _service, _level, text) => `{"t":{"$date":"${iso(ink)}"},${text}}`,
  statements: [
    say(
      10,
      'info',
      (i) =>
        `"s":"I","c":"NETWORK","ctx":"listener","msg":"Connection accepted","attr":{"remote":"${i.peer()}:${40_000 + i.below(9000)}","connectionCount":${whole(i, 60)}}`,
    ),
    say(
      8,
      'info',
      (i) =>
        `"s":"I","c":"COMMAND","ctx":"conn${whole(i, 300)}","msg":"Slow query","attr":{"ns":"shop.${i.skewed(TABLES)}","planSummary":"COLLSCAN","durationMillis":${whole(i, 180)}}`,
    ),
    say(
      1,
      'warn',
      (i) =>
        `"s":"W","c":"STORAGE","ctx":"Checkpointer","msg":"Checkpoint took long","attr":{"seconds":${whole(i, 70)}}`,
    ),
    say(
      0.5,
      'error',
      (i) =>
        `"s":"E","c":"REPL","ctx":"ReplCoord-${i.below(4)}","msg":"Heartbeat timeout, connection to member lost","attr":{"member":"${i.peer()}:27017"}`,
    ),
  ],
}

const NGINX: Family = {
  share: 7,
  services: ['edge'],
  path: '/var/log/nginx/access.log',
  line: (ink) => {
    const status = statusOf(ink)
    return `${ink.client()} - - [${clfTime(ink)}] "${ink.skewed(METHODS)} ${route(ink)} HTTP/1.1" ${status} ${whole(ink, 2_400)} "https://shop.example.com/" "${ink.skewed(AGENTS)}" ${(ink.heavy(14) / 1000).toFixed(3)}`
  },
  statements: [say(1, '', () => '')],
}

const NGINX_ERRORS: Family = {
  share: 1,
  services: ['edge'],
  path: '/var/log/nginx/error.log',
  line: (ink, _service, level, text) =>
    `${iso(ink).slice(0, 19).replaceAll('-', '/').replace('T', ' ')} [${level}] ${ink.pid('nginx')}#${ink.pid('nginx')}: *${whole(ink, 90_000)} ${text}`,
  statements: [
    say(
      5,
      'error',
      (i) =>
        `upstream timed out (110: Connection timed out) while reading response header from upstream, client: ${i.client()}, server: shop.example.com, request: "GET ${route(i)} HTTP/1.1", upstream: "http://${i.peer()}:8080/"`,
    ),
    say(
      4,
      'error',
      (i) =>
        `connect() failed (111: Connection refused) while connecting to upstream, client: ${i.client()}, server: shop.example.com, upstream: "http://${i.peer()}:8080/"`,
    ),
    say(
      4,
      'warn',
      (i) =>
        `a client request body is buffered to a temporary file /var/cache/nginx/client_temp/${String(i.below(99_999)).padStart(10, '0')}, client: ${i.client()}`,
    ),
    say(1, 'fatal', () => 'worker_connections are not enough: 1024'),
  ],
}

const HAPROXY: Family = syslog(4, '/var/log/haproxy.log', [
  say(
    20,
    '',
    (i) =>
      `${program(i, 'haproxy')} ${i.client()}:${32_000 + i.below(28_000)} [${clfTime(i).slice(0, 20)}.${String(i.timeMs % 1000).padStart(3, '0')}] https~ shop/${i.skewed(WEB)}-${i.below(4) + 1} 0/0/${i.below(3)}/${whole(i, 12)}/${whole(i, 15)} ${statusOf(i)} ${whole(i, 2_400)} - - ---- ${whole(i, 80)}/${whole(i, 80)}/0/0/0 0/0 "GET ${route(i)} HTTP/2.0"`,
  ),
  say(
    2,
    '',
    (i) =>
      `${program(i, 'haproxy')} Health check for server shop/${i.skewed(WEB)}-${i.below(4) + 1} succeeded, reason: Layer7 check passed, code: 200, check duration: ${whole(i, 4)}ms, status: 3/3 UP.`,
  ),
  say(
    1,
    '',
    (i) =>
      `${program(i, 'haproxy')} Server shop/${i.skewed(WEB)}-${i.below(4) + 1} is DOWN, reason: Layer4 timeout, check duration: ${2000 + i.below(9)}ms. ${i.below(3) + 1} active and 0 backup servers left.`,
  ),
])

const KAFKA: Family = {
  share: 3,
  services: ['queue'],
  path: '/opt/kafka/logs/server.log',
  line: (ink, _service, level, text) =>
    `[${iso(ink).slice(0, 23).replace('T', ' ').replace('.', ',')}] ${level.toUpperCase()} ${text}`,
  statements: [
    say(
      10,
      'info',
      (i) =>
        `[GroupCoordinator ${i.host.turn}]: Preparing to rebalance group ${i.skewed(QUEUES)}-workers in state PreparingRebalance with old generation ${whole(i, 300)} (kafka.coordinator.group.GroupCoordinator)`,
    ),
    say(
      9,
      'info',
      (i) =>
        `[UnifiedLog partition=${i.skewed(TOPICS)}-${i.below(12)}, dir=/data/kafka] Rolled new log segment at offset ${whole(i, 90_000_000)} in ${i.below(9)} ms. (kafka.log.UnifiedLog)`,
    ),
    say(
      6,
      'info',
      (i) =>
        `[ProducerStateManager partition=${i.skewed(TOPICS)}-${i.below(12)}] Wrote producer snapshot at offset ${whole(i, 90_000_000)} with ${i.below(9)} producer ids (kafka.log.ProducerStateManager)`,
    ),
    say(
      5,
      'debug',
      (i) =>
        `[ReplicaFetcher replicaId=${i.host.turn}, leaderId=${i.below(3)}, fetcherId=0] Follower of ${i.skewed(TOPICS)}-${i.below(12)} caught up (kafka.server.ReplicaFetcherThread)`,
    ),
    say(
      2,
      'warn',
      (i) =>
        `[ReplicaManager broker=${i.host.turn}] Shrinking in-sync replicas of ${i.skewed(TOPICS)}-${i.below(12)} from 3 to 2 (kafka.cluster.Partition)`,
    ),
    say(
      1,
      'error',
      (i) =>
        `[ReplicaFetcher replicaId=${i.host.turn}, leaderId=${i.below(3)}, fetcherId=0] Error while fetching from ${i.peer()}:9092: request timeout (kafka.server.ReplicaFetcherThread)`,
    ),
  ],
}

const RABBIT: Family = {
  share: 2,
  services: ['queue'],
  path: '/var/log/rabbitmq/rabbit.log',
  line: (ink, _service, level, text) =>
    `${iso(ink).slice(0, 23).replace('T', ' ')}000+00:00 [${level === 'warn' ? 'warning' : level}] <0.${whole(ink, 900)}.0> ${text}`,
  statements: [
    say(9, 'info', (i) => `accepting AMQP connection ${i.peer()}:${40_000 + i.below(9000)} -> 10.2.0.9:5672`),
    say(
      7,
      'info',
      (i) =>
        `connection ${i.peer()}:${40_000 + i.below(9000)} -> 10.2.0.9:5672: user 'worker' authenticated and granted access to vhost '/'`,
    ),
    say(4, 'debug', (i) => `queue '${i.skewed(QUEUES)}' depth ${whole(i, 200)}, consumers ${i.below(8) + 1}`),
    say(
      2,
      'warn',
      (i) =>
        `closing AMQP connection ${i.peer()}:${40_000 + i.below(9000)}: client unexpectedly closed TCP connection`,
    ),
    say(
      1,
      'error',
      (i) =>
        `closing AMQP connection ${i.peer()}:${40_000 + i.below(9000)}: missed heartbeats from client, timeout: 60s`,
    ),
  ],
}

const CONTAINERS: Family = {
  share: 3,
  services: ['containers'],
  path: '/var/log/containerd.log',
  line: (ink, _service, level, text) =>
    `time="${iso(ink).slice(0, 19)}.${String(ink.timeMs % 1000).padStart(3, '0')}${String(ink.below(1_000_000)).padStart(6, '0')}Z" level=${level === 'warn' ? 'warning' : level} ${text}`,
  statements: [
    say(9, 'info', (i) => `msg="StartContainer for ${i.hex(12)} returns successfully"`),
    say(
      7,
      'info',
      (i) => `msg="ImageUpdate event name:registry.example.com/shop/${i.skewed(WEB)}:4.${i.below(3)}.2"`,
    ),
    say(
      6,
      'debug',
      (i) => `msg="container event discarded" container=${i.hex(12)} type=CONTAINER_STARTED_EVENT`,
    ),
    say(2, 'warn', (i) => `msg="cleaning up after shim disconnected" shim=${i.hex(12)} namespace=k8s.io`),
    say(
      1,
      'error',
      (i) =>
        `msg="RunPodSandbox for ${i.skewed(WEB)} failed" error="rpc error: code = DeadlineExceeded desc = timeout"`,
    ),
  ],
}

const KUBELET: Family = {
  share: 3,
  services: ['containers'],
  path: '/var/log/kubelet.log',
  line: (ink, _service, level, text) => {
    const at = new Date(ink.timeMs)
    const letter = level === '' ? 'I' : level.charAt(0).toUpperCase()
    return `${letter}${two(at.getUTCMonth() + 1)}${two(at.getUTCDate())} ${clock(at)}.${String(ink.timeMs % 1000).padStart(3, '0')}000 ${String(ink.pid('kubelet')).padStart(7)} ${text}`
  },
  statements: [
    say(
      9,
      'info',
      (i) =>
        `kubelet.go:2421] SyncLoop (PLEG): event for pod shop/${i.skewed(WEB)}-${i.below(4)}, type ContainerStarted`,
    ),
    say(
      7,
      'info',
      (i) =>
        `prober.go:107] Probe of pod shop/${i.skewed(WEB)}-${i.below(4)} succeeded after ${whole(i, 4)} ms`,
    ),
    say(
      4,
      'info',
      (i) =>
        `reconciler.go:224] operationExecutor.VerifyControllerAttachedVolume started for volume kube-api-access-${i.hex(5)}`,
    ),
    say(
      2,
      'warn',
      (i) =>
        `prober.go:122] Readiness probe of pod shop/${i.skewed(WEB)}-${i.below(4)} failed: Get "http://${i.peer()}:8080/health": context deadline exceeded (Client.Timeout exceeded)`,
    ),
    say(
      1.2,
      'error',
      (i) =>
        `pod_workers.go:1298] Error syncing pod shop/${i.skewed(WEB)}-${i.below(4)}, skipping: back-off ${i.pick([10, 20, 40])}s restarting failed container`,
    ),
    say(0.8, 'fatal', (i) => `server.go:274] failed to run Kubelet: node ${i.host.name} not found`),
  ],
}

/** Wrapped by the container runtime. */
const POD: Family = {
  share: 1,
  services: ['search'],
  path: '/var/log/containers/{service}-0_shop.log',
  line: (ink, _service, level, text) =>
    `${iso(ink).slice(0, 23)}${String(ink.below(1_000_000)).padStart(6, '0')}Z ${level === 'error' ? 'stderr' : 'stdout'} F ${level.toUpperCase()} ${text}`,
  statements: [
    say(
      10,
      'info',
      (i) =>
        `suggest: request for prefix of ${i.below(9) + 1} letters answered with ${i.below(12)} entries in ${ms(i, 2)} ms`,
    ),
    say(7, 'debug', (i) => `suggest: trie page ${whole(i, 900)} read from disk in ${ms(i, 0.6)} ms`),
    say(
      3,
      'info',
      (i) => `suggest: reloaded dictionary ${i.skewed(COUNTRIES)} with ${whole(i, 90_000)} words`,
    ),
    say(
      1,
      'error',
      (i) =>
        `suggest: request cancelled, deadline of ${i.pick([50, 100])} ms passed: timeout in shard ${i.below(16)}`,
    ),
  ],
}

/** Everything that is logged in the company; own text in the shapes that real programs write. */
export const FAMILIES: readonly Family[] = [
  ...ACCESS,
  JAVA_APP,
  GO_APP,
  NODE_APP,
  PYTHON_APP,
  SYSTEM,
  AUTH,
  KERNEL,
  POSTGRES,
  REDIS,
  MONGO,
  NGINX,
  NGINX_ERRORS,
  HAPROXY,
  KAFKA,
  RABBIT,
  CONTAINERS,
  KUBELET,
  POD,
]
