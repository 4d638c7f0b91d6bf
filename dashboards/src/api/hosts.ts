import { call, parameters } from '../api.ts'

export type HostState = 'silent' | 'missing' | 'fail' | 'unknown' | 'warn' | 'ok'

export interface ApiCheck {
  readonly name: string
  readonly kind: string
  readonly state: string
  readonly since: string | null
  readonly at: string | null
  readonly message: string
  readonly tookMs: number
  readonly value?: number
}

export interface ApiFacts {
  readonly cpu: {
    readonly cores: number
    readonly busy: number
    readonly ioWait?: number
    readonly steal?: number
  }
  readonly load: readonly number[]
  readonly memory: {
    readonly totalBytes: number
    readonly availableBytes: number
    readonly swapTotalBytes?: number
    readonly swapUsedBytes?: number
  }
  readonly disks: readonly {
    readonly mount: string
    readonly totalBytes: number
    readonly usedBytes: number
  }[]
  readonly network: {
    readonly receivedBytesPerS: number
    readonly sentBytesPerS: number
    readonly dropsPerS: number
  } | null
  readonly uptimeS: number
}

/** What a collector says of itself; counts since its start. */
export interface ApiStatus {
  readonly id: string
  readonly version: string
  readonly startedAt: string | null
  readonly rssBytes: number
  readonly cpuBusy: number
  readonly spoolBytes: number
  readonly spoolBytesMax: number
  readonly behindBytes: number
  readonly files: number
  readonly held: string | null
  readonly drops: Readonly<Record<string, number>>
  readonly destinations: readonly {
    readonly name: string
    readonly sent: number
    readonly failures: number
    readonly problem: string | null
  }[]
  readonly statsd: {
    readonly series: number
    readonly metrics: number
    readonly packets: number
    readonly lost: Readonly<Record<string, number>>
    readonly problem: string | null
  } | null
}

export interface ApiHost {
  readonly site: string
  readonly host: string
  readonly tier: string
  readonly state: HostState
  readonly since: string | null
  readonly expected: boolean
  readonly reportedAt: string | null
  readonly skewMs: number
  /** Empty: never heard. */
  readonly version: string
  readonly checks: readonly ApiCheck[]
  readonly facts?: ApiFacts | null
  readonly status?: ApiStatus | null
}

export interface ApiTier {
  readonly name: string
  /** Null: nobody said how many there should be. */
  readonly expected: number | null
  readonly hosts: number
  readonly up: number
  readonly states: Readonly<Record<string, number>>
}

export interface HostsAnswer {
  readonly at: string
  /** `none`: no report reaches this node. */
  readonly source?: string
  readonly tiers: readonly ApiTier[]
  readonly hosts: readonly ApiHost[]
}

/** The server answers from memory: whoever waits longer has lost it. */
const DEADLINE_MS = 4_000

/** Every host; `hosts` names the only ones wanted. */
export function listHosts(
  { facts, hosts }: { facts: boolean; hosts?: readonly string[] },
  signal: AbortSignal,
): Promise<HostsAnswer> {
  const asked = parameters({ facts, host: hosts?.join(',') })
  return call<HostsAnswer>('GET', `/v1/hosts?${asked}`, {
    signal: AbortSignal.any([signal, AbortSignal.timeout(DEADLINE_MS)]),
  })
}
