import type { Portion } from '../../core/metrics/resolutions.ts'
import type { MetricResolution } from '../../core/metrics/types.ts'
import type { SitePortion } from './reading.ts'
import type { RollUpContent } from './roll-ups.ts'

/**
 * What to read for each site: of a portion of rolled-up points those that are there, and narrower ones from where the roll-up stands.
 * A site of which nothing was appended yet has no cursor, and no points.
 */
export function sitePortions(portions: readonly Portion[], { sites }: RollUpContent): readonly SitePortion[] {
  const names = Object.keys(sites)
  return portions.flatMap((portion): SitePortion[] => {
    if (portion.resolution === 'raw') return [{ ...portion, sites: { but: [] } }]
    return names.flatMap((site) =>
      standing(portion, (resolution) => sites[site]?.[resolution].doneMs ?? 0).map((part) => ({
        ...part,
        sites: { only: [site] },
      })),
    )
  })
}

function standing(
  { resolution, range: { fromMs, toMs } }: Portion,
  doneMs: (resolution: 'minute' | 'hour') => number,
): Portion[] {
  if (fromMs >= toMs) return []
  if (resolution === 'raw') return [{ resolution, range: { fromMs, toMs } }]
  const endMs = Math.min(toMs, Math.max(fromMs, doneMs(resolution)))
  const narrower: MetricResolution = resolution === 'hour' ? 'minute' : 'raw'
  const there = fromMs < endMs ? [{ resolution, range: { fromMs, toMs: endMs } }] : []
  return [...there, ...standing({ resolution: narrower, range: { fromMs: endMs, toMs } }, doneMs)]
}
