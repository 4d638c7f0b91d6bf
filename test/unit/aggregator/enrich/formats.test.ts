import { expect, test } from 'vitest'
import { enrichOne, READ_AT_MS } from './support.ts'

const at = (iso: string) => Date.parse(iso)
const DAWN = at('2026-01-02T03:04:05.678Z')
const DAWN_S = at('2026-01-02T03:04:05Z')

interface Case {
  readonly name: string
  readonly line: string
  readonly is: Readonly<Record<string, unknown>>
}

const JSON_LINES: readonly Case[] = [
  {
    name: 'pino',
    line: '{"level":50,"time":1767323045678,"pid":7,"hostname":"web-1","name":"shop","msg":"payment refused"}',
    is: {
      timeMs: DAWN,
      level: 'error',
      service: 'shop',
      message: 'payment refused',
      attrs: { level_original: '50', pid: 7, hostname: 'web-1' },
    },
  },
  {
    name: 'ECS, dotted and nested',
    line: '{"@timestamp":"2026-01-02T03:04:05.678Z","log.level":"WARN","message":"slow","service":{"name":"cart","version":"1.2"},"trace":{"id":"abc"},"http":{"response":{"status_code":503,"body":{"bytes":12}}}}',
    is: {
      timeMs: DAWN,
      level: 'warn',
      message: 'slow',
      service: 'cart',
      version: '1.2',
      trace: 'abc',
      status: 503,
      bytes: 12,
      attrs: {},
    },
  },
  {
    name: 'zap',
    line: '{"level":"warn","ts":1767323045.678,"caller":"a/b.go:12","msg":"retry","elapsed":"1.5s","labels":{"team":"pay"}}',
    is: {
      timeMs: DAWN,
      level: 'warn',
      message: 'retry',
      latencyMs: 1500,
      attrs: { caller: 'a/b.go:12', 'labels.team': 'pay' },
    },
  },
  {
    name: 'without a message the whole line is it',
    line: '{"time":"2026-01-02T03:04:05Z","status":200,"request_time":"0.123"}',
    is: {
      timeMs: DAWN_S,
      status: 200,
      latencyMs: 123,
      message: '{"time":"2026-01-02T03:04:05Z","status":200,"request_time":"0.123"}',
    },
  },
  {
    name: 'arrays, null and names of fields',
    line: '{"msg":"x","tags":["a",null,"b"],"items":[{"id":1},{"id":2}],"none":null,"host":"other","site":"us"}',
    is: {
      attrs: { tags: ['a', 'b'], 'items.id': [1, 2], host_claimed: 'other', site_claimed: 'us' },
      host: 'web-1',
      site: 'eu',
    },
  },
  {
    name: 'long integers keep their digits',
    line: '{"msg":"x","user":12345678901234567890,"big":1e999}',
    is: { attrs: { user: '12345678901234567890', big: '1e999' } },
  },
  {
    name: 'traceparent',
    line: '{"msg":"x","traceparent":"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}',
    is: { trace: '0af7651916cd43dd8448eb211c80319c', attrs: {} },
  },
  {
    name: 'a status that is none, a duration without unit',
    line: '{"msg":"x","status":"active","duration":12,"level":"audit"}',
    is: {
      status: null,
      latencyMs: null,
      level: '',
      attrs: { status_claimed: 'active', duration: 12, level_claimed: 'audit' },
    },
  },
  {
    name: 'a time before 1970',
    line: '{"msg":"x","time":"1969-12-31T23:59:59Z"}',
    is: { timeMs: READ_AT_MS, attrs: { time_original: '1969-12-31T23:59:59Z' } },
  },
]

const LOGFMT: readonly Case[] = [
  {
    name: 'Go',
    line: 'ts=2026-01-02T03:04:05.678Z level=WARNING caller=x.go:7 msg="cache \\"a\\" missed" trace_id=abc duration=12ms n=3',
    is: {
      timeMs: DAWN,
      level: 'warn',
      message: 'cache "a" missed',
      trace: 'abc',
      latencyMs: 12,
      attrs: { level_original: 'WARNING', caller: 'x.go:7', n: 3 },
    },
  },
  { name: 'a pair in prose', line: 'set a=1 in the file', is: { message: 'set a=1 in the file', attrs: {} } },
]

