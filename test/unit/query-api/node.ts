import { createHash, randomBytes } from 'node:crypto'
import { onTestFinished } from 'vitest'
import { createMemoryMetricStore } from '../../../adapters/metric-store-memory.ts'
import { createPrometheusMetrics } from '../../../adapters/metrics-prometheus.ts'
import { createMemoryStore } from '../../../adapters/store-memory.ts'
import { ROLES, metricRetentionOf, parseConfig } from '../../../core/config.ts'
import type { Config, Role } from '../../../core/config.ts'
import { batchIdPrefix, eventId, streamId } from '../../../core/event-id.ts'
import type { SiteCompleteness } from '../../../core/ledger/types.ts'
import type { MetricPoint, Series } from '../../../core/metrics/types.ts'
import type { Clock, Completeness, Logger, MetricStore, Store } from '../../../core/ports.ts'
import type { LogRecord } from '../../../core/record.ts'
import { createAccess } from '../../../query-api/access/access.ts'
import { buildApp } from '../../../query-api/app.ts'
import type { Services } from '../../../query-api/services.ts'
import { createFakeClock } from '../../support/fake-clock.ts'
import { EMPTY_RECORD } from '../../support/records.ts'

/** When the tests take place. */
export const NOW_MS = Date.UTC(2026, 10, 21, 12)
export const SITE = 'eu-1'
export const COVERED: SiteCompleteness = { complete: true, completeToMs: NOW_MS, gaps: [], gapsTotal: 0 }

export const tokenOf = (role: Role) => `${role}-token`
export const bearer = (role: Role) => ({ authorization: `Bearer ${tokenOf(role)}` })

/** A node's API over the memory store and scripted neighbours; `changes` replaces any of them. */
export async function createNode(changes: Partial<Services> = {}, query: Partial<Config['query']> = {}) {
  const config = parseConfig(null, {})
  const clock: Clock = changes.clock ?? createFakeClock({ nowMs: NOW_MS })
  const logged: { level: string; fields: object; message: string }[] = []
  const access = createAccess({
    tokens: ROLES.map((role) => ({ name: `${role}-name`, role, sha256: sha256(tokenOf(role)) })),
    adminToken: 'the-admin-token',
    clock,
    randomBytes,
  })
  const services: Services = {
    config: { ...config, query: { ...config.query, ...query } },
    site: SITE,
    holds: [SITE],
    store: createMemoryStore(),
    metricStore: createMemoryMetricStore({ retention: metricRetentionOf(config), clock }),
    health: { hosts: () => [] },
    completeness: createCompleteness(),
    intake: { batch: async () => 'stored', mark: async () => {}, health: () => {} },
    answers: true,
    checks: () => [],
    recordImport: { import: async () => ({ imported: 0, refusedTotal: 0, refused: [] }) },
    quarantine: {
      put: async () => {},
      list: async () => ({ total: 0, entries: [] }),
      replay: async () => ({ stored: 0, refused: 0 }),
    },
    metrics: createPrometheusMetrics(),
    log: createLog(logged),
    clock,
    access,
    version: { source: 'https://example.org/noctule', version: '1.2.3', commit: 'c0ffee', build: '7' },
    dashboardsDir: '/nowhere',
    ...changes,
  }
  const app = await buildApp(services)
  onTestFinished(() => app.close())
  return { app, logged, ...services }
}

/** A route with the parameters that it cannot do without. */
export function askable(url: string, id = 'e1'): string {
  const needed: Readonly<Record<string, string>> = {
    '/v1/top': '?field=host',
    '/v1/context': `?id=${id}`,
    '/v1/metrics/query': '?name=shop.orders',
    '/v1/metrics/tags': '?name=shop.orders',
  }
  return url + (needed[url] ?? '')
}

export function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex')
}

export function createCompleteness(judged: SiteCompleteness = COVERED): Completeness {
  return { judge: () => judged, collectors: () => [], retire: async () => {} }
}

function createLog(logged: { level: string; fields: object; message: string }[]): Logger {
  const at = (level: string) => (fields: object, message: string) =>
    void logged.push({ level, fields, message })
  const log: Logger = {
    debug: at('debug'),
    info: at('info'),
    warn: at('warn'),
    error: at('error'),
    child: () => log,
  }
  return log
}

let batches = 0

/** Stores one batch with these records, `stepMs` apart, the last one a step before NOW_MS; returns them as stored. */
export async function fill(
  store: Store,
  records: readonly Partial<LogRecord>[],
  stepMs = 1_000,
): Promise<readonly LogRecord[]> {
  batches += 1
  const seq = batches
  const facts = {
    site: SITE,
    collector: 'c1',
    epoch: '0'.repeat(32),
    seq,
    kind: 'lines' as const,
    host: 'web-1',
    digest: sha256(`batch ${seq}`),
    fromMs: NOW_MS - records.length * stepMs,
    toMs: NOW_MS,
    records: records.length,
    drops: [],
    tombstones: [],
  }
  const stored = records.map((record, index) => ({
    ...emptyRecord(eventId(batchIdPrefix(streamId(facts), seq), index)),
    timeMs: NOW_MS - (records.length - index) * stepMs,
    ...record,
  }))
  await store.append({ facts, records: stored }, new AbortController().signal)
  return stored
}

function emptyRecord(id: string): LogRecord {
  return {
    ...EMPTY_RECORD,
    id,
    timeMs: NOW_MS,
    ingestedMs: NOW_MS,
    message: `message ${id}`,
    level: 'info',
    service: 'api',
    host: 'web-1',
    site: SITE,
  }
}

/** Of a point, what a test wants to be different: by default a counter that went up by one a second before NOW_MS. */
export function metricPoint(
  name: string,
  { kind = 'counter', tags = {}, ...values }: Partial<MetricPoint & Series> = {},
): MetricPoint {
  const point = {
    startMs: NOW_MS - 10_000,
    stepMs: 10_000,
    count: 1,
    sum: 1,
    min: 1,
    max: 1,
    last: 1,
    sketch: null,
  }
  return { series: { name, kind, tags: { host: 'web-1', site: SITE, ...tags } }, ...point, ...values }
}

/** Stores one batch with these points. */
export async function fillMetrics(store: MetricStore, points: readonly MetricPoint[]): Promise<void> {
  batches += 1
  const key = { site: SITE, collector: 'c1', epoch: '0'.repeat(32), seq: batches }
  await store.append({ key, points }, new AbortController().signal)
}

/** Waits for what another part does by itself; fails after 15 seconds. */
export async function until(holds: () => boolean): Promise<void> {
  const deadlineMs = performance.now() + 15_000
  while (!holds()) {
    if (performance.now() > deadlineMs) throw new Error('it never came to hold')
    await new Promise((resolve) => setImmediate(resolve))
  }
}
