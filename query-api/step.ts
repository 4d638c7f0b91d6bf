import { ServiceError } from '../core/errors.ts'
import { metricOldestMs } from '../core/metrics/resolutions.ts'
import { ROLL_UP_MS } from '../core/metrics/types.ts'
import type { MetricAnswer, MetricResolution, MetricRetention } from '../core/metrics/types.ts'
import type { TimeRange } from '../core/ports.ts'
import { parseDuration } from '../core/query/time.ts'
import { naming } from './questions.ts'

const SECOND = 1_000
const MINUTE = 60 * SECOND
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR

/** Widths of a step that are taken by themselves, by name. From a minute on each is made of roll-ups. */
const PLEASANT: readonly (readonly [string, number])[] = [
  ['1s', SECOND],
  ['5s', 5 * SECOND],
  ['10s', 10 * SECOND],
  ['30s', 30 * SECOND],
  ['1m', MINUTE],
  ['5m', 5 * MINUTE],
  ['10m', 10 * MINUTE],
  ['30m', 30 * MINUTE],
  ['1h', HOUR],
  ['6h', 6 * HOUR],
  ['1d', DAY],
]
const STEPS_WANTED = 300
/** A day of steps of 10 s. */
const STEPS_MAX = 10_000
/** Values in one answer, all lines, steps and aggregates together: some 8 MB of JSON. */
export const METRIC_VALUES_MAX = 300_000

export interface StepNeeds {
  readonly nowMs: number
  /** Width of the points that collectors make: a narrower step would have holes. */
  readonly flushMs: number
  readonly retention: MetricRetention
}

/** Throws BAD_REQUEST when it cannot be read or is too narrow for the range. Without a text it is about 300 steps of a pleasant width. */
export function readStep(text: string | undefined, range: TimeRange, needs: StepNeeds): number {
  if (text === undefined) return pleasantStepMs(range, needs)
  const stepMs = naming('step', () => parseDuration(text))
  if (stepMs % SECOND !== 0) {
    throw new ServiceError('BAD_REQUEST', 'step: expected whole seconds, such as 10s, 1m or 1h', { stepMs })
  }
  const steps = stepsOf(range, stepMs)
  if (steps > STEPS_MAX) throw tooNarrow(range, { steps, lines: 1, aggregates: 1 })
  return stepMs
}

/** As narrow as about 300 steps are, no narrower than a point, and as wide as the points that are still kept of the start of the range. */
export function pleasantStepMs(range: TimeRange, { nowMs, flushMs, retention }: StepNeeds): number {
  const isKept = (resolution: MetricResolution) =>
    range.fromMs >= metricOldestMs(resolution, retention, nowMs)
  const keptMs = isKept('raw') ? flushMs : isKept('minute') ? ROLL_UP_MS.minute : ROLL_UP_MS.hour
  return widthOf(Math.max(keptMs, (range.toMs - range.fromMs) / STEPS_WANTED)).ms
}

/** The range from the start of a step on: the first step is a whole one. */
export function fromWholeStep({ fromMs, toMs }: TimeRange, stepMs: number): TimeRange {
  return { fromMs: Math.floor(fromMs / stepMs) * stepMs, toMs }
}

/** Throws BAD_REQUEST, which says what step to take, when the answer has more values than one may have. */
export function assertValues(
  { lines }: Pick<MetricAnswer, 'lines'>,
  { range, aggregates }: { readonly range: TimeRange; readonly aggregates: number },
): void {
  const values = lines.reduce((sum, { steps }) => sum + steps.length, 0) * aggregates
  if (values <= METRIC_VALUES_MAX) return
  const steps = Math.max(...lines.map(({ steps }) => steps.length))
  throw tooNarrow(range, { steps, lines: lines.length, aggregates })
}

interface Size {
  readonly steps: number
  readonly lines: number
  readonly aggregates: number
}

function tooNarrow(range: TimeRange, { steps, lines, aggregates }: Size): ServiceError {
  const stepsMax = Math.min(STEPS_MAX, Math.floor(METRIC_VALUES_MAX / (lines * aggregates)))
  // The first and the last step may lie in the range with a part only.
  const { name } = widthOf((range.toMs - range.fromMs) / Math.max(1, stepsMax - 1))
  const much = lines === 1 ? `${steps} steps` : `${lines} lines of ${steps} steps`
  const remedy = `take step=${name}${lines === 1 ? '' : ', or fewer lines with `tags` and `by`'}`
  return new ServiceError('BAD_REQUEST', `step: ${much} are too many for one answer; ${remedy}`, {
    steps,
    lines,
    stepsMax,
    valuesMax: METRIC_VALUES_MAX,
  })
}

/** The narrowest pleasant width that is at least this wide; beyond the widest, whole days. */
function widthOf(leastMs: number): { readonly name: string; readonly ms: number } {
  const found = PLEASANT.find(([, ms]) => ms >= leastMs)
  if (found !== undefined) return { name: found[0], ms: found[1] }
  const days = Math.ceil(leastMs / DAY)
  return { name: `${days}d`, ms: days * DAY }
}

const stepsOf = ({ fromMs, toMs }: TimeRange, stepMs: number) =>
  Math.ceil(toMs / stepMs) - Math.floor(fromMs / stepMs)
