import { z } from 'zod'
import {
  METRIC_AGGREGATES,
  METRIC_KINDS,
  METRIC_LINES_MAX,
  METRIC_RESOLUTIONS,
} from '../../core/metrics/types.ts'
import { metaSchema } from '../answers.ts'
import {
  metricParameters,
  missingMetrics,
  missingNames,
  readMetricQuestion,
  stepNeeds,
} from '../metric-question.ts'
import { readAggregates, readBy, readValues } from '../metric-values.ts'
import type { Queries } from '../queries.ts'
import { limitUpTo, sites } from '../questions.ts'
import type { App } from '../schema.ts'
import type { Services } from '../services.ts'
import { fromWholeStep, readStep } from '../step.ts'
import { listParameter } from '../tag-filters.ts'

const NAME_CHARS_MAX = 200
const NAMES_DEFAULT = 200
const NAMES_MAX = 10_000
const TAG_VALUES_DEFAULT = 20
const TAG_VALUES_MAX = 1_000
const count = z.number().int()
const number = z.number()

const name = z.string().min(1).max(NAME_CHARS_MAX).describe('Name of the metric.')
const kind = z
  .enum(METRIC_KINDS)
  .optional()
  .describe('Only series of this kind. Needed when a name has several.')
const tags = listParameter(
  'Only series with these: `env:prod`, `!host:web-1`, `queue:a*` (`*`, `?`); `env:` is a series without the tag. Entries of one tag are alternatives.',
)

const lostSchema = z
  .object({
    total: count.describe('0: no loss is known.'),
    byReason: z
      .record(z.string(), count)
      .readonly()
      .describe('`kernel`, `packet`, `malformed`, `series`, `name_series`, `late`, `spool`.'),
    byHost: z.record(z.string(), count).readonly().describe('The 20 hosts that lost most.'),
  })
  .describe(
    'At least so many metrics or packets, of any name, were lost in the range by the statsd of the asked sites and hosts.',
  )

const hintSchema = z
  .object({
    detail: z.string(),
    names: z.array(z.string()).readonly().describe('Names in the range that are like the one asked for.'),
  })
  .exactOptional()
  .describe('Why there is no line.')

const querySchema = z.object({
  lines: z
    .array(
      z.object({
        tags: z
          .record(z.string(), z.string())
          .readonly()
          .describe('Value of every tag of `by`; empty: without.'),
        kind: z.enum(METRIC_KINDS),
        points: z
          .array(z.array(number.nullable()))
          .describe(
            '`[start in ms, value, …]`, values in the order of `aggregates`, oldest first; steps without a value are left out.',
          ),
      }),
    )
    .describe(`In order of their tags, at most ${METRIC_LINES_MAX}.`),
  linesTotal: count.describe('Lines there would be.'),
  step: count.describe(
    'Width of a step in ms; steps start at multiples of it. The last one may not be over yet.',
  ),
  resolution: z.enum(METRIC_RESOLUTIONS).describe('Width of the points that were read.'),
  aggregates: z.array(z.enum(METRIC_AGGREGATES)).readonly(),
  lost: lostSchema,
  hint: hintSchema,
  meta: metaSchema,
})

/** Values, names and tags of metrics, under the same bounds as every query. */
export function metricRoutes(app: App, services: Services, queries: Queries): void {
  valueRoute(app, services, queries)
  nameRoute(app, services, queries)
  tagRoute(app, services, queries)
  statsRoute(app, services)
}

function valueRoute(app: App, services: Services, queries: Queries): void {
  const { config, metricStore } = services
  const schema = {
    summary: 'Values of a metric over time.',
    description:
      '`meta.completeTo` is the end of a whole flush (10 s): newer values are still in the collectors. Losses that statsd servers know of are in `lost`.',
    querystring: z.strictObject({
      name,
      kind,
      tags,
      by: listParameter('Tags to split by, at most 4; without it everything is one line.'),
      agg: listParameter(
        'Of each step: `rate`, `sum`, `avg`, `min`, `max`, `count`, `last`, `p50` to `p999`; `rate` of a point that is wider than the step is of its own width. Default: `rate` of a counter, `avg` of a gauge, `count` of a set, `p95` of a distribution.',
      ),
      step: z
        .string()
        .optional()
        .describe('Width of a step: `10s`, `1m`, `1h`. Default: about 300 steps of a pleasant width.'),
      sites,
      ...metricParameters(config.query.timeoutMs),
    }),
    response: { 200: querySchema },
  }
  app.get('/v1/metrics/query', { schema, config: { role: 'dashboard' } }, async (request, reply) => {
    const ask = request.query
    const question = readMetricQuestion(ask, services)
    const { range: asked, nowMs } = question
    const by = readBy(ask.by)
    const aggregates = readAggregates(ask.agg)
    const stepMs = readStep(ask.step, asked, stepNeeds(config, nowMs))
    const range = fromWholeStep(asked, stepMs)
    const { answer, meta } = await queries.run(
      {
        ...question,
        text: by.length === 0 ? question.text : `${question.text} by ${by.join()}`,
        range,
        kind: 'metrics',
        request,
        reply,
        missing: missingMetrics({ config, range: asked, nowMs }),
      },
      (signal) =>
        readValues(
          metricStore,
          { ...question, name: ask.name, kind: ask.kind, range, by, aggregates, stepMs },
          signal,
        ),
    )
    const { lines, linesTotal, resolution, scanned, lost, hint } = answer
    const returned = lines.reduce((sum, { steps }) => sum + steps.length, 0)
    return {
      lines: lines.map(({ tags, kind, steps }) => ({
        tags,
        kind,
        points: steps.map(({ startMs, values }) => [startMs, ...values]),
      })),
      linesTotal,
      step: stepMs,
      resolution,
      aggregates: answer.aggregates,
      lost,
      ...(hint === null ? {} : { hint }),
      meta: meta({ scanned, returned }),
    }
  })
}

