import { z } from 'zod'
import { ROLES } from '../../core/config.ts'
import { ServiceError } from '../../core/errors.ts'
import { SESSION_MS } from '../access/access.ts'
import type { Principal } from '../access/access.ts'
import { SESSION_COOKIE, originOf } from '../access/guard.ts'
import type { Guard } from '../access/guard.ts'
import type { App } from '../schema.ts'
import type { Services } from '../services.ts'

const whoSchema = z.object({ name: z.string(), role: z.enum(ROLES) })

/** Signing a browser in and out. */
export function sessionRoutes(app: App, { access }: Services, guard: Guard): void {
  const signIn = {
    summary: 'Sign a browser in.',
    body: z.strictObject({
      code: z.string().min(1).max(1024).describe('A one-time code, or the token of a person.'),
    }),
    response: { 200: whoSchema },
  }
  app.post('/v1/session', { schema: signIn, config: { role: 'public' } }, async (request, reply) => {
    if (originOf(request) === 'other') throw new ServiceError('DENIED', 'sign in from a page of this site')
    const signedIn = access.signIn(request.body.code)
    if (signedIn === undefined) throw guard.refused(request)
    reply.setCookie(SESSION_COOKIE, signedIn.cookie, {
      path: '/',
      httpOnly: true,
      sameSite: 'strict',
      maxAge: SESSION_MS / 1_000,
      // TLS ends at a proxy in front of us; a client that lies about it only changes its own cookie.
      secure: request.headers['x-forwarded-proto'] === 'https',
    })
    return who(signedIn.principal)
  })

  const show = { summary: 'Who is asking.', response: { 200: whoSchema } }
  app.get('/v1/session', { schema: show, config: { role: 'dashboard' } }, async ({ principal }) => {
    if (principal === null) throw new ServiceError('UNAUTHENTICATED', 'this needs a token or a session')
    return who(principal)
  })

  const signOut = { summary: 'Sign the browser out.', response: { 204: z.void() } }
  app.delete('/v1/session', { schema: signOut, config: { role: 'dashboard' } }, async (request, reply) => {
    const cookie = request.cookies[SESSION_COOKIE]
    if (cookie !== undefined) access.signOut(cookie)
    return reply.clearCookie(SESSION_COOKIE, { path: '/' }).code(204).send()
  })
}

const who = ({ name, role }: Principal) => ({ name, role })
