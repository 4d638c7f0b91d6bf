import type { MetricPoint, Series } from '../core/metrics/types.ts'
import { decodeMetricLines } from '../core/metrics/wire.ts'

/** Some milliseconds of work: the event loop waits no longer. */
const SLICE_BYTES = 128 << 10
const NEWLINE = 0x0a

interface Decoded {
  readonly points: readonly MetricPoint[]
  readonly bad: readonly { readonly line: string; readonly problem: string }[]
}

/** The points of a body of kind 'metrics', with the site of their sender. */
export async function decodePoints(
  body: Buffer,
  { site, yieldNow }: { site: string; yieldNow: () => Promise<void> },
): Promise<Decoded> {
  const points: MetricPoint[] = []
  const bad: { line: string; problem: string }[] = []
  for (let from = 0; from < body.length;) {
    const end = body.indexOf(NEWLINE, from + SLICE_BYTES)
    const to = end < 0 ? body.length : end + 1
    const slice = decodeMetricLines(body.subarray(from, to))
    for (const point of slice.points) points.push({ ...point, series: stamped(point.series, site) })
    bad.push(...slice.bad)
    from = to
    await yieldNow()
  }
  return { points, bad }
}

/** What an application calls `site` is its own affair: the site is the credential's. */
function stamped({ name, kind, tags }: Series, site: string): Series {
  if (!Object.hasOwn(tags, 'site')) return { name, kind, tags: { ...tags, site } }
  return { name, kind, tags: { ...tags, site, exported_site: tags['site'] ?? '' } }
}
