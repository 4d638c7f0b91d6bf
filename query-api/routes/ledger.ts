import { z } from 'zod'
import { publicCompleteness } from '../../core/answer.ts'
import type { CollectorLedger } from '../../core/ledger/types.ts'
import { MATCH_ALL } from '../../core/query/plan.ts'
import { completenessSchema } from '../answers.ts'
import { judging } from '../queries.ts'
import { RECENT_MS, iso } from '../questions.ts'
import type { App } from '../schema.ts'
import type { Services } from '../services.ts'

const time = z.iso.datetime().nullable()
const collectorSchema = z.object({
  site: z.string(),
  collector: z.string(),
  host: z.string(),
  kind: z.enum(['lines', 'records']).describe('`records`: an importer, which sends no marks.'),
  watermark: time.describe('Everything written up to here is stored and searchable, outside the known gaps.'),
  markAt: time.describe('Arrival of its last mark; null: it never sent one.'),
  skewMs: z.number().describe('Its clock minus ours.'),
  leftAt: time.describe('When it said goodbye or was retired; it is no longer expected.'),
  clonedAt: time.describe('When two of its id were seen to live at once.'),
  epochs: z.number().int(),
  lastSeq: z.number().int().describe('Highest number of its live epoch that it told of.'),
  pendingRecords: z.number().int().describe('Records that wait in its spool.'),
})

/** What the completeness ledger knows. */
export function ledgerRoutes(app: App, services: Services): void {
  const { completeness, clock } = services
  const sites = {
    summary: 'How complete each site is for the last 15 minutes.',
    response: { 200: z.object({ sites: z.record(z.string(), completenessSchema) }) },
  }
  app.get('/v1/sites', { schema: sites, config: { role: 'dashboard' } }, async () => {
    const nowMs = clock.nowMs()
    const range = { fromMs: nowMs - RECENT_MS, toMs: nowMs }
    const judged = await judging(services, { plan: MATCH_ALL, range })()
    return { sites: Object.fromEntries([...judged].map(([site, of]) => [site, publicCompleteness(of)])) }
  })

  const collectors = {
    summary: 'Every collector that was seen.',
    response: { 200: z.object({ collectors: z.array(collectorSchema) }) },
  }
  app.get('/v1/collectors', { schema: collectors, config: { role: 'dashboard' } }, async () => ({
    collectors: completeness.collectors().map(publicCollector),
  }))

  const retire = {
    summary: 'Stop expecting a collector.',
    params: z.strictObject({ collector: z.string().min(1) }),
    response: { 204: z.void() },
  }
  app.post(
    '/v1/collectors/:collector/retire',
    { schema: retire, config: { role: 'admin' } },
    async (request, reply) => {
      await completeness.retire(request.params.collector)
      return reply.code(204).send()
    },
  )
}

function publicCollector(ledger: CollectorLedger): z.infer<typeof collectorSchema> {
  const live = ledger.epochs.find(({ epoch }) => epoch === ledger.liveEpoch)
  const pending = ledger.epochs.flatMap((epoch) => epoch.pending)
  return {
    site: ledger.site,
    collector: ledger.collector,
    host: ledger.host,
    kind: ledger.kind,
    watermark: isoOrNull(ledger.watermarkMs),
    markAt: isoOrNull(ledger.markAtMs),
    skewMs: ledger.skewMs,
    leftAt: isoOrNull(ledger.leftAtMs),
    clonedAt: isoOrNull(ledger.clonedAtMs),
    epochs: ledger.epochs.length,
    lastSeq: live?.lastSeq ?? 0,
    pendingRecords: pending.reduce((sum, range) => sum + range.records, 0),
  }
}

const isoOrNull = (ms: number | null) => (ms === null ? null : iso(ms))
