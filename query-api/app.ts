import fastifyCookie from '@fastify/cookie'
import Fastify from 'fastify'
import type { FastifyReply, FastifyRequest, RouteOptions } from 'fastify'
import type { z } from 'zod'
import { ServiceError } from '../core/errors.ts'
import type { Logger, Metrics } from '../core/ports.ts'
import { createGuard } from './access/guard.ts'
import type { Guard } from './access/guard.ts'
import { openApiDocument } from './openapi.ts'
import type { OpenApiDocument, RouteFacts } from './openapi.ts'
import { problemOf, retryAfterSeconds } from './problem.ts'
import { createQueries } from './queries.ts'
import { boardRoutes } from './routes/boards.ts'
import { completeRoutes } from './routes/complete.ts'
import { contextRoutes } from './routes/context.ts'
import { deliveryRoutes } from './routes/deliveries.ts'
import { dockerflowRoutes } from './routes/dockerflow.ts'
import { explainRoutes } from './routes/explain.ts'
import { exportRoutes } from './routes/export.ts'
import { fieldRoutes } from './routes/fields.ts'
import { histogramRoutes } from './routes/histogram.ts'
import { hostRoutes } from './routes/hosts.ts'
import { importRoutes } from './routes/import.ts'
import { ledgerRoutes } from './routes/ledger.ts'
import { metricRoutes } from './routes/metrics.ts'
import { patternRoutes } from './routes/patterns.ts'
import { quarantineRoutes } from './routes/quarantine.ts'
import { queryRoutes } from './routes/queries.ts'
import { searchRoutes } from './routes/search.ts'
import { selfRoutes } from './routes/self.ts'
import { sessionRoutes } from './routes/session.ts'
import { staticRoutes } from './routes/static.ts'
import { storeRoutes } from './routes/store.ts'
import { tailRoutes } from './routes/tail.ts'
import { topRoutes } from './routes/top.ts'
import { serializerCompiler, validatorCompiler } from './schema.ts'
import type { App, ZodTypeProvider } from './schema.ts'
import type { Services } from './services.ts'

/** A JSON body of ours is a mark or a sign-in: small. */
const JSON_BYTES_MAX = 1 << 20
const PROBLEM = 'application/problem+json'
/** The app runs no inline script, and nobody may frame it. */
const SECURITY_HEADERS = {
  'content-security-policy':
    "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'cache-control': 'no-store',
}

declare module 'fastify' {
  interface FastifyInstance {
    /** Tells load balancers to go elsewhere: /__lbheartbeat__ answers 503 from now on; everything else goes on until `close()`. */
    drain(): void
    /** Every route with its role and schemas. */
    readonly routeFacts: readonly RouteFacts[]
    openApi(): OpenApiDocument
  }
}

/** Builds the HTTP server of a node over its services. Who builds it listens and closes. */
export async function buildApp(services: Services): Promise<App> {
  const app: App = Fastify({
    exposeHeadRoutes: false,
    bodyLimit: JSON_BYTES_MAX,
    return503OnClosing: false, // Our own hook says it as a problem.
    frameworkErrors: (error, request, reply) => void answerFailure(services.log, error, request, reply),
  }).withTypeProvider<ZodTypeProvider>()
  const stopping = new AbortController()
  const facts: RouteFacts[] = []
  let draining = false

  app.decorate('drain', () => void (draining = true))
  app.decorate('routeFacts', facts)
  app.decorate('openApi', () => openApiDocument(facts, services.version.version))
  app.decorateRequest('principal', null)
  app.setValidatorCompiler(validatorCompiler)
  app.setSerializerCompiler(serializerCompiler)
  app.setErrorHandler((error, request, reply) => answerFailure(services.log, error, request, reply))
  app.setNotFoundHandler(({ method, url }) => {
    throw new ServiceError('NOT_FOUND', 'there is no such route', { method, path: url.split('?')[0] ?? '' })
  })
  app.addHook('onRoute', (route) => void facts.push(factsOf(route)))
  app.addHook('preClose', async () => {
    draining = true
    stopping.abort(new ServiceError('SHUTTING_DOWN', 'the program is stopping'))
  })
  await app.register(fastifyCookie)
  const guard = addGates(app, services, stopping.signal)
  countRequests(app, services.metrics)
  await addRoutes(app, services, { guard, stopping: stopping.signal, isDraining: () => draining })
  return app
}