const SYSLOG: readonly Case[] = [
  {
    name: 'RFC 3164',
    line: '<34>Jan  2 03:04:05 db-9 sshd[4721]: Failed password for root',
    is: {
      timeMs: DAWN_S,
      level: 'fatal',
      service: 'sshd',
      host: 'web-1',
      message: 'Failed password for root',
      attrs: { level_original: 'crit', facility: 'auth', pid: 4721, syslog_host: 'db-9' },
    },
  },
  {
    name: 'RFC 3164 in a file, from last year',
    line: 'Dec 31 23:59:59 web-1 cron: (root) CMD (backup)',
    is: {
      timeMs: at('2025-12-31T23:59:59Z'),
      service: 'cron',
      message: '(root) CMD (backup)',
      level: '',
      attrs: {},
    },
  },
  {
    name: 'an ISO time',
    line: '2026-01-02T04:04:05.678+01:00 web-1 systemd[1]: Started x.',
    is: { timeMs: DAWN, service: 'systemd', message: 'Started x.', attrs: { pid: 1 } },
  },
  {
    name: 'RFC 5424',
    line: '<165>1 2026-01-02T03:04:05.678Z web-1 shop 12 ID47 [ex@1 a="1" b="x\\"y"] payment refused',
    is: {
      timeMs: DAWN,
      level: 'info',
      service: 'shop',
      message: 'payment refused',
      attrs: {
        level_original: 'notice',
        facility: 'local4',
        pid: 12,
        msgid: 'ID47',
        'sd.ex@1.a': '1',
        'sd.ex@1.b': 'x"y',
      },
    },
  },
  {
    name: 'a level inside',
    line: 'Jan  2 03:04:05 web-1 shop[7]: ERROR payment refused',
    is: { level: 'error', message: 'payment refused', service: 'shop', attrs: { pid: 7 } },
  },
  {
    name: 'JSON inside',
    line: '<14>Jan  2 03:04:05 web-1 shop[7]: {"level":"error","msg":"refused","code":3}',
    is: { level: 'error', message: 'refused', service: 'shop', attrs: { facility: 'user', pid: 7, code: 3 } },
  },
]

const ACCESS_LINE = '10.1.2.3 - ann [02/Jan/2026:04:04:05 +0100] "GET /a?b=1 HTTP/1.1" 503 321'
const ACCESS: readonly Case[] = [
  {
    name: 'common',
    line: ACCESS_LINE,
    is: {
      timeMs: DAWN_S,
      level: 'error',
      status: 503,
      bytes: 321,
      message: ACCESS_LINE,
      attrs: { client: '10.1.2.3', user: 'ann', method: 'GET', url: '/a?b=1', protocol: 'HTTP/1.1' },
    },
  },
  {
    name: 'combined with seconds',
    line: '::1 - - [02/Jan/2026:03:04:05 +0000] "POST /x HTTP/2.0" 404 - "http://r/" "curl/8 (x)" 0.250',
    is: {
      level: 'warn',
      bytes: null,
      latencyMs: 250,
      attrs: {
        client: '::1',
        method: 'POST',
        url: '/x',
        protocol: 'HTTP/2.0',
        referrer: 'http://r/',
        user_agent: 'curl/8 (x)',
      },
    },
  },
]

