import { compileSelection, listTags } from '../core/metrics/discovery.ts'
import { createFold } from '../core/metrics/fold.ts'
import { keptOf } from '../core/metrics/kept.ts'
import { metricOldestMs, portionsOf, resolutionFor } from '../core/metrics/resolutions.ts'
import { createSeriesLimit } from '../core/metrics/series-limit.ts'
import type { MetricPoint, MetricResolution, MetricRetention } from '../core/metrics/types.ts'
import { seriesKey } from '../core/metrics/wire.ts'
import { messageOf } from '../core/errors.ts'
import type { Clock, Logger, MetricStore, TimeRange } from '../core/ports.ts'
import { orAborted } from '../core/abort.ts'
import { documentOf, metricsTemplate, pointIds, pointOf, seriesOf } from './metric-store-elastic/documents.ts'
import { sitePortions } from './metric-store-elastic/portions.ts'
import { readNames, readPoints, readSeries } from './metric-store-elastic/reading.ts'
import { NO_ROLL_UPS, createRollUps } from './metric-store-elastic/roll-ups.ts'
import type { RollUpContent } from './metric-store-elastic/roll-ups.ts'
import { purgeAtMs, slotOfPoint } from './metric-store-elastic/slots.ts'
import { metricStats } from './metric-store-elastic/stats.ts'
import { atMost, connectElastic, once } from './store-elastic.ts'
import type { ElasticOptions } from './store-elastic.ts'
import { askedAgain } from './store-elastic/asked-again.ts'
import { createBulkWriter } from './store-elastic/bulk.ts'
import { createCasDocuments } from './store-elastic/cas-documents.ts'
import type { Elastic } from './store-elastic/elastic.ts'
import { toServiceError } from './store-elastic/failures.ts'
import { createNames, createSlotNames } from './store-elastic/names.ts'
import { makeLedgerIndex, putTemplate } from './store-elastic/prepare.ts'
import { createReadiness } from './store-elastic/readiness.ts'
import { createRefresher } from './store-elastic/refresher.ts'
import { createSlots } from './store-elastic/slots.ts'
import type { Slots } from './store-elastic/slots.ts'

export interface ElasticMetricOptions extends Omit<ElasticOptions, 'retention'> {
  readonly retention: MetricRetention
  /** Of a day, and of what this process appends. */
  readonly seriesMax: number
}

const PURGE_EVERY_MS = 60_000

/**
 * Keeps metrics in Elasticsearch, an index for each site, resolution and slot. Opens while it is down, too: then every call throws
 * STORE_UNAVAILABLE until it is there. Several processes may append to the same prefix.
 */
export async function openElasticMetricStore(options: ElasticMetricOptions): Promise<MetricStore> {
  const log = options.log.child({ store: 'elasticsearch metrics' })
  const { client, elastic, outcome } = connectElastic(options)
  const parts = createParts({ ...options, log }, elastic)
  const readiness = createReadiness({ clock: options.clock, log, outcome, prepare: () => begin(parts) })
  await readiness.begin()
  const close = once(async () => {
    readiness.close()
    parts.stopPurging()
    await atMost(options.clock, parts.rollUps.stop())
    parts.bulk.close()
    parts.cursors.close()
    await client.close()
  })
  return guarded({ ...createStore(parts), close }, () => readiness.assertReady())
}

function createParts(options: ElasticMetricOptions, elastic: Elastic) {
  const { clock, log, prefix, refreshMs, retention, seriesMax } = options
  const names = createSlotNames(`${prefix}-metrics-`)
  const { ledger } = createNames(prefix)
  const prepare = async () => {
    await putTemplate(elastic, `${prefix}-metrics`, metricsTemplate(names.all, options))
    await makeLedgerIndex(elastic, { ledger })
  }
  const common = { elastic, names, clock, log, retention }
  const slots = createSlots({ ...common, policies: { purgeAtMs: (slot) => purgeAtMs(slot, retention) } })
  const cursors = createCasDocuments<RollUpContent>({
    ...common,
    index: ledger,
    ids: ['metric-roll-ups'],
    empty: NO_ROLL_UPS,
    prepare,
  })
  const refresher = createRefresher({ elastic, clock, refreshMs })
  const rollUps = createRollUps({ ...common, slots, cursors, refresher })
  const parts = {
    ...common,
    prepare,
    slots,
    cursors,
    refresher,
    rollUps,
    bulk: createBulkWriter(common),
    limit: createSeriesLimit(seriesMax),
    counts: { refused: 0, expired: 0 },
  }
  return { ...parts, stopPurging: purgeRegularly(parts) }
}

type Parts = ReturnType<typeof createParts>

async function begin({ prepare, slots, cursors }: Parts): Promise<void> {
  await prepare()
  await slots.list()
  await cursors.sync()
}

interface Purging {
  readonly slots: Slots
  readonly clock: Clock
  readonly log: Logger
}

function purgeRegularly(parts: Purging): () => void {
  let cancel = parts.clock.after(PURGE_EVERY_MS, tick)
  function tick(): void {
    cancel = parts.clock.after(PURGE_EVERY_MS, tick)
    purge(parts).catch((error: unknown) =>
      parts.log.warn({ problem: messageOf(error) }, 'purging metrics failed, it is tried again in a minute'),
    )
  }
  return () => cancel()
}

async function purge({ slots, log }: Pick<Purging, 'slots' | 'log'>): Promise<void> {
  await slots.list()
  for (const index of slots.hidden()) {
    await slots.remove(index)
    log.info({ index }, 'purged an index')
  }
}