/** What every request passes first: the stop, the headers of every answer, and the guard. */
function addGates(app: App, { access, clock, log, metrics }: Services, stopping: AbortSignal): Guard {
  const refused = metrics.counter(
    'noctule_credentials_refused_total',
    'Requests with a credential that nobody has.',
  )
  const guard = createGuard({ access, clock, log, countRefused: () => refused.add(1) })
  app.addHook('onRequest', async (request, reply) => {
    reply.headers(SECURITY_HEADERS)
    stopping.throwIfAborted()
    guard.check(request)
  })
  app.addHook('onSend', async (_request, reply) => {
    // An idle connection would hold up the stop.
    if (stopping.aborted) reply.header('connection', 'close')
  })
  return guard
}

function countRequests(app: App, metrics: Metrics): void {
  const requests = metrics.counter('noctule_http_requests_total', 'Requests that were answered.', [
    'method',
    'route',
    'status',
  ])
  const seconds = metrics.histogram(
    'noctule_http_request_seconds',
    'From a request to the end of its answer.',
    ['route'],
  )
  app.addHook('onResponse', async (request, reply) => {
    // The route as declared, never the path as asked: labels stay bounded.
    const route = request.routeOptions.url ?? 'none'
    requests.add(1, { method: request.method, route, status: String(reply.statusCode) })
    seconds.observe(reply.elapsedTime / 1_000, { route })
  })
}

interface Running {
  readonly guard: Guard
  readonly stopping: AbortSignal
  readonly isDraining: () => boolean
}

async function addRoutes(
  app: App,
  services: Services,
  { guard, stopping, isDraining }: Running,
): Promise<void> {
  const { answers, intake, recordImport, site } = services
  if (answers) answerRoutes(app, services, stopping)
  ledgerRoutes(app, services)
  hostRoutes(app, services)
  storeRoutes(app, services)
  quarantineRoutes(app, services)
  sessionRoutes(app, services, guard)
  dockerflowRoutes(app, services, isDraining)
  selfRoutes(app, services)
  // These two read other bodies than JSON: each has its parsers to itself.
  if (recordImport !== null) await app.register(async (scope: App) => importRoutes(scope, recordImport, site))
  if (intake !== null) await app.register(async (scope: App) => deliveryRoutes(scope, intake, services))
  if (answers) await staticRoutes(app, services.dashboardsDir)
}

/** Everything that asks a store, under the same bounds. */
function answerRoutes(app: App, services: Services, stopping: AbortSignal): void {
  const queries = createQueries(services)
  searchRoutes(app, services, queries)
  contextRoutes(app, services, queries)
  histogramRoutes(app, services, queries)
  topRoutes(app, services, queries)
  fieldRoutes(app, services, queries)
  patternRoutes(app, services, queries)
  explainRoutes(app, services, queries)
  completeRoutes(app)
  exportRoutes(app, services, { queries, stopping })
  tailRoutes(app, services, { queries, stopping })
  metricRoutes(app, services, queries)
  boardRoutes(app, services)
  queryRoutes(app, queries)
}

/** Answers every failure as a problem. */
function answerFailure(
  log: Logger,
  error: unknown,
  request: FastifyRequest,
  reply: FastifyReply,
): FastifyReply {
  const problem = problemOf(log, error, { method: request.method, route: request.routeOptions.url })
  const retryAfter = retryAfterSeconds(problem)
  if (retryAfter !== undefined) reply.header('retry-after', retryAfter)
  if (problem.status === 401) reply.header('www-authenticate', 'Bearer')
  // Written here, so that no schema of the route's own answers is asked to.
  return reply.code(problem.status).type(PROBLEM).send(JSON.stringify(problem))
}

function factsOf({ method, url, schema = {}, config }: RouteOptions): RouteFacts {
  return {
    method: String(method),
    url,
    role: config?.role,
    summary: schema.summary ?? '',
    description: schema.description,
    produces: config?.produces,
    consumes: config?.consumes,
    params: schema.params as z.ZodType | undefined,
    query: schema.querystring as z.ZodType | undefined,
    body: schema.body as z.ZodType | undefined,
    responses: (schema.response ?? {}) as Readonly<Record<string, z.ZodType>>,
  }
}
