import { z } from 'zod'
import { CHECK_STATES, HOST_STATES, healthReportSchema } from '../../core/health.ts'
import type { CheckReport, CollectorStatusReport, HostHealth, HostState } from '../../core/health.ts'
import { iso } from '../questions.ts'
import type { App } from '../schema.ts'
import type { Services } from '../services.ts'

const time = z.iso.datetime().nullable()
const { facts, status } = healthReportSchema.shape
const count = z.number().int()

const checkSchema = z.looseObject({
  name: z.string(),
  kind: z.string(),
  state: z.enum(CHECK_STATES),
  since: time.describe("By the host's clock, like `at`."),
  at: time.describe('When it was looked at last.'),
  message: z.string(),
  tookMs: z.number(),
  value: z.number().optional(),
})

const hostSchema = z.object({
  site: z.string(),
  host: z.string(),
  tier: z.string(),
  state: z
    .enum(HOST_STATES)
    .describe('`silent`: not heard any more; `missing`: expected and never heard; else its worst check.'),
  since: time.describe("By this node's clock."),
  expected: z.boolean().describe('Named in `tiers` of the configuration.'),
  reportedAt: time.describe('Arrival of its newest report; null: none since this node started.'),
  skewMs: z.number().describe('Its clock minus ours, with the time that its report took.'),
  version: z.string().describe('Of its collector; empty: never heard.'),
  checks: z.array(checkSchema),
  facts: facts.optional().describe('Left out with `facts=false`, as `status` is.'),
  status: status.omit({ startedAtMs: true }).extend({ startedAt: time }).nullable().optional(),
})

const tierSchema = z.object({
  name: z.string(),
  expected: count.nullable().describe('How many hosts it should have; null: nobody said.'),
  hosts: count,
  up: count.describe('Hosts that are heard.'),
  states: z.record(z.string(), count).describe('Hosts by state; states without a host are left out.'),
})

const SOURCES = {
  deliveries: 'Reports that are delivered to this node.',
  kafka: 'Reports that come over Kafka; those that aggregators get over HTTP are not seen here.',
  both: 'Reports that are delivered to this node or come over Kafka.',
  none: 'Nothing: no report reaches this node. It answers queries, and reads no Kafka.',
} as const

const answerSchema = z.object({
  at: z.iso.datetime(),
  source: z.enum(['deliveries', 'kafka', 'both', 'none']).describe(
    Object.entries(SOURCES)
      .map(([name, text]) => `\`${name}\`: ${text}`)
      .join(' '),
  ),
  tiers: z.array(tierSchema).describe('Of all hosts, whatever the filters; "" are hosts without a tier.'),
  hostsTotal: count.describe('Hosts that match the filters.'),
  hosts: z.array(hostSchema),
})

/** More than one page shows, and an answer of a few MB. */
const HOSTS_PER_ANSWER_MAX = 20_000
const STATES: ReadonlySet<string> = new Set(HOST_STATES)
const several = z
  .string()
  .max(4_096)
  .transform((text) => new Set(text.split(',').map((part) => part.trim())))
  .optional()

const querySchema = z.object({
  tier: several.describe('Only these tiers, with commas between them.'),
  state: several
    .refine((states) => states === undefined || [...states].every((state) => STATES.has(state)), {
      message: `expected some of ${HOST_STATES.join(', ')}`,
    })
    .describe('Only hosts in these states.'),
  host: several.describe('Only these hosts.'),
  facts: z.enum(['true', 'false']).default('true').describe('`false`: without facts and status.'),
})
type HostFilter = Pick<z.output<typeof querySchema>, 'tier' | 'state' | 'host'>

/** What every host said last. Answered from memory: it does not wait for the store. */
export function hostRoutes(app: App, services: Services): void {
  const { health, clock, config } = services
  const hosts = {
    summary: 'How every host is: its checks, its facts, and who is not heard.',
    querystring: querySchema,
    response: { 200: answerSchema },
  }
  app.get('/v1/hosts', { schema: hosts, config: { role: 'dashboard' } }, async ({ query }) => {
    const all = health.hosts()
    const matching = all.filter((host) => matches(host, query))
    const whole = query.facts === 'true'
    return {
      at: iso(clock.nowMs()),
      source: sourceOf(services),
      tiers: tiersOf(all, config.tiers),
      hostsTotal: matching.length,
      hosts: matching.slice(0, HOSTS_PER_ANSWER_MAX).map((host) => publicHost(host, whole)),
    }
  })
}

function matches(from: HostHealth, { tier, state, host }: HostFilter): boolean {
  return (tier?.has(from.tier) ?? true) && (state?.has(from.state) ?? true) && (host?.has(from.host) ?? true)
}

function sourceOf({ intake, config }: Services): keyof typeof SOURCES {
  const kafka = config.kafka.clusters.length > 0
  if (intake === null) return kafka ? 'kafka' : 'none'
  return kafka ? 'both' : 'deliveries'
}

type Tiers = Services['config']['tiers']

/** Every tier that is configured or has a host, in order of name. */
function tiersOf(all: readonly HostHealth[], configured: Tiers): z.infer<typeof tierSchema>[] {
  const tiers = new Map(
    Object.entries(configured).map(([name, { hosts, expected }]) => [
      name,
      emptyTier(name, expected ?? hosts.length),
    ]),
  )
  for (const { tier: name, state } of all) {
    const tier = tiers.get(name) ?? emptyTier(name, null)
    tiers.set(name, tier)
    tier.states[state] = (tier.states[state] ?? 0) + 1
    tier.hosts += 1
    if (isUp(state)) tier.up += 1
  }
  return [...tiers.values()].sort((a, b) => (a.name < b.name ? -1 : 1))
}

const emptyTier = (name: string, expected: number | null): z.infer<typeof tierSchema> => {
  return { name, expected, hosts: 0, up: 0, states: {} }
}

const isUp = (state: HostState) => state !== 'silent' && state !== 'missing'

function publicHost(from: HostHealth, whole: boolean): z.infer<typeof hostSchema> {
  const { site, host, tier, state, sinceMs, expected, reportedAtMs, skewMs, report } = from
  return {
    site,
    host,
    tier,
    state,
    since: timeOf(sinceMs),
    expected,
    reportedAt: timeOf(reportedAtMs),
    skewMs,
    version: report?.status.version ?? '',
    checks: (report?.checks ?? []).map(publicCheck),
    ...(whole ? { facts: report?.facts ?? null, status: publicStatus(report?.status) } : {}),
  }
}

function publicCheck({ sinceMs, atMs, ...check }: CheckReport): z.infer<typeof checkSchema> {
  return { ...check, since: timeOf(sinceMs), at: timeOf(atMs) }
}

function publicStatus(status: CollectorStatusReport | undefined) {
  if (status === undefined) return null
  const { startedAtMs, ...rest } = status
  return { ...rest, startedAt: timeOf(startedAtMs) }
}

/** Largest time that JavaScript can write; clocks of hosts can say anything. */
const TIME_MS_MAX = 8.64e15

function timeOf(ms: number | null): string | null {
  return ms === null || !(Math.abs(ms) <= TIME_MS_MAX) ? null : iso(ms)
}
