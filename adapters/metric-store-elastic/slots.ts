import { slotStart } from '../../core/metrics/kept.ts'
import { METRIC_RESOLUTIONS } from '../../core/metrics/types.ts'
import type { MetricResolution, MetricRetention } from '../../core/metrics/types.ts'
import type { SlotName } from '../store-elastic/names.ts'

/**
 * Width of what an index holds. The same whatever the retention is: a batch that comes again must meet what it brought before, also
 * when somebody has changed the policy meanwhile.
 */
const SLOT_MS: Readonly<Record<MetricResolution, number>> = {
  raw: 3 * 3_600_000,
  minute: 86_400_000,
  hour: 7 * 86_400_000,
}

export function slotOfPoint(site: string, resolution: MetricResolution, startMs: number): SlotName {
  return { site, class: resolution, slotMs: slotStart(startMs, SLOT_MS[resolution]) }
}

/** When an index goes: with the age of its first point, but not while a point of it may still come. */
export function purgeAtMs(
  { class: name, slotMs }: Pick<SlotName, 'class' | 'slotMs'>,
  retention: MetricRetention,
): number {
  const resolution = METRIC_RESOLUTIONS.find((one) => one === name) ?? 'raw'
  return slotMs + Math.max(retention[resolution], SLOT_MS[resolution])
}
