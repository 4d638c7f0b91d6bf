import { z } from 'zod'
import { orAborted } from '../../core/abort.ts'
import { ServiceError, asServiceError } from '../../core/errors.ts'
import { beforeDeadline } from '../client.ts'
import { RECENT_MS } from '../questions.ts'
import type { App } from '../schema.ts'
import type { Check, Services } from '../services.ts'

/** Shorter than what monitors wait. */
const CHECK_MS_MAX = 2_000

const heartbeatSchema = z.object({
  status: z.enum(['ok', 'error']),
  checks: z.record(z.string(), z.enum(['ok', 'error'])),
  details: z.record(z.string(), z.string()),
})

/** The three routes by which load balancers and monitors know a service: github.com/mozilla-services/Dockerflow. */
export function dockerflowRoutes(app: App, services: Services, isDraining: () => boolean): void {
  const { version } = services
  const versionRoute = {
    summary: 'What build this is.',
    response: {
      200: z.object({ source: z.string(), version: z.string(), commit: z.string(), build: z.string() }),
    },
  }
  app.get('/__version__', { schema: versionRoute, config: { role: 'public' } }, async () => version)

  const lbheartbeat = {
    summary: 'Whether to send traffic here: 503 before it stops.',
    response: { 200: z.object({ status: z.literal('ok') }) },
  }
  app.get('/__lbheartbeat__', { schema: lbheartbeat, config: { role: 'public' } }, async () => {
    if (isDraining()) throw new ServiceError('SHUTTING_DOWN', 'the program is stopping')
    return { status: 'ok' as const }
  })

  const heartbeat = {
    summary: 'Whether the parts that it stands on work.',
    response: { 200: heartbeatSchema, 500: heartbeatSchema.describe('A check failed.') },
  }
  app.get('/__heartbeat__', { schema: heartbeat, config: { role: 'public' } }, async (_request, reply) => {
    const checks = [await checkStore(services), checkCompleteness(services), ...services.checks()]
    const ok = checks.every((check) => check.ok)
    return reply.code(ok ? 200 : 500).send({
      status: word(ok),
      checks: Object.fromEntries(checks.map((check) => [check.name, word(check.ok)])),
      details: Object.fromEntries(checks.map((check) => [check.name, check.detail])),
    })
  })
}

const word = (ok: boolean) => (ok ? 'ok' : 'error')

async function checkStore({ store, clock, log }: Services): Promise<Check> {
  const name = 'store'
  const signal = new AbortController().signal
  try {
    const stats = await beforeDeadline({ clock, timeoutMs: CHECK_MS_MAX, signal }, (deadline) =>
      orAborted(store.stats(), deadline),
    )
    const { length } = stats.setAside
    return { name, ok: length === 0, detail: `${stats.records} records, ${length} files set aside` }
  } catch (error) {
    log.warn({ error }, 'the store failed its check')
    return { name, ok: false, detail: asServiceError(error)?.message ?? 'it fails; the log says more' }
  }
}

/** That the ledger answers. What it says is data: a silent collector is no reason to restart a node. */
function checkCompleteness({ completeness, clock, holds, log }: Services): Check {
  const name = 'completeness'
  const nowMs = clock.nowMs()
  const range = { fromMs: nowMs - RECENT_MS, toMs: nowMs }
  try {
    const said = holds.map((site) => {
      const { complete, gapsTotal } = completeness.judge(range, site)
      return `${site}: ${complete ? 'complete' : `incomplete, ${gapsTotal} gaps`}`
    })
    return { name, ok: true, detail: said.join('; ') }
  } catch (error) {
    log.warn({ error }, 'the ledger failed its check')
    return { name, ok: false, detail: 'it fails; the log says more' }
  }
}