function createStore(parts: Parts): Omit<MetricStore, 'close'> {
  const { elastic, names, rollUps, retention, clock } = parts
  const oldestOf = (resolution: MetricResolution) => metricOldestMs(resolution, retention, clock.nowMs())
  const oldestOfAll = () => ({ raw: oldestOf('raw'), minute: oldestOf('minute'), hour: oldestOf('hour') })

  async function portions(range: TimeRange, widest: MetricResolution, signal: AbortSignal) {
    signal.throwIfAborted()
    await rollUps.sync()
    const { portions: wanted, oldestMs } = portionsOf(range, widest, oldestOfAll())
    return { portions: sitePortions(wanted, rollUps.content()), oldestMs }
  }

  const running = new Map<string, Promise<unknown>>()

  async function appendOnce(batch: Batch): Promise<'stored' | 'duplicate'> {
    const id = JSON.stringify(batch.key)
    for (let same = running.get(id); same !== undefined; same = running.get(id)) await same.catch(() => {})
    const appending = append(parts, batch, oldestOf('raw'))
    running.set(id, appending)
    return await appending.finally(() => running.delete(id))
  }

  return {
    async append(batch, signal) {
      signal.throwIfAborted()
      return await orAborted(appendOnce(batch), signal)
    },
    query: (query, signal) =>
      askedAgain({ clock, signal }, async () => {
        const fold = createFold(query)
        const resolution = resolutionFor(query.stepMs)
        const { portions: asked, oldestMs } = await portions(query.range, resolution, signal)
        const { kind } = query
        const sketches = kind === undefined || fold.needsSketch(kind)
        const reading = { elastic, indices: names.all, signal }
        await readPoints(reading, { selection: query, portions: asked, sketches }, (document) =>
          fold.series(document.series, () => seriesOf(document))?.add(pointOf(document), true),
        )
        return { ...(await fold.result(signal)), resolution, oldestMs, damaged: [] }
      }),
    names: ({ prefix, range, limit }, signal) =>
      askedAgain({ clock, signal }, async () => {
        const { portions: asked } = await portions(range, 'hour', signal)
        return await readNames({ elastic, indices: names.all, signal }, { prefix, limit }, asked)
      }),
    async tags({ limit, ...selection }, signal) {
      const found = await askedAgain({ clock, signal }, async () => {
        const { portions: asked } = await portions(selection.range, 'hour', signal)
        return await readSeries({ elastic, indices: names.all, signal }, selection, asked)
      })
      return listTags(found.filter(compileSelection(selection)), limit)
    },
    async stats() {
      const { refused, expired } = parts.counts
      return {
        ...(await metricStats({ elastic, names, nowMs: clock.nowMs() })),
        refused,
        expired,
        damaged: [],
      }
    },
    async purge() {
      await rollUps.run()
      await purge(parts)
    },
  }
}

type Batch = Parameters<MetricStore['append']>[0]

/** Durable, searchable and rolled up, as far as its minutes are over. */
async function append(
  parts: Parts,
  { key, points }: Batch,
  oldestMs: number,
): Promise<'stored' | 'duplicate'> {
  const { bulk, names, refresher, rollUps, slots } = parts
  const kept = points.filter((point) => admits(parts, point, oldestMs))
  const places = kept.map(({ startMs }) => slotOfPoint(key.site, 'raw', startMs))
  const indices = places.map((slot) => names.index(slot))
  const slotOf = new Map(indices.map((index, at) => [index, places[at]] as const))
  const ensureAll = () =>
    Promise.all([...slotOf.values()].flatMap((slot) => (slot ? slots.ensure(slot) : [])))
  await ensureAll()
  const idOf = pointIds(key)
  const existing = await bulk.write({
    count: kept.length,
    lines(at) {
      const point = kept[at]
      if (point === undefined) return ''
      const create = { _index: names.alias(indices[at] ?? ''), _id: idOf(at) }
      const document = documentOf({
        site: key.site,
        resolution: 'raw',
        series: point.series,
        point: keptOf(point),
      })
      return `${JSON.stringify({ create })}\n${JSON.stringify(document)}\n`
    },
    async missing(at) {
      for (const index of slotOf.keys()) slots.forget(index)
      await ensureAll()
      return at
    },
  })
  await refresher.refreshed(slotOf.keys())
  await rollUps.took(key.site, new Set(kept.map(({ startMs }) => startMs)))
  return kept.length > 0 && existing === kept.length ? 'duplicate' : 'stored'
}

function admits(
  { limit, counts, clock }: Parts,
  { series, startMs }: MetricPoint,
  oldestMs: number,
): boolean {
  if (startMs < oldestMs) counts.expired += 1
  else if (limit.admits(seriesKey(series), clock.nowMs())) return true
  else counts.refused += 1
  return false
}

/** Every call only when the store is ready, and failures as ServiceErrors. */
function guarded(store: MetricStore, assertReady: () => void): MetricStore {
  async function call<T>(run: () => Promise<T>): Promise<T> {
    assertReady()
    try {
      return await run()
    } catch (error) {
      throw toServiceError(error)
    }
  }
  return {
    append: (batch, signal) => call(() => store.append(batch, signal)),
    query: (query, signal) => call(() => store.query(query, signal)),
    names: (ask, signal) => call(() => store.names(ask, signal)),
    tags: (ask, signal) => call(() => store.tags(ask, signal)),
    stats: () => call(() => store.stats()),
    purge: () => call(() => store.purge()),
    close: () => store.close(),
  }
}
