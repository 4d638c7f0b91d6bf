import { readFile } from 'node:fs/promises'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { extname, join, resolve } from 'node:path'
import type { Board } from '../../dashboards/src/api/boards.ts'
import type { ApiLost } from '../../dashboards/src/api/metrics.ts'
import { answerAbout, sendExport, type ExportEnding, type FoundRecords } from './fake-search.ts'
import { sampleLine } from './sample-lines.ts'
import type { AnswerMeta, ApiCompleteness, LogRecord, SiteAnswer } from '../../dashboards/src/api.ts'
import { collectorsAnswer, hostsAnswer, type FakeHost } from './fake-hosts.ts'
import { metricNames, metricTags, metricValues, type FakeSeries } from './fake-metrics.ts'

/** A run may build the dashboards into a folder of its own. */
const DIST = resolve(process.env['DASHBOARDS_DIST'] ?? join(import.meta.dirname, '../../dashboards/dist'))
const COOKIE = 'noctule_session=good'
const CSP =
  "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript',
  '.css': 'text/css',
  '.svg': 'image/svg+xml',
}
const BUCKETS = 60

/** What the scripted server holds and how it behaves; tests change it as they go. */
interface Script {
  /** Of whoever signs in. */
  role: string
  /** The one-time code that signs in; '' when it is used up. */
  code: string
  /** Cookies are accepted. */
  sessions: boolean
  records: LogRecord[]
  series: readonly FakeSeries[]
  lost: ApiLost
  hosts: readonly FakeHost[]
  boards: readonly Board[]
  /** What the ledger says, by site. */
  sites: Record<string, ApiCompleteness & { status?: string; error?: string }>
  /** Every search, histogram and tail is answered with this. */
  problem: { status: number; code: string; detail: string; column?: number; retryAfterS?: number } | null
  /** Searches wait for it. */
  hold: Promise<void>
  /** Connections are cut without an answer. */
  down: boolean
  /** Searches find so many made-up lines; 0: the records. */
  endless: number
  exportEnding: ExportEnding
}

export interface FakeApi {
  readonly url: string
  readonly script: Script
  /** Method and path of every request so far. */
  readonly requests: readonly string[]
  /** Value of Last-Event-ID of every tail so far. */
  readonly tailStarts: readonly (string | undefined)[]
  /** Records that arrive now: searches and open tails get them. */
  readonly arrive: (records: readonly LogRecord[]) => void
  /** Position of the newest record that arrived. */
  readonly position: () => number
  /** Breaks every open tail. */
  readonly cutTails: () => void
  close(): Promise<void>
}

/** The dashboards with a small scripted query API behind them, on a free port. Answers like the real one, from memory. */
export async function startFakeApi(): Promise<FakeApi> {
  const script: Script = {
    role: 'admin',
    code: 'good-code',
    sessions: true,
    records: [],
    series: [],
    lost: { total: 0, byReason: {} },
    hosts: [],
    boards: [],
    sites: { 'eu-west': coveredNow() },
    problem: null,
    hold: Promise.resolve(),
    down: false,
    endless: 0,
    exportEnding: 'whole',
  }
  const requests: string[] = []
  const tails = createTails(script)

  const server = createServer((request, response) => {
    requests.push(`${request.method} ${request.url}`)
    if (script.down) request.socket.destroy()
    else void answer(request, response)
  })

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '/', 'http://127.0.0.1')
    response.setHeader('content-security-policy', CSP)
    if (!url.pathname.startsWith('/v1/')) return sendFile(response, url.pathname)
    if (url.pathname === '/v1/session' && request.method !== 'GET') return session(script, request, response)
    if (!script.sessions || request.headers.cookie?.includes(COOKIE) !== true) {
      return sendProblem(response, {
        status: 401,
        code: 'UNAUTHENTICATED',
        detail: 'this needs a token or a session',
      })
    }
    if (url.pathname === '/v1/session') return sendJson(response, { name: 'admin', role: script.role })
    if (script.problem !== null) return sendProblem(response, script.problem)
    if (url.pathname === '/v1/tail') return tails.open(request, response, url.searchParams.get('q') ?? '')
    await script.hold
    if (url.pathname === '/v1/export') return sendExport(response, foundFor(script, url), script.exportEnding)
    const more =
      answerAbout(url, { found: () => foundFor(script, url), all: script.records }) ??
      otherAnswer(script, url)
    if (more !== null) return sendJson(response, more)
    if (url.pathname === '/v1/search') return sendJson(response, searchAnswer(script, url.searchParams))
    return sendJson(response, histogramAnswer(script, url.searchParams))
  }

  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    script,
    requests,
    tailStarts: tails.starts,
    position: tails.position,
    cutTails: () => tails.cut(),
    arrive(records) {
      script.records.push(...records)
      tails.arrive(records)
    },
    async close() {
      server.closeAllConnections()
      await new Promise((closed) => server.close(closed))
    },
  }
}