const LEVELLED: readonly Case[] = [
  {
    name: 'LEVEL message',
    line: 'ERROR payment refused',
    is: { level: 'error', message: 'payment refused', timeMs: READ_AT_MS },
  },
  {
    name: 'LEVEL: message',
    line: 'WARNING: low disk',
    is: { level: 'warn', message: 'low disk', attrs: { level_original: 'WARNING' } },
  },
  { name: '[level] message', line: '[Error] it broke', is: { level: 'error', message: 'it broke' } },
  {
    name: 'Python',
    line: 'ERROR:root:it broke',
    is: { level: 'error', message: 'it broke', attrs: { logger: 'root' } },
  },
  {
    name: 'log4j',
    line: '2026-01-02 03:04:05,678 ERROR [main] com.example.Pay - payment refused',
    is: {
      timeMs: DAWN,
      level: 'error',
      message: 'payment refused',
      attrs: { thread: 'main', logger: 'com.example.Pay' },
    },
  },
  {
    name: 'Spring',
    line: '2026-01-02T03:04:05.678Z  INFO 4721 --- [main] c.e.Shop    : Started',
    is: {
      timeMs: DAWN,
      level: 'info',
      message: 'Started',
      attrs: { pid: 4721, thread: 'main', logger: 'c.e.Shop' },
    },
  },
  {
    name: 'logback, without a date',
    line: '03:04:05.678 [main] DEBUG c.e.Shop - hit',
    is: { timeMs: DAWN, level: 'debug', message: 'hit', attrs: { thread: 'main', logger: 'c.e.Shop' } },
  },
  {
    name: 'Python with names',
    line: '2026-01-02 03:04:05,678 - shop.db - CRITICAL - gone',
    is: {
      timeMs: DAWN,
      level: 'fatal',
      message: 'gone',
      attrs: { level_original: 'CRITICAL', logger: 'shop.db' },
    },
  },
  {
    name: 'glog',
    line: 'W0102 03:04:05.678901    42 pod.go:12] evicted',
    is: { timeMs: DAWN, level: 'warn', message: 'evicted', attrs: { pid: 42, logger: 'pod.go:12' } },
  },
  {
    name: 'nginx',
    line: '2026/01/02 03:04:05 [error] 31#31: *4 open() failed',
    is: { timeMs: DAWN_S, level: 'error', message: '*4 open() failed', attrs: { pid: 31 } },
  },
  {
    name: 'PostgreSQL',
    line: '2026-01-02 03:04:05.678 UTC [99] app@shop LOG:  checkpoint complete',
    is: {
      timeMs: DAWN,
      level: 'info',
      message: 'checkpoint complete',
      attrs: { level_original: 'LOG', pid: 99, session: 'app@shop' },
    },
  },
  {
    name: 'a container runtime',
    line: '2026-01-02T03:04:05.678901234Z stderr F ERROR it broke',
    is: { timeMs: DAWN, level: 'error', message: 'it broke', attrs: { stream: 'stderr' } },
  },
  {
    name: "Docker's file",
    line: '{"log":"ERROR it broke\\n","stream":"stderr","time":"2026-01-02T03:04:05.678901234Z"}',
    is: { timeMs: DAWN, level: 'error', message: 'it broke', attrs: { stream: 'stderr' } },
  },
  {
    name: 'a time alone',
    line: '2026-01-02 03:04:05 started',
    is: { timeMs: DAWN_S, level: '', message: 'started' },
  },
]

const PLAIN: readonly Case[] = [
  {
    name: 'prose',
    line: 'an error was not found',
    is: { level: '', message: 'an error was not found', attrs: {} },
  },
  {
    name: 'a trace',
    line: '\tat com.example.Pay(Pay.java:7)',
    is: { level: '', message: '\tat com.example.Pay(Pay.java:7)' },
  },
  { name: 'Error: is prose', line: 'Error: ENOENT', is: { level: '', message: 'Error: ENOENT' } },
  { name: 'broken JSON', line: '{"a":', is: { message: '{"a":', attrs: {} } },
  { name: 'nothing', line: '', is: { message: '', attrs: {}, service: 'shop' } },
]

test.each([
  ...JSON_LINES.map((c) => ({ ...c, format: 'JSON' })),
  ...LOGFMT.map((c) => ({ ...c, format: 'logfmt' })),
  ...SYSLOG.map((c) => ({ ...c, format: 'syslog' })),
  ...ACCESS.map((c) => ({ ...c, format: 'access log' })),
  ...LEVELLED.map((c) => ({ ...c, format: 'level' })),
  ...PLAIN.map((c) => ({ ...c, format: 'plain' })),
])('$format: $name', async ({ line, is }) => {
  const record = await enrichOne(line)
  const found = Object.fromEntries(Object.keys(is).map((key) => [key, record[key as keyof typeof record]]))
  expect(found).toEqual(is)
})
