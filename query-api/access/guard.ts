import type { FastifyRequest } from 'fastify'
import { ServiceError } from '../../core/errors.ts'
import type { Clock, Logger } from '../../core/ports.ts'
import type { Access, Principal } from './access.ts'
import { createFailureLimit } from './failures.ts'
import { permits } from './roles.ts'

/** Name of the session cookie. */
export const SESSION_COOKIE = 'noctule_session'

interface GuardOptions {
  readonly access: Access
  readonly clock: Clock
  readonly log: Logger
  readonly countRefused: () => void
}

export interface Guard {
  /** Before every request: lets it pass, as whom `request.principal` says, or throws UNAUTHENTICATED, DENIED or OVERLOADED. */
  check(request: FastifyRequest): void
  /** What to throw for a credential that nobody has: OVERLOADED when the address tried too often. */
  refused(request: FastifyRequest): ServiceError
}

export function createGuard({ access, clock, log, countRefused }: GuardOptions): Guard {
  const failures = createFailureLimit(clock)

  function refused(request: FastifyRequest): ServiceError {
    countRefused()
    const retryAfterMs = failures.note(request.ip)
    if (retryAfterMs > 0) {
      return new ServiceError('OVERLOADED', 'too many refused credentials from this address', {
        retryAfterMs,
      })
    }
    log.warn({ address: request.ip, route: request.routeOptions.url }, 'credential refused')
    return new ServiceError('UNAUTHENTICATED', 'the credential is unknown or has expired')
  }

  function identify(request: FastifyRequest): Principal {
    const { authorization } = request.headers
    if (authorization !== undefined) {
      const token = /^Bearer +(\S+)$/i.exec(authorization)?.[1]
      const principal = token === undefined ? undefined : access.verifyToken(token)
      if (principal === undefined) throw refused(request)
      return principal
    }
    const cookie = request.cookies[SESSION_COOKIE]
    if (cookie === undefined) throw new ServiceError('UNAUTHENTICATED', 'this needs a token or a session')
    const principal = access.verifySession(cookie)
    if (principal === undefined) throw refused(request)
    if (request.method !== 'GET' && request.method !== 'HEAD' && originOf(request) !== 'same') {
      throw new ServiceError('DENIED', 'a change with a session cookie must come from this site itself')
    }
    return principal
  }

  return {
    refused,
    check(request) {
      const needed = request.routeOptions.config.role
      if (request.is404 || needed === 'public') return
      if (needed === undefined) throw new ServiceError('DENIED', 'this route is open to nobody')
      const principal = identify(request)
      if (!permits(principal.role, needed)) {
        throw new ServiceError('DENIED', `this needs the role ${needed}`, { needed, role: principal.role })
      }
      request.principal = principal
    },
  }
}

/** Whether a page of ours sent the request, as the browser says: no script can change these headers. */
export function originOf({ headers }: Pick<FastifyRequest, 'headers'>): 'same' | 'other' | 'unknown' {
  const fetchSite = headers['sec-fetch-site']
  if (fetchSite !== undefined) return fetchSite === 'same-origin' ? 'same' : 'other'
  if (headers.origin === undefined) return 'unknown'
  return URL.parse(headers.origin)?.host === headers.host ? 'same' : 'other'
}