/** Live tails that resume by position, as the real ones do. */
function createTails(script: Script) {
  const arrivals: LogRecord[] = []
  const starts: (string | undefined)[] = []
  const open = new Set<{ readonly response: ServerResponse; readonly q: string }>()

  function send(response: ServerResponse, q: string, index: number): void {
    const record = arrivals[index]
    if (record === undefined || !matches(record, q)) return
    response.write(`event: record\nid: ${index + 1}\ndata: ${JSON.stringify(record)}\n\n`)
  }

  return {
    starts,
    position: () => arrivals.length,
    open(request: IncomingMessage, response: ServerResponse, q: string): void {
      const start = request.headers['last-event-id']?.toString()
      starts.push(start)
      response.writeHead(200, { 'content-type': 'text/event-stream' })
      response.write(`event: plan\ndata: ${JSON.stringify({ query: q })}\n\n`)
      for (let index = Number(start ?? arrivals.length); index < arrivals.length; index++)
        send(response, q, index)
      const sendMeta = () => response.write(tailMeta(script, arrivals.length))
      sendMeta()
      const timer = setInterval(sendMeta, 1000)
      const tail = { response, q }
      open.add(tail)
      response.once('close', () => {
        clearInterval(timer)
        open.delete(tail)
      })
    },
    arrive(records: readonly LogRecord[]): void {
      for (const record of records) {
        arrivals.push(record)
        for (const { response, q } of open) send(response, q, arrivals.length - 1)
      }
    },
    cut(): void {
      for (const { response } of open) response.destroy()
    },
  }
}

/** The ledger of a site of which nothing is missing up to this moment. */
export function coveredNow(): ApiCompleteness {
  return { complete: true, completeTo: new Date().toISOString(), gaps: [], gapsTotal: 0 }
}

async function sendFile(response: ServerResponse, path: string): Promise<void> {
  const file = path.startsWith('/assets/') ? path.slice(1) : 'index.html'
  const bytes = await readFile(join(DIST, file)).catch(() => null)
  response.writeHead(bytes === null ? 404 : 200, { 'content-type': TYPES[extname(file)] ?? 'text/plain' })
  response.end(bytes)
}

async function session(script: Script, request: IncomingMessage, response: ServerResponse): Promise<void> {
  if (request.method === 'DELETE') {
    response.writeHead(204, { 'set-cookie': 'noctule_session=; Max-Age=0; Path=/' }).end()
    return
  }
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk as Buffer)
  const { code } = JSON.parse(Buffer.concat(chunks).toString()) as { code: string }
  if (code !== script.code) {
    sendProblem(response, { status: 401, code: 'UNAUTHENTICATED', detail: 'an unknown credential' })
    return
  }
  script.code = ''
  script.sessions = true
  response.setHeader('set-cookie', `${COOKIE}; HttpOnly; SameSite=Strict; Path=/`)
  sendJson(response, { name: 'admin', role: script.role })
}

function sendJson(response: ServerResponse, body: object): void {
  response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(body))
}

function sendProblem(
  response: ServerResponse,
  { retryAfterS, ...problem }: NonNullable<Script['problem']>,
): void {
  if (retryAfterS !== undefined) response.setHeader('retry-after', retryAfterS)
  const body = { type: '', title: problem.code, retryable: problem.status >= 500, details: {}, ...problem }
  response.writeHead(problem.status, { 'content-type': 'application/problem+json' }).end(JSON.stringify(body))
}

/** `now`, `now-15m` and RFC 3339. */
function timeOf(text: string | null, fallback: string): number {
  const [, amount, unit = 'm'] = /^now(?:-(\d+)([smhd]))?$/.exec(text ?? fallback) ?? []
  const unitMs = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 }[unit] ?? 0
  const now = (text ?? fallback).startsWith('now')
  return now ? Date.now() - Number(amount ?? 0) * unitMs : Date.parse(text ?? '')
}

/** Words and field:value, all of which must hold: enough for a script. */
function matches(record: LogRecord, q: string): boolean {
  return q.split(' ').every((term) => {
    const [, field = '', value = ''] = /^(\w+):"?([^"]+)"?$/.exec(term) ?? []
    if (field !== '') return (record[field] ?? record.attrs?.[field]) === value
    return (record.message ?? '').toLowerCase().includes(term.toLowerCase())
  })
}

function found(
  script: Script,
  asked: URLSearchParams,
): { records: LogRecord[]; fromMs: number; toMs: number } {
  const [fromMs, toMs] = [timeOf(asked.get('from'), 'now-15m'), timeOf(asked.get('to'), 'now')]
  const records = script.records
    .filter(({ time }) => Date.parse(time) >= fromMs && Date.parse(time) < toMs)
    .filter((record) => matches(record, asked.get('q') ?? ''))
    .toSorted((a, b) => b.time.localeCompare(a.time))
  return { records, fromMs, toMs }
}

