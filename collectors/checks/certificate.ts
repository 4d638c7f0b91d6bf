import { X509Certificate } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { isIP, type LookupFunction } from 'node:net'
import { connect } from 'node:tls'
import type { Clock } from '../../core/ports.ts'
import { withSocket } from './connection.ts'
import { problemOf, unknown, type CheckOf, type Outcome, type Probe } from './probe.ts'

const DAY_MS = 86_400_000

type Certificate = CheckOf<'certificate'>

/**
 * How long the certificate of a host, or the first one of a PEM file, is still valid. Whether the system's authorities vouch for it is
 * said, but does not count: a service that is signed by an own authority is checked by `http` with `caFile`.
 */
export function certificateProbe(
  config: Certificate,
  { clock, lookup }: { clock: Clock; lookup: LookupFunction },
): Probe {
  const { host, file } = config
  return async (signal) => {
    if (file !== undefined) return await ofFile(file, config, clock)
    if (host === undefined) return unknown('neither host nor file')
    return await ofHost(host, config, { clock, lookup, signal })
  }
}

async function ofFile(file: string, config: Certificate, clock: Clock): Promise<Outcome> {
  try {
    const certificate = new X509Certificate(await readFile(file))
    return judge(certificate, config, { nowMs: clock.nowMs(), remark: '' })
  } catch (error) {
    return unknown(problemOf(error))
  }
}

async function ofHost(
  host: string,
  config: Certificate,
  { clock, lookup, signal }: { clock: Clock; lookup: LookupFunction; signal: AbortSignal },
): Promise<Outcome> {
  const { port, servername = isIP(host) === 0 ? host : undefined } = config
  const name = servername === undefined ? {} : { servername }
  try {
    const socket = connect({ host, port, lookup, rejectUnauthorized: false, ...name })
    return await withSocket(socket, { event: 'secureConnect', signal }, () => {
      const certificate = socket.getPeerX509Certificate()
      if (certificate === undefined) return { state: 'fail', message: 'it shows no certificate' }
      const remark = socket.authorized ? '' : `; not trusted: ${String(socket.authorizationError)}`
      return judge(certificate, config, { nowMs: clock.nowMs(), remark })
    })
  } catch (error) {
    return { state: 'fail', message: problemOf(error) }
  }
}

function judge(
  { validFrom, validTo }: X509Certificate,
  { warnDays, failDays }: Certificate,
  { nowMs, remark }: { nowMs: number; remark: string },
): Outcome {
  const fromMs = Date.parse(validFrom)
  const toMs = Date.parse(validTo)
  if (!Number.isFinite(fromMs) || !Number.isFinite(toMs)) return unknown('the certificate has no dates')
  const days = (toMs - nowMs) / DAY_MS
  const value = Math.round(days * 10) / 10
  const until = new Date(toMs).toISOString().slice(0, 10)
  if (fromMs > nowMs) {
    const message = `valid only from ${new Date(fromMs).toISOString()}${remark}`
    return { state: 'fail', message, value }
  }
  if (days < 0) return { state: 'fail', message: `expired on ${until}${remark}`, value }
  const warnOrOk = days < warnDays ? 'warn' : 'ok'
  const state = days < failDays ? 'fail' : warnOrOk
  return { state, message: `valid until ${until}, ${Math.floor(days)} days left${remark}`, value }
}
