import { z } from 'zod'
import { CHECKS_MAX } from './health.ts'
import { messageOf } from './errors.ts'
import { compileExpression, GREP_CHARS_MAX } from './query/grep.ts'
import { parseDuration } from './query/time.ts'

const word = z.string().min(1).max(256)
const positive = z.number().int().positive()
const port = z.number().int().min(1).max(65_535)

/** A timer cannot wait for more than 24 days. */
const DAY_MS = 86_400_000

/** A duration of at least `minMs`, as text. */
export function duration(minMs: number, maxMs = Infinity) {
  const most = maxMs === Infinity ? '' : ` and at most ${maxMs} ms`
  return z.string().refine((text) => isBetween(text, minMs, maxMs), {
    message: `expected a duration such as 500ms, 90s, 15m, 6h or 3d, of at least ${minMs} ms${most}`,
  })
}

function isBetween(text: string, minMs: number, maxMs: number): boolean {
  try {
    const ms = durationMs(text)
    return ms >= minMs && ms <= maxMs
  } catch {
    return false
  }
}

/** A duration of the configuration in ms; other than in a query it may be `0s`. */
export function durationMs(text: string): number {
  return /^0+(?:ms|s|m|h|d)?$/.test(text.trim()) ? 0 : parseDuration(text)
}

/** Says what is wrong with a regular expression. */
const expression = z
  .string()
  .min(1)
  .max(GREP_CHARS_MAX)
  .superRefine((text, context) => {
    try {
      compileExpression(text)
    } catch (error) {
      context.addIssue({ code: 'custom', message: messageOf(error) })
    }
  })

const common = {
  name: word.describe('Name of the check, as pages and events show it.'),
  tiers: z.array(word).min(1).optional().describe('Only on hosts of these tiers: one file serves all hosts.'),
  every: duration(200, DAY_MS).default('1s').describe('How often it is made.'),
  timeout: duration(50, DAY_MS)
    .default('2s')
    .describe(
      'A check that takes longer is cut off: `fail` of http, tcp and a certificate of a host, `unknown` of others.',
    ),
  for: duration(0)
    .default('0s')
    .describe(
      'It must be bad for this long before its state changes; and good for as long before it recovers.',
    ),
}

const percent = z.number().min(0).max(100)

const checkKinds = [
  z.strictObject({
    kind: z.literal('http'),
    ...common,
    url: z.url({ protocol: /^https?$/ }),
    method: z.enum(['GET', 'HEAD', 'POST']).default('GET'),
    headers: z
      .record(word, z.string().max(4096))
      .default({})
      .describe('Never put a secret here: use `headerFiles`.'),
    headerFiles: z
      .record(word, z.string().min(1))
      .default({})
      .describe('Header → file that holds its value.'),
    status: z
      .array(z.number().int().min(100).max(599))
      .min(1)
      .optional()
      .describe('Expected; by default 200 to 399.'),
    contains: z.string().min(1).max(1024).optional().describe('The body must contain this text.'),
    slowerThan: duration(1).optional().describe('It warns when the answer takes longer.'),
    caFile: z.string().min(1).optional().describe("PEM; by default the system's authorities are trusted."),
  }),
  z.strictObject({ kind: z.literal('tcp'), ...common, host: word, port }),
  z.strictObject({
    kind: z.literal('process'),
    ...common,
    command: expression.describe('A regular expression (RE2) that is found in the whole command line.'),
    atLeast: z.number().int().min(0).default(1).describe('Fewer processes fail.'),
    atMost: positive.optional().describe('More processes fail.'),
  }),
  z.strictObject({ kind: z.literal('systemd'), ...common, unit: word.describe('Must be active.') }),
  z.strictObject({
    kind: z.literal('disk'),
    ...common,
    path: z.string().min(1).describe('Any path on the file system.'),
    warn: percent.default(85).describe('Percent used, of bytes or of inodes, above which it warns, …'),
    fail: percent.default(95).describe('… and fails.'),
  }),
  z.strictObject({
    kind: z.literal('cpu'),
    ...common,
    warn: percent.default(95).describe('Percent busy, of all cores, above which it warns, …'),
    fail: percent.default(100).describe('… and fails; 100 never does.'),
  }),
  z.strictObject({
    kind: z.literal('memory'),
    ...common,
    warn: percent.default(90).describe('Percent used, above which it warns, …'),
    fail: percent.default(97).describe('… and fails.'),
  }),
  z.strictObject({
    kind: z.literal('load'),
    ...common,
    warn: z
      .number()
      .nonnegative()
      .default(2)
      .describe('Load of one minute per core, above which it warns, …'),
    fail: z.number().nonnegative().default(8).describe('… and fails.'),
  }),
  z.strictObject({
    kind: z.literal('command'),
    ...common,
    command: z
      .array(z.string().max(4096))
      .min(1)
      .max(64)
      .describe(
        'Program and arguments; no shell. Exit codes as Nagios plugins have them: 0 ok, 1 warn, 2 fail, 3 unknown.',
      ),
  }),
  z
    .strictObject({
      kind: z.literal('certificate'),
      ...common,
      host: word.optional().describe('Where TLS is spoken, …'),
      port: port.default(443),
      servername: word.optional().describe('… and the name to ask for; by default `host`. Or else:'),
      file: z.string().min(1).optional().describe('PEM file.'),
      warnDays: z.number().nonnegative().default(21).describe('Fewer days left warn, …'),
      failDays: z.number().nonnegative().default(7).describe('… and fail.'),
    })
    .refine(({ host, file }) => (host === undefined) !== (file === undefined), {
      message: 'expected `host` or `file`',
    }),
] as const

export const checkSchema = z.discriminatedUnion('kind', checkKinds)

export const checksSchema = z
  .array(checkSchema)
  .max(CHECKS_MAX)
  .default([])
  .refine((checks) => new Set(checks.map(({ name }) => name)).size === checks.length, {
    message: 'expected every check to have another name',
  })

export type CheckConfig = z.infer<typeof checkSchema>