function nameRoute(app: App, services: Services, queries: Queries): void {
  const { config, metricStore } = services
  const schema = {
    summary: 'Names of metrics.',
    querystring: z.strictObject({
      prefix: z
        .string()
        .max(NAME_CHARS_MAX)
        .default('')
        .describe('Only names that start so, or have it behind a "." or "_".'),
      limit: limitUpTo(NAMES_MAX, NAMES_DEFAULT, 'Most names in the answer.'),
      ...metricParameters(config.query.timeoutMs),
    }),
    response: {
      200: z.object({
        names: z
          .array(
            z.object({
              name: z.string(),
              kind: z.enum(METRIC_KINDS),
              series: count.describe('With a value in the range.'),
            }),
          )
          .readonly()
          .describe('In order of name.'),
        total: count.describe('Names there are.'),
        meta: metaSchema,
      }),
    },
  }
  app.get('/v1/metrics/names', { schema, config: { role: 'dashboard' } }, async (request, reply) => {
    const { prefix, limit } = request.query
    const question = { ...readMetricQuestion(request.query, services), text: `${prefix}*` }
    const { range, nowMs } = question
    const { answer, meta } = await queries.run(
      { ...question, kind: 'metrics', request, reply, missing: missingNames({ config, range, nowMs }) },
      (signal) => metricStore.names({ prefix, range, limit }, signal),
    )
    const { names, total } = answer
    return { names, total, meta: meta({ scanned: total, returned: names.length }) }
  })
}

function tagRoute(app: App, services: Services, queries: Queries): void {
  const { config, metricStore } = services
  const schema = {
    summary: 'Tags of a metric and their values.',
    querystring: z.strictObject({
      name,
      kind,
      tags,
      limit: limitUpTo(TAG_VALUES_MAX, TAG_VALUES_DEFAULT, 'Most values of each tag in the answer.'),
      sites,
      ...metricParameters(config.query.timeoutMs),
    }),
    response: {
      200: z.object({
        tags: z
          .array(
            z.object({
              tag: z.string(),
              values: z
                .array(z.object({ value: z.string(), series: count.describe('With this value.') }))
                .readonly()
                .describe('Most frequent first.'),
              valuesTotal: count.describe('Different values.'),
            }),
          )
          .readonly()
          .describe('In order of tag.'),
        series: count.describe('Series that were looked at.'),
        meta: metaSchema,
      }),
    },
  }
  app.get('/v1/metrics/tags', { schema, config: { role: 'dashboard' } }, async (request, reply) => {
    const { name, kind, limit } = request.query
    const question = readMetricQuestion(request.query, services)
    const { range, tags, nowMs } = question
    const { answer, meta } = await queries.run(
      { ...question, kind: 'metrics', request, reply, missing: missingNames({ config, range, nowMs }) },
      (signal) => metricStore.tags({ name, kind, tags, range, limit }, signal),
    )
    const { series } = answer
    return { tags: answer.tags, series, meta: meta({ scanned: series, returned: answer.tags.length }) }
  })
}

function statsRoute(app: App, { metricStore }: Services): void {
  const kept = z.object({ points: count, oldestMs: number.nullable().describe('null: there is none.') })
  const schema = {
    summary: 'What the store of metrics holds.',
    response: {
      200: z.object({
        series: count.describe('With a value since the day (UTC) began: what `metrics.seriesMax` bounds.'),
        bytesOnDisk: count,
        resolutions: z
          .object({ raw: kept, minute: kept, hour: kept })
          .readonly()
          .describe('Points as they came, of a minute, and of an hour.'),
        refused: count.describe(
          'Points that were not kept since the start, because there were `metrics.seriesMax` series already.',
        ),
        expired: count.describe('Points that were not kept since the start, because they came too late.'),
        damaged: z
          .array(z.string())
          .readonly()
          .describe('Files that failed their checksum and are not read.'),
      }),
    },
  }
  app.get('/v1/metrics/stats', { schema, config: { role: 'dashboard' } }, async () => metricStore.stats())
}
