import { z } from 'zod'
import { referencePage } from '../reference.ts'
import type { App } from '../schema.ts'
import type { Services } from '../services.ts'

/** What the node says about itself. */
export function selfRoutes(app: App, { metrics }: Services): void {
  const openapi = {
    summary: 'This API as an OpenAPI 3.1 document.',
    response: { 200: z.looseObject({ openapi: z.string(), paths: z.record(z.string(), z.unknown()) }) },
  }
  app.get('/openapi.json', { schema: openapi, config: { role: 'dashboard' } }, async () => app.openApi())

  const reference = { summary: 'This API as a page.', response: { 200: z.string() } }
  app.get(
    '/reference',
    { schema: reference, config: { role: 'dashboard', produces: ['text/html'] } },
    async (_request, reply) => reply.type('text/html; charset=utf-8').send(referencePage(app.openApi())),
  )

  const text = { summary: "The node's own numbers, as Prometheus text.", response: { 200: z.string() } }
  app.get(
    '/metrics',
    { schema: text, config: { role: 'dashboard', produces: ['text/plain'] } },
    async (_request, reply) =>
      reply.type('text/plain; version=0.0.4; charset=utf-8').send(await metrics.text()),
  )
}