function metaOf(
  script: Script,
  facts: { fromMs: number; toMs: number; returned: number; next?: number },
): AnswerMeta {
  const { fromMs, toMs, returned, next } = facts
  const sites = Object.entries(script.sites).map(([name, site]): [string, SiteAnswer] => [
    name,
    { status: 'ok', tookMs: 12, returned, ...site },
  ])
  const ends = sites.map(([, site]) => site.completeTo ?? '')
  const iso = (ms: number) => new Date(ms).toISOString()
  return {
    query: '',
    from: iso(fromMs),
    to: iso(toMs),
    tookMs: 18.4,
    scanned: 120_000,
    returned,
    truncated: next !== undefined,
    ...(next === undefined ? {} : { cursor: String(next) }),
    complete: sites.every(([, site]) => site.complete && site.status === 'ok'),
    completeTo: ends.toSorted((a, b) => a.localeCompare(b))[0] || null,
    sites: Object.fromEntries(sites),
  }
}

/** What pages besides the search ask; null: something else was asked. */
function otherAnswer(script: Script, { pathname, searchParams: asked }: URL): object | null {
  const range = () => ({ fromMs: timeOf(asked.get('from'), 'now-1h'), toMs: timeOf(asked.get('to'), 'now') })
  switch (pathname) {
    case '/v1/metrics/query': {
      const values = metricValues(script.series, asked, { ...range(), lost: script.lost })
      return { ...values, meta: metaOf(script, { ...range(), returned: 0 }) }
    }
    case '/v1/metrics/names':
      return metricNames(script.series, asked)
    case '/v1/metrics/tags':
      return metricTags(script.series, asked)
    case '/v1/boards':
      return { boards: script.boards }
    case '/v1/hosts':
      return hostsAnswer(script.hosts, asked)
    case '/v1/collectors':
      return collectorsAnswer(script.hosts)
    default:
      return null
  }
}

function foundFor(script: Script, { searchParams: asked }: URL): FoundRecords {
  const { records, fromMs, toMs } = found(script, asked)
  return { records, meta: metaOf(script, { fromMs, toMs, returned: records.length }) }
}

/** A page of lines without an end in sight, made as it is asked for. */
function endlessAnswer(script: Script, asked: URLSearchParams): object {
  const start = Number(asked.get('cursor') ?? 0)
  const end = Math.min(script.endless, start + Number(asked.get('limit') ?? 100))
  const toMs = Math.floor(Date.now() / 60_000) * 60_000
  const records = Array.from({ length: end - start }, (_, at) => sampleLine(start + at, toMs - start - at))
  const more = end < script.endless ? { next: end } : {}
  return {
    records,
    meta: metaOf(script, { fromMs: toMs - 900_000, toMs, returned: records.length, ...more }),
  }
}

function searchAnswer(script: Script, asked: URLSearchParams): object {
  if (script.endless > 0) return endlessAnswer(script, asked)
  const { records, fromMs, toMs } = found(script, asked)
  const start = Number(asked.get('cursor') ?? 0)
  const end = start + Number(asked.get('limit') ?? 100)
  const page = records.slice(start, end)
  const more = end < records.length ? { next: end } : {}
  return { records: page, meta: metaOf(script, { fromMs, toMs, returned: page.length, ...more }) }
}

function histogramAnswer(script: Script, asked: URLSearchParams): object {
  const { records, fromMs, toMs } = found(script, asked)
  const intervalMs = Math.max(1000, Math.ceil((toMs - fromMs) / BUCKETS / 1000) * 1000)
  const buckets = new Map<number, { start: string; total: number; by: Record<string, number> }>()
  const by = asked.get('by') ?? 'level'
  for (const record of records) {
    const { time } = record
    const named = record[by]
    const value = typeof named === 'string' ? named : ''
    const startMs = Math.floor(Date.parse(time) / intervalMs) * intervalMs
    const {
      start,
      total,
      by: counted,
    } = buckets.get(startMs) ?? {
      start: new Date(startMs).toISOString(),
      total: 0,
      by: {},
    }
    buckets.set(startMs, { start, total: total + 1, by: { ...counted, [value]: (counted[value] ?? 0) + 1 } })
  }
  const sorted = [...buckets.values()].toSorted((a, b) => a.start.localeCompare(b.start))
  return { intervalMs, buckets: sorted, meta: metaOf(script, { fromMs, toMs, returned: records.length }) }
}

function tailMeta(script: Script, position: number): string {
  const { complete, completeTo, gaps, gapsTotal } = Object.values(script.sites)[0] ?? coveredNow()
  const data = JSON.stringify({ complete, completeTo, gaps, gapsTotal, position })
  return `event: meta\nid: ${position}\ndata: ${data}\n\n`
}
