import type { MetricPoint, Series } from '../core/metrics/types.ts'
import { decodeMetricLines, type KnownSeries } from '../core/metrics/wire.ts'

/** Some milliseconds of work: the event loop waits no longer. */
const SLICE_BYTES = 128 << 10
const NEWLINE = 0x0a
/** Of a site: some hundred bytes each. More are decoded anew. */
const SERIES_KNOWN_MAX = 200_000

interface Decoded {
  readonly points: readonly MetricPoint[]
  readonly bad: readonly { readonly line: string; readonly problem: string }[]
}

/** Decodes bodies of kind 'metrics'; its points have the site of their sender. Points of a series bring the same object each time. */
export type PointDecoder = (
  body: Buffer,
  context: { site: string; yieldNow: () => Promise<void> },
) => Promise<Decoded>

export function createPointDecoder(): PointDecoder {
  const sites = new Map<string, Map<string, Series>>()

  function knownOf(site: string): KnownSeries {
    const heads = sites.get(site) ?? new Map<string, Series>()
    sites.set(site, heads)
    return {
      find: (head) => heads.get(head),
      add(head, series) {
        if (heads.size >= SERIES_KNOWN_MAX) heads.clear()
        const own = stamped(series, site)
        heads.set(head, own)
        return own
      },
    }
  }

  return async (body, { site, yieldNow }) => {
    const known = knownOf(site)
    const points: MetricPoint[] = []
    const bad: { line: string; problem: string }[] = []
    for (let from = 0; from < body.length;) {
      const end = body.indexOf(NEWLINE, from + SLICE_BYTES)
      const to = end < 0 ? body.length : end + 1
      const slice = decodeMetricLines(body.subarray(from, to), known)
      for (const point of slice.points) points.push(point)
      for (const one of slice.bad) bad.push(one)
      from = to
      await yieldNow()
    }
    return { points, bad }
  }
}

/** What an application calls `site` is its own affair: the site is the credential's. */
function stamped({ name, kind, tags }: Series, site: string): Series {
  if (!Object.hasOwn(tags, 'site')) return { name, kind, tags: { ...tags, site } }
  return { name, kind, tags: { ...tags, site, exported_site: tags['site'] ?? '' } }
}
