import { createInk, type HostFacts } from './generator-ink.ts'
import { FAMILIES, type Family } from './generator-templates.ts'

/** Earliest time in generated lines unless the caller has its own clock. */
const START_MS = Date.UTC(2026, 0, 5)

/** Where the message of a JSON or logfmt line ends. */
const MESSAGE = /msg"?[=:]"[^"]*/

/** What a program writes at once: one line, or the lines of a stack trace. */
export interface Written {
  readonly lines: readonly string[]
  readonly service: string
  readonly path: string
}

/** Seeded programs of a company of 40 hosts at 8 sites: a seed replays what they write. */
export function createWriters(seed: number) {
  const ink = createInk(seed)
  const families = weighted(FAMILIES, ({ share }) => share)
  const statements = new Map(FAMILIES.map((family) => [family, weighted(family.statements, (s) => s.weight)]))
  return {
    host: ink.host,
    random: ink.random,
    /** What some program of the host writes next. */
    write(timeMs: number, host: HostFacts): Written {
      const pen = ink.of(timeMs, host)
      const family = families(ink.random())
      const service = serviceOn(host, family, pen.skewed)
      const { level, text } = (statements.get(family) as Draw<Family['statements'][number]>)(ink.random())
      const said = text(pen)
      const [first = '', ...rest] = typeof said === 'string' ? [said] : said
      return {
        lines: [family.line(pen, service, level, first), ...rest],
        service,
        path: family.path.replace('{service}', service),
      }
    },
  }
}

/** Each host runs all services, but the ones that its turn puts first most. */
function serviceOn({ turn }: HostFacts, { services }: Family, skewed: (from: readonly number[]) => number) {
  const order = services.map((_, index) => index)
  return services[(skewed(order) + turn) % services.length] ?? ''
}

type Draw<T> = (dice: number) => T

/** Draws elements as often as their weights say; `dice` is in [0, 1). */
function weighted<T>(from: readonly T[], weightOf: (element: T) => number): Draw<T> {
  let sum = 0
  const ends = from.map((element) => (sum += weightOf(element)))
  return (dice) => from[ends.findIndex((end) => dice * sum < end)] as T
}

/** The line with ` id=<n>` at the end of its message, so that each can be found by a search for that phrase. */
function marked(line: string, n: number): string {
  const message = MESSAGE.exec(line)
  const end = message === null ? line.length : message.index + message[0].length
  return `${line.slice(0, end)} id=${n}${line.slice(end)}`
}

/**
 * Log lines without end, in the shapes of real systems, from all hosts in turns; 30 % are JSON access logs with trace ids. With
 * `marker` the n-th line, counted from 0, says `id=<n>` in its message.
 */
export function* generateLines(options: {
  seed: number
  timeMs?: () => number
  marker?: boolean
}): Generator<string, never> {
  const writers = createWriters(options.seed)
  let ticks = START_MS
  const { timeMs = () => ticks++ } = options
  for (let n = 0; ;) {
    for (const line of writers.write(timeMs(), writers.host()).lines)
      yield options.marker === true ? marked(line, n++) : line
  }
}
