import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { request as requestPlain, type IncomingMessage, type RequestOptions } from 'node:http'
import { request as requestTls } from 'node:https'
import type { LookupFunction } from 'node:net'
import { durationMs } from '../../core/config-checks.ts'
import type { Clock } from '../../core/ports.ts'
import { problemOf, unknown, type CheckOf, type Outcome, type Probe } from './probe.ts'

/** More of a body is neither read nor searched. */
export const BODY_BYTES_MAX = 1 << 20

type Http = CheckOf<'http'>

interface Files {
  readonly headers: Readonly<Record<string, string>>
  readonly ca: string | undefined
}

/** Asks a URL over a connection of its own. Redirects are not followed: they are an answer. */
export function httpProbe(config: Http, { clock, lookup }: { clock: Clock; lookup: LookupFunction }): Probe {
  return async (signal) => {
    let files: Files
    try {
      files = await filesOf(config)
    } catch (error) {
      return unknown(problemOf(error))
    }
    const startMs = clock.monotonicMs()
    try {
      const { status, body, whole } = await ask(config, files, { lookup, signal })
      return judge(config, { status, body, whole, tookMs: clock.monotonicMs() - startMs })
    } catch (error) {
      return { state: 'fail', message: problemOf(error) }
    }
  }
}

/** Read anew each time: who changes a secret changes its file only. */
async function filesOf({ headers, headerFiles, caFile }: Http): Promise<Files> {
  const secrets: Record<string, string> = {}
  for (const [header, file] of Object.entries(headerFiles))
    secrets[header] = (await readFile(file, 'utf8')).trim()
  const ca = caFile === undefined ? undefined : await readFile(caFile, 'utf8')
  return { headers: { 'user-agent': 'noctule', ...headers, ...secrets }, ca }
}

interface Answer {
  readonly status: number
  readonly body: Buffer
  /** False: there is more than was read. */
  readonly whole: boolean
}

async function ask(
  { url, method }: Http,
  { headers, ca }: Files,
  { lookup, signal }: { lookup: LookupFunction; signal: AbortSignal },
): Promise<Answer> {
  const options: RequestOptions = { method, headers, lookup, signal, agent: false }
  const request = url.startsWith('https:')
    ? requestTls(url, ca === undefined ? options : { ...options, ca })
    : requestPlain(url, options)
  request.on('error', () => undefined) // One may come when nobody waits any more.
  try {
    request.end()
    const [response] = (await once(request, 'response', { signal })) as [IncomingMessage]
    return { status: response.statusCode ?? 0, ...(await bodyOf(response)) }
  } finally {
    request.destroy()
  }
}

async function bodyOf(response: IncomingMessage): Promise<Pick<Answer, 'body' | 'whole'>> {
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of response as AsyncIterable<Buffer>) {
    const part = chunk.subarray(0, BODY_BYTES_MAX - bytes)
    chunks.push(part)
    bytes += part.length
    if (part.length < chunk.length) return { body: Buffer.concat(chunks), whole: false }
  }
  return { body: Buffer.concat(chunks), whole: true }
}

/** Says nothing of what the other side sent: it may repeat a secret that was sent to it. */
function judge(
  { status: expected, contains, slowerThan }: Http,
  { status, body, whole, tookMs }: Answer & { tookMs: number },
): Outcome {
  const message = `HTTP ${status} after ${Math.round(tookMs)} ms`
  const isExpected = expected === undefined ? status >= 200 && status < 400 : expected.includes(status)
  if (!isExpected) return { state: 'fail', message }
  if (contains !== undefined && !body.includes(contains)) {
    const where = whole ? 'its body' : `the first ${BODY_BYTES_MAX} bytes of its body`
    return { state: 'fail', message: `${message}, but ${where} does not contain the expected text` }
  }
  if (slowerThan !== undefined && tookMs > durationMs(slowerThan))
    return { state: 'warn', message: `${message}, slower than ${slowerThan}` }
  return { state: 'ok', message }
}
