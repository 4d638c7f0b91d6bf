import type { ApiCheck, ApiFacts, ApiHost, ApiStatus, HostState } from '../../dashboards/src/api/hosts.ts'

export type FakeHost = Required<ApiHost>

const STATES = ['ok', 'ok', 'ok', 'ok', 'ok', 'ok', 'ok', 'warn', 'ok', 'fail'] as const

/** `count` hosts of the tiers web, app and db, one of which is silent and one missing when there are enough. */
export function sampleHosts(count: number, nowMs = Date.now()): FakeHost[] {
  return Array.from({ length: count }, (_, at) => {
    const tier = ['web', 'app', 'db'][at % 3] ?? 'web'
    const state: HostState = at === 4 ? 'silent' : at === 7 ? 'missing' : (STATES[at % STATES.length] ?? 'ok')
    return sampleHost({ host: `${tier}-${Math.floor(at / 3) + 1}`, tier, state, nowMs, at })
  })
}

export function sampleHost(facts: {
  host: string
  tier: string
  state: HostState
  nowMs: number
  at?: number
}): FakeHost {
  const { host, tier, state, nowMs, at = 0 } = facts
  const heard = state !== 'missing'
  const sinceMs = nowMs - (state === 'ok' ? 86_400_000 : 95_000)
  const iso = (ms: number) => new Date(ms).toISOString()
  return {
    site: 'eu-west',
    host,
    tier,
    state,
    since: iso(sinceMs),
    expected: true,
    reportedAt: heard ? iso(nowMs - (state === 'silent' ? 95_000 : 400)) : null,
    skewMs: at % 5,
    version: heard ? '0.1.0' : '',
    facts: heard ? sampleFacts(at) : null,
    checks: heard ? sampleChecks(state, nowMs, sinceMs) : [],
    status: heard ? sampleStatus(host, nowMs, at) : null,
  }
}

function sampleChecks(state: HostState, nowMs: number, sinceMs: number): ApiCheck[] {
  const bad = state === 'warn' || state === 'fail' ? state : null
  const iso = (ms: number) => new Date(ms).toISOString()
  const common = { at: iso(nowMs - 300), tookMs: 12 }
  const okSince = iso(nowMs - 86_400_000)
  return [
    {
      ...common,
      name: 'shop-http',
      kind: 'http',
      state: bad === 'fail' ? 'fail' : 'ok',
      since: bad === 'fail' ? iso(sinceMs) : okSince,
      message: bad === 'fail' ? 'HTTP 503 after 12 ms' : 'HTTP 200 after 8 ms',
    },
    {
      ...common,
      name: 'shop-process',
      kind: 'process',
      state: 'ok',
      since: okSince,
      message: '4 processes',
    },
    {
      ...common,
      name: 'disk',
      kind: 'disk',
      state: bad === 'warn' ? 'warn' : 'ok',
      since: bad === 'warn' ? iso(sinceMs) : okSince,
      message: bad === 'warn' ? '88 % of / is used' : '41 % of / is used',
      value: bad === 'warn' ? 88 : 41,
    },
  ]
}

function sampleFacts(at: number): ApiFacts {
  const gib = 1024 ** 3
  return {
    cpu: { cores: 8, busy: ((at * 37) % 90) / 100, ioWait: 0.01 },
    load: [1.2, 1.1, 0.9],
    memory: {
      totalBytes: 32 * gib,
      availableBytes: (4 + ((at * 7) % 24)) * gib,
      swapTotalBytes: 0,
      swapUsedBytes: 0,
    },
    disks: [{ mount: '/', totalBytes: 200 * gib, usedBytes: (40 + ((at * 11) % 140)) * gib }],
    network: { receivedBytesPerS: 3_400_000, sentBytesPerS: 1_200_000, dropsPerS: 0 },
    uptimeS: 4 * 86_400 + 7200,
  }
}

function sampleStatus(host: string, nowMs: number, at: number): ApiStatus {
  const troubled = at % 10 === 3
  return {
    id: `${host}-collector`,
    version: '0.1.0',
    startedAt: new Date(nowMs - 3 * 86_400_000).toISOString(),
    rssBytes: 120 * 1024 ** 2,
    cpuBusy: 0.02,
    spoolBytes: troubled ? 700 * 1024 ** 2 : 2 * 1024 ** 2,
    spoolBytesMax: 1024 ** 3,
    behindBytes: troubled ? 40 * 1024 ** 2 : 0,
    files: 12,
    held: null,
    drops: troubled ? { binary: 12 } : {},
    destinations: [
      {
        name: 'eu-west',
        sent: 120_000,
        failures: troubled ? 9 : 0,
        problem: troubled ? 'HTTP 503: the store is full' : null,
      },
    ],
    statsd: {
      series: 420,
      metrics: 1_200_000,
      packets: 90_000,
      lost: troubled ? { kernel: 120 } : {},
      problem: null,
    },
  }
}

/** The answer of GET /v1/hosts. */
export function hostsAnswer(hosts: readonly FakeHost[], asked: URLSearchParams): object {
  const bare = asked.get('facts') === 'false'
  const wanted = asked.get('host')?.split(',')
  const tiers = [...Map.groupBy(hosts, ({ tier }) => tier)].map(([name, members]) => ({
    name,
    expected: members.filter(({ expected }) => expected).length,
    hosts: members.length,
    up: members.filter(({ state }) => state !== 'silent' && state !== 'missing').length,
    states: Object.fromEntries(
      [...Map.groupBy(members, ({ state }) => state)].map(([state, of]) => [state, of.length]),
    ),
  }))
  return {
    at: new Date().toISOString(),
    source: 'deliveries',
    tiers,
    hosts: hosts
      .filter(({ host }) => wanted?.includes(host) ?? true)
      .map(({ facts, status, ...host }) => (bare ? host : { ...host, facts, status })),
  }
}

/** The answer of GET /v1/collectors. */
export function collectorsAnswer(hosts: readonly FakeHost[]): object {
  const nowMs = Date.now()
  const collectors = hosts
    .filter(({ status }) => status !== null)
    .map(({ site, host, state, skewMs, status }) => ({
      site,
      collector: status?.id ?? '',
      host,
      kind: 'lines',
      watermark: new Date(nowMs - (state === 'silent' ? 95_000 : 900)).toISOString(),
      markAt: new Date(nowMs - (state === 'silent' ? 95_000 : 400)).toISOString(),
      skewMs,
      leftAt: null,
      clonedAt: null,
      epochs: 1,
      lastSeq: 4711,
      pendingRecords: 0,
    }))
  return { collectors }
}
