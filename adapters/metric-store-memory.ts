import { systemClock } from '../core/clock.ts'
import { ServiceError } from '../core/errors.ts'
import { createBatchKeys } from '../core/metrics/batch-keys.ts'
import { compileSelection, isNameFor, listNames, listTags } from '../core/metrics/discovery.ts'
import { createFold } from '../core/metrics/fold.ts'
import { addUp, keptOf, slotStart, type KeptPoint } from '../core/metrics/kept.ts'
import { metricOldestMs, portionsOf, resolutionFor } from '../core/metrics/resolutions.ts'
import { createSeriesLimit } from '../core/metrics/series-limit.ts'
import { METRIC_RESOLUTIONS, ROLL_UP_MS } from '../core/metrics/types.ts'
import type { MetricPoint, MetricResolution, MetricRetention, Series } from '../core/metrics/types.ts'
import { seriesKey } from '../core/metrics/wire.ts'
import type { Clock, MetricStore, TimeRange } from '../core/ports.ts'

const POINTS_MAX = 5_000_000
const SERIES_MAX = 1_000_000

export interface MemoryMetricStoreOptions {
  readonly retention: MetricRetention
  readonly clock?: Clock
  readonly seriesMax?: number
  /** Of all widths. A batch that comes when there are more is refused with STORE_UNAVAILABLE. */
  readonly pointsMax?: number
}

/** Points of one series by their start, and if need be by their width. */
type Points = Map<string, KeptPoint>

interface KeptSeries {
  readonly series: Series
  readonly points: Readonly<Record<MetricResolution, Points>>
}

/** Keeps metrics in this process, and forgets them at close. Every query looks at every series. */
export function createMemoryMetricStore({
  retention,
  clock = systemClock,
  seriesMax = SERIES_MAX,
  pointsMax = POINTS_MAX,
}: MemoryMetricStoreOptions): MetricStore {
  const kept = new Map<string, KeptSeries>()
  const keys = createBatchKeys()
  const limit = createSeriesLimit(seriesMax)
  const counts = { points: 0, refused: 0, expired: 0 }
  let purgedToMs = -Infinity
  let closed = false

  function open(signal?: AbortSignal): void {
    signal?.throwIfAborted()
    if (closed) throw new ServiceError('SHUTTING_DOWN', 'the metric store is closed')
  }

  const oldestOf = (resolution: MetricResolution) => metricOldestMs(resolution, retention, clock.nowMs())
  const oldestOfAll = () => ({
    raw: oldestOf('raw'),
    minute: oldestOf('minute'),
    hour: oldestOf('hour'),
  })

  function seriesOf(key: string, series: Series): KeptSeries {
    const found = kept.get(key)
    if (found !== undefined) return found
    const made = { series, points: { raw: new Map(), minute: new Map(), hour: new Map() } }
    kept.set(key, made)
    return made
  }

  function addTo(points: Points, point: KeptPoint, kind: Series['kind']): void {
    const { startMs, stepMs } = point
    const name = `${startMs} ${stepMs}`
    const before = points.get(name)
    points.set(name, before === undefined ? point : addUp([before, point], { kind, startMs, stepMs }))
    if (before === undefined) counts.points += 1
  }

  function take(point: MetricPoint): void {
    const key = seriesKey(point.series)
    if (point.startMs < oldestOf('raw')) counts.expired += 1
    else if (!limit.admits(key, clock.nowMs())) counts.refused += 1
    else {
      const { points, series } = seriesOf(key, point.series)
      const { kind } = series
      const raw = keptOf(point)
      addTo(points.raw, raw, kind)
      for (const resolution of ['minute', 'hour'] as const) {
        const stepMs = ROLL_UP_MS[resolution]
        const startMs = slotStart(point.startMs, stepMs)
        addTo(points[resolution], { ...raw, startMs, stepMs }, kind)
      }
    }
  }

  /** Whole slots go: most of the time there is nothing to do. */
  function purge(): void {
    const oldest = oldestOfAll()
    if (oldest.raw === purgedToMs) return
    purgedToMs = oldest.raw
    for (const [key, { points }] of kept) {
      for (const resolution of METRIC_RESOLUTIONS) {
        for (const [name, { startMs }] of points[resolution]) {
          if (startMs < oldest[resolution] && points[resolution].delete(name)) counts.points -= 1
        }
      }
      if (METRIC_RESOLUTIONS.every((resolution) => points[resolution].size === 0)) kept.delete(key)
    }
    keys.forget(clock.nowMs() - retention.raw)
  }

  function* seriesIn(range: TimeRange): Generator<Series> {
    const { portions } = portionsOf(range, 'hour', oldestOfAll())
    for (const { series, points } of kept.values()) {
      const isIn = portions.some(({ resolution, range: { fromMs, toMs } }) =>
        [...points[resolution].values()].some(({ startMs }) => startMs >= fromMs && startMs < toMs),
      )
      if (isIn) yield series
    }
  }

  return {
    async append({ key, points }, signal) {
      open(signal)
      if (keys.has(key)) return 'duplicate'
      purge()
      if (counts.points > pointsMax) {
        const details = { points: counts.points, pointsMax }
        throw new ServiceError('STORE_UNAVAILABLE', 'the metric store in memory is full', details)
      }
      for (const point of points) take(point)
      keys.add(key, clock.nowMs())
      return 'stored'
    },
    async query(query, signal) {
      open(signal)
      const fold = createFold(query)
      const resolution = resolutionFor(query.stepMs)
      const { portions, oldestMs } = portionsOf(query.range, resolution, oldestOfAll())
      for (const [key, { series, points }] of kept) {
        const selected = fold.series(key, () => series)
        if (selected === null) continue
        for (const { resolution: width, range } of portions) {
          for (const point of points[width].values()) {
            if (point.startMs >= range.fromMs && point.startMs < range.toMs) selected.add(point, true)
          }
        }
      }
      return { ...(await fold.result(signal)), resolution, oldestMs, damaged: [] }
    },
    async names({ prefix, range, limit: namesMax }, signal) {
      open(signal)
      return listNames(
        [...seriesIn(range)].filter(({ name }) => isNameFor(name, prefix)),
        namesMax,
      )
    },
    async tags({ limit: valuesMax, ...selection }, signal) {
      open(signal)
      return listTags([...seriesIn(selection.range)].filter(compileSelection(selection)), valuesMax)
    },
    async stats() {
      open()
      const statsOf = (resolution: MetricResolution) => {
        const all = [...kept.values()].flatMap(({ points }) => [...points[resolution].values()])
        const oldestMs = all.reduce<number | null>(
          (least, { startMs }) => (least === null ? startMs : Math.min(least, startMs)),
          null,
        )
        return { points: all.length, oldestMs }
      }
      return {
        series: limit.size,
        bytesOnDisk: 0,
        resolutions: { raw: statsOf('raw'), minute: statsOf('minute'), hour: statsOf('hour') },
        refused: counts.refused,
        expired: counts.expired,
        damaged: [],
      }
    },
    async purge() {
      open()
      purge()
    },
    async close() {
      closed = true
      kept.clear()
    },
  }
}
