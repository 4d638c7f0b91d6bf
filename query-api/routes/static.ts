import { existsSync } from 'node:fs'
import { join } from 'node:path'
import fastifyStatic from '@fastify/static'
import type { FastifyReply } from 'fastify'
import { z } from 'zod'
import { htmlPage } from '../html.ts'
import type { App } from '../schema.ts'

const YEAR_MS = 365 * 24 * 3_600_000
const HTML = 'text/html; charset=utf-8'
/** Addresses that the web app itself understands. */
const PAGES = ['/', '/charts', '/hosts', '/collectors', '/boards'] as const

/** The web app: one page, and assets whose names change with their content. */
export async function staticRoutes(app: App, dashboardsDir: string): Promise<void> {
  const page = { summary: 'The dashboards.', response: { 200: z.string() } }
  const asset = { ...page, summary: 'A file of the dashboards.', params: z.strictObject({ '*': z.string() }) }
  const pageConfig = { role: 'public', produces: ['text/html'] } as const

  const board = { ...page, params: z.strictObject({ name: z.string() }) }

  function addPages(send: (reply: FastifyReply) => FastifyReply) {
    for (const path of PAGES)
      app.get(path, { schema: page, config: pageConfig }, async (_request, reply) => send(reply))
    app.get('/boards/:name', { schema: board, config: pageConfig }, async (_request, reply) => send(reply))
  }

  if (!existsSync(join(dashboardsDir, 'index.html'))) {
    const missing = htmlPage('Noctule', '<p>The dashboards are not built. Run <code>npm install</code>.</p>')
    addPages((reply) => reply.type(HTML).send(missing))
    return
  }
  await app.register(fastifyStatic, { root: dashboardsDir, serve: false })
  addPages((reply) =>
    reply.header('cache-control', 'no-cache').sendFile('index.html', { cacheControl: false }),
  )
  app.get(
    '/assets/*',
    { schema: asset, config: { role: 'public', produces: ['application/octet-stream'] } },
    async (request, reply) =>
      reply.sendFile(`assets/${request.params['*']}`, { maxAge: YEAR_MS, immutable: true }),
  )
}
