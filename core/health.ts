import { z } from 'zod'

const name = z.string().min(1).max(256)
const number = z.number()
const timeMs = z.number()

/** Of a check: `unknown` is a check that could not be made (a command that hangs, a unit that nobody knows). */
export const CHECK_STATES = ['ok', 'warn', 'fail', 'unknown'] as const
export type CheckState = (typeof CHECK_STATES)[number]

export const CHECKS_MAX = 256
export const CHECK_MESSAGE_CHARS_MAX = 500
export const DISKS_MAX = 32
/** Of a report as JSON: all checks with long messages. */
export const HEALTH_BYTES_MAX = 256 << 10
/** In a report that would be larger. */
const SHORT_MESSAGE_CHARS = 80

const checkSchema = z.looseObject({
  name,
  /** Of the configuration: `http`, `tcp`, …. A newer collector may know more kinds. */
  kind: name,
  state: z.enum(CHECK_STATES),
  /** Since when it is in this state, the collector's clock. */
  sinceMs: timeMs,
  /** What was seen, for a person: `HTTP 503 after 12 ms`. */
  message: z.string().max(CHECK_MESSAGE_CHARS_MAX),
  /** When it was looked at last, and how long that took. */
  atMs: timeMs,
  tookMs: number,
  /** The measured number, where there is one (percent used, days left, processes). */
  value: number.optional(),
})

/** Stands for a check that is told in a way we do not know: it must not vanish. */
function unreadableCheck(input: unknown): z.infer<typeof checkSchema> {
  const told =
    typeof input === 'object' && input !== null && 'name' in input ? name.safeParse(input.name) : null
  return {
    name: told?.data ?? 'unreadable',
    kind: 'unreadable',
    state: 'unknown',
    sinceMs: 0,
    message: 'the report of this check cannot be read: the collector may be newer than this node',
    atMs: 0,
    tookMs: 0,
  }
}

const factsSchema = z.looseObject({
  cpu: z.looseObject({
    cores: number,
    /** Shares of all cores, 0 to 1. */
    busy: number,
    ioWait: number.optional(),
    steal: number.optional(),
  }),
  /** 1, 5 and 15 minutes. */
  load: z.tuple([number, number, number]),
  memory: z.looseObject({
    totalBytes: number,
    availableBytes: number,
    /** Absent: not known on this system. */
    swapTotalBytes: number.optional(),
    swapUsedBytes: number.optional(),
  }),
  disks: z
    .array(z.looseObject({ mount: z.string().max(4096), totalBytes: number, usedBytes: number }))
    .max(DISKS_MAX),
  /** Of all interfaces but loopback. Null: not known on this system. */
  network: z.looseObject({ receivedBytesPerS: number, sentBytesPerS: number, dropsPerS: number }).nullable(),
  uptimeS: number,
})

/** What the collector says of itself. */
const collectorStatusSchema = z.looseObject({
  id: name,
  /** Of the program. */
  version: z.string().max(256),
  startedAtMs: timeMs,
  rssBytes: number,
  /** Share of one core. */
  cpuBusy: number,
  spoolBytes: number,
  spoolBytesMax: number,
  spoolBatches: number,
  /** Written to files and not yet read. */
  behindBytes: number,
  files: number,
  /** Why the spool takes nothing; null: it does. */
  held: z.string().max(1024).nullable(),
  /** Since its start, by reason: lines that were dropped before numbering. */
  drops: z.record(z.string(), number),
  destinations: z
    .array(z.looseObject({ name, sent: number, failures: number, problem: z.string().max(1024).nullable() }))
    .max(8),
  /** Null: it takes no statsd. Counts since its start. */
  statsd: z
    .looseObject({
      series: number,
      metrics: number,
      packets: number,
      /** At least so many metrics or packets were lost, by reason. */
      lost: z.record(z.string(), number),
      /** Why nothing is received; null: it is. */
      problem: z.string().max(1024).nullable(),
    })
    .nullable(),
})

/** What a host says of itself, once a second. Not spooled; the latest wins. A wrong or missing part must not cost the rest. */
export const healthReportSchema = z.looseObject({
  v: z.literal(1),
  collector: name,
  host: name,
  tier: z.string().max(256),
  /** The collector's clock. */
  sentAtMs: timeMs,
  intervalMs: number.positive(),
  /** Null: they cannot be read on this system. */
  facts: factsSchema.nullable().catch(null),
  checks: z
    .array(checkSchema.catch(({ input }) => unreadableCheck(input)))
    .max(CHECKS_MAX)
    .describe('One that cannot be read becomes `unknown`, and says so.'),
  status: collectorStatusSchema,
  /** Set in the last report before an orderly stop. */
  goodbye: z.boolean().optional(),
})

export type HealthReport = z.infer<typeof healthReportSchema>
export type CheckReport = z.infer<typeof checkSchema>
export type HostFacts = z.infer<typeof factsSchema>
export type CollectorStatusReport = z.infer<typeof collectorStatusSchema>

/**
 * Of a host, the worst that is true: `silent`: it reported before and does not any more; `missing`: it is expected and was never heard;
 * `fail` … `ok`: the worst of its checks.
 */
export const HOST_STATES = ['silent', 'missing', 'fail', 'unknown', 'warn', 'ok'] as const
export type HostState = (typeof HOST_STATES)[number]

export interface HostHealth {
  readonly site: string
  readonly host: string
  readonly tier: string
  readonly state: HostState
  /** Since when, by this node's clock. */
  readonly sinceMs: number
  /** Expected by the configuration of this node. */
  readonly expected: boolean
  /** Arrival of the newest report; null: none since this node started. */
  readonly reportedAtMs: number | null
  /** Its clock minus ours. */
  readonly skewMs: number
  readonly report: HealthReport | null
}

/** A report as it is sent: JSON of at most HEALTH_BYTES_MAX bytes; the messages of its checks are cut where it would be larger. */
export function encodeHealth(report: HealthReport): string {
  const whole = JSON.stringify(report)
  if (Buffer.byteLength(whole) <= HEALTH_BYTES_MAX) return whole
  const checks = report.checks.map((check) => ({
    ...check,
    message: check.message.slice(0, SHORT_MESSAGE_CHARS),
  }))
  return JSON.stringify({ ...report, checks })
}

/** null: the bytes are no report. */
export function decodeHealth(bytes: Buffer): HealthReport | null {
  if (bytes.byteLength > HEALTH_BYTES_MAX) return null
  try {
    return healthReportSchema.safeParse(JSON.parse(bytes.toString('utf8'))).data ?? null
  } catch {
    return null
  }
}
