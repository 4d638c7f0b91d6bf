import type { FastifyRequest } from 'fastify'
import { z } from 'zod'
import { ServiceError } from '../../core/errors.ts'
import { HEALTH_BYTES_MAX, healthReportSchema } from '../../core/health.ts'
import type { Intake, Origin } from '../../core/ports.ts'
import { FRAME_BYTES_MAX, markSchema } from '../../core/wire.ts'
import { clientSignal } from '../client.ts'
import type { App } from '../schema.ts'
import type { Services } from '../services.ts'

const OCTETS = 'application/octet-stream'
/** Frames that are being received or stored at once, in bytes: what a wave of collectors may cost in memory. */
const BYTES_IN_FLIGHT_MAX = 64 << 20
/** A frame that takes longer comes over a link that is dead; its collector sends it again. */
const RECEIVE_MS_MAX = 30_000

/** Where collectors deliver. */
export function deliveryRoutes(
  app: App,
  intake: Intake,
  { site, clock }: Pick<Services, 'site' | 'clock'>,
): void {
  let bytesInFlight = 0
  app.addContentTypeParser(
    OCTETS,
    { parseAs: 'buffer', bodyLimit: FRAME_BYTES_MAX },
    (_request, body, done) => done(null, body),
  )

  const batches = {
    summary: 'Deliver one batch.',
    description: 'Answered once the batch is durable. The same batch again is a `duplicate`, and kept once.',
    body: z.instanceof(Buffer).describe('One frame of the wire format.'),
    response: { 200: z.object({ status: z.enum(['stored', 'duplicate']) }) },
  }
  app.post(
    '/v1/batches',
    {
      schema: batches,
      bodyLimit: FRAME_BYTES_MAX,
      config: { role: 'collector', consumes: OCTETS },
      preParsing: (request, reply, _payload, done) => {
        const bytes = Math.min(Number(request.headers['content-length'] ?? FRAME_BYTES_MAX), FRAME_BYTES_MAX)
        if (bytesInFlight + bytes > BYTES_IN_FLIGHT_MAX) {
          done(new ServiceError('OVERLOADED', 'too many batches are being received', { bytesInFlight }))
          return
        }
        bytesInFlight += bytes
        const giveUp = clock.after(RECEIVE_MS_MAX, () => {
          if (!request.raw.complete) request.raw.destroy()
        })
        reply.raw.once('close', () => {
          giveUp()
          bytesInFlight -= bytes
        })
        done()
      },
    },
    async (request, reply) => ({
      status: await intake.batch(request.body, originOf(request, site), clientSignal(reply.raw)),
    }),
  )

  const marks = { summary: "Deliver a collector's mark.", body: markSchema, response: { 204: z.void() } }
  app.post('/v1/marks', { schema: marks, config: { role: 'collector' } }, async (request, reply) => {
    await intake.mark(request.body, originOf(request, site))
    return reply.code(204).send()
  })

  const health = {
    summary: 'Say how a host is.',
    description: 'Once a second; the newest report of a host counts. Taken note of at once, and not kept.',
    body: healthReportSchema,
    response: { 204: z.void() },
  }
  app.post(
    '/v1/health',
    { schema: health, bodyLimit: HEALTH_BYTES_MAX, config: { role: 'collector' } },
    async (request, reply) => {
      intake.health(request.body, originOf(request, site))
      return reply.code(204).send()
    },
  )
}

/** The site is the credential's, never the batch's. */
export function originOf({ principal }: Pick<FastifyRequest, 'principal'>, site: string): Origin {
  return { site: principal?.site ?? site, sender: principal?.name ?? '' }
}
