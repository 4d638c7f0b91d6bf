import { seededRandom } from './random.ts'

/** A machine of the made-up company whose logs are generated. */
export interface HostFacts {
  readonly name: string
  readonly site: string
  /** Turns lists by this, so that hosts differ in what they do most. */
  readonly turn: number
}

const SITES = ['eu-west', 'eu-north', 'us-east', 'us-west', 'sa-east', 'ap-south', 'ap-east', 'af-south']
const ROLES = ['web-1', 'web-2', 'app-1', 'db-1', 'edge-1']

/** 40 hosts, five at each of the eight sites. */
export const HOSTS: readonly HostFacts[] = ROLES.flatMap((role, r) =>
  SITES.map((site, s) => ({ name: `${role}.${site}`, site, turn: r + s })),
)

/** What lines are written with: seeded dice, and the values that the company's programs have in common. */
export interface Ink {
  readonly timeMs: number
  readonly host: HostFacts
  readonly below: (limit: number) => number
  readonly pick: <T>(from: readonly T[]) => T
  /** The first ones often, the last ones seldom. */
  readonly skewed: <T>(from: readonly T[]) => T
  readonly hex: (digits: number) => string
  /** 32 hex digits that some lines of about the same time share. */
  readonly trace: () => string
  /** Skewed like people: a few are seen all the time, most once a day. */
  readonly user: () => number
  /** Address of a client, skewed. */
  readonly client: () => string
  /** Address inside the company: few. */
  readonly peer: () => string
  /** Mostly small, sometimes very large; `typical` is the median. */
  readonly heavy: (typical: number) => number
  /** A process number, which stays the same for a program on a host. */
  readonly pid: (program: string) => number
}

const USERS = 60_000
const CLIENTS = 9_000
const PEERS = 48
const TRACES = 64
/** Lines after which a new trace takes the place of the oldest: each lives for TRACES times as many. */
const LINES_PER_TRACE = 16

/** Gives the ink of each line in turn. */
export function createInk(seed: number) {
  const random = seededRandom(seed)
  const below = (limit: number) => Math.floor(random() * limit)
  const hex = (digits: number) => {
    let out = ''
    while (out.length < digits) out += below(0x1_0000_0000).toString(16).padStart(8, '0')
    return out.slice(0, digits)
  }
  const traces = Array.from({ length: TRACES }, () => hex(32))
  const skewedBelow = (limit: number, power: number) => Math.floor(limit * random() ** power)
  // Sum of three dice: close enough to a normal distribution, within ±3.
  const spread = () => (random() + random() + random() - 1.5) * 2
  let lines = 0
  const shared = {
    below,
    pick: <T>(from: readonly T[]) => from[below(from.length)] as T,
    skewed: <T>(from: readonly T[]) => from[skewedBelow(from.length, 2)] as T,
    hex,
    trace: () => traces[below(TRACES)] as string,
    user: () => 100 + skewedBelow(USERS, 5),
    client: () => addressOf(skewedBelow(CLIENTS, 4), 100),
    peer: () => addressOf(skewedBelow(PEERS, 2), 10),
    heavy: (typical: number) => typical * Math.exp(1.1 * spread()),
  }
  return {
    random,
    /** The ink of the next line. */
    of(timeMs: number, host: HostFacts): Ink {
      if (lines % LINES_PER_TRACE === 0) traces[(lines / LINES_PER_TRACE) % TRACES] = hex(32)
      lines += 1
      return { ...shared, timeMs, host, pid: (program) => pidOf(host, program) }
    },
    host: () => HOSTS[skewedBelow(HOSTS.length, 1.7)] as HostFacts,
  }
}

function addressOf(n: number, first: number): string {
  const mixed = Math.imul(n + 1, 0x9e37_79b1) >>> 0
  return `${first}.${(mixed >>> 24) % 64}.${(mixed >>> 12) & 255}.${mixed & 255}`
}

function pidOf({ turn }: HostFacts, program: string): number {
  return 400 + ((turn * 7_919 + program.length * 1_543 + program.charCodeAt(0) * 271) % 31_000)
}
