import { StatsD } from 'hot-shots'
import type { Config } from '../core/config.ts'
import { messageOf } from '../core/errors.ts'
import type { Part } from '../core/lifecycle.ts'
import type { Clock, Logger, Metrics } from '../core/ports.ts'

const SEND_EVERY_MS = 1_000
/** As wide as the points that are made of them by default: a gauge has one value in each. */
const GAUGES_EVERY_MS = 10_000
/** Fits into a frame of every network, so that no datagram is torn. */
const DATAGRAM_BYTES_MAX = 1_400
/** Measurements of a second that are sent one by one; of more only a hundredth is sent, and says so. */
const OBSERVATIONS_MAX = 1_000
const OBSERVATIONS_SHARE = 0.01

type Labels = Readonly<Record<string, string>>

export interface StatsdAddress {
  readonly host: string
  readonly port: number
}

export interface StatsdMetricsOptions {
  /** Gets everything as well, and answers `text()`. */
  readonly inner: Metrics
  /** On every metric. */
  readonly tags: Labels
  readonly clock: Clock
  readonly log: Logger
}

interface Sum {
  readonly name: string
  readonly labels: Labels
  value: number
}

/** Metrics that are sent while their sender runs. */
export interface StatsdMetrics extends Metrics {
  /**
   * The only one. `to` is asked at its start; null: nothing is sent. Start it behind the collector and it is stopped before it: the
   * last numbers arrive.
   */
  sender(to: () => StatsdAddress | null): Part
}

/**
 * The program's own numbers, also as DogStatsD over UDP: counters summed up once a second, gauges read every 10 s, histograms as
 * distributions of seconds. Sending never throws, never waits for anybody, and does not keep the process alive. What is lost on the
 * way is lost: `inner` has it all.
 */
export function createStatsdMetrics(options: StatsdMetricsOptions): StatsdMetrics {
  const { inner } = options
  const sums = new Map<string, Sum>()
  const gauges: { readonly name: string; readonly read: () => number }[] = []
  const sending = createSending(options, { sums, gauges })

  return {
    counter(name, help, labelNames) {
      const counter = inner.counter(name, help, labelNames)
      const sent = statsdName(name)
      return {
        add(value, labels = {}) {
          counter.add(value, labels)
          addTo(sums, { name: sent, labels, value })
        },
      }
    },
    gauge(name, help, read) {
      inner.gauge(name, help, read)
      gauges.push({ name: statsdName(name), read })
    },
    histogram(name, help, labelNames) {
      const histogram = inner.histogram(name, help, labelNames)
      const sent = statsdName(name)
      return {
        observe(seconds, labels = {}) {
          histogram.observe(seconds, labels)
          sending.observe(sent, seconds, labels)
        },
      }
    },
    text: () => inner.text(),
    sender: sending.part,
  }
}

/** `noctule_http_requests_total` → `noctule.http_requests`. */
export function statsdName(name: string): string {
  return name.replace(/^noctule_/, 'noctule.').replace(/_total$/, '')
}

function addTo(sums: Map<string, Sum>, { name, labels, value }: Sum): void {
  const key = JSON.stringify([name, labels])
  const sum = sums.get(key)
  if (sum === undefined) sums.set(key, { name, labels, value })
  else sum.value += value
}

interface Collected {
  readonly sums: ReadonlyMap<string, Sum>
  readonly gauges: readonly { readonly name: string; readonly read: () => number }[]
}

function createSending({ tags, clock, log }: StatsdMetricsOptions, { sums, gauges }: Collected) {
  let client: StatsD | null = null
  let observed = 0
  let gaugesSlot = -1
  let cancelTimer = () => {}
  let warned = false

  function warnOnce(error: unknown) {
    if (!warned) log.warn({ error: messageOf(error) }, 'the own numbers cannot be sent as statsd')
    warned = true
  }

  function sendGauges(into: StatsD) {
    const slot = Math.floor(clock.nowMs() / GAUGES_EVERY_MS)
    if (slot === gaugesSlot) return
    gaugesSlot = slot
    for (const { name, read } of gauges) {
      try {
        const value = read()
        // A sign would make it a change of the last value; ours are sizes and counts.
        if (Number.isFinite(value) && value >= 0) into.gauge(name, value)
      } catch (error) {
        warnOnce(error)
      }
    }
  }

  function send(into: StatsD) {
    observed = 0
    for (const sum of sums.values()) {
      if (sum.value !== 0) into.increment(sum.name, sum.value, { ...sum.labels })
      sum.value = 0
    }
    sendGauges(into)
    into.flush()
  }

  function later(into: StatsD) {
    cancelTimer = clock.after(SEND_EVERY_MS, () => {
      send(into)
      later(into)
    })
  }

  const part = (to: () => StatsdAddress | null): Part => ({
    name: 'own metrics',
    async start() {
      const address = to()
      if (address === null) return
      client = openClient(address, tags, warnOnce)
      later(client)
    },
    async stop() {
      const open = client
      if (open === null) return
      client = null
      cancelTimer()
      send(open)
      await new Promise<void>((resolve) => open.close(() => resolve()))
    },
  })
  return {
    part,
    observe(name: string, seconds: number, labels: Labels) {
      if (client === null) return
      observed += 1
      client.distribution(name, seconds, observed > OBSERVATIONS_MAX ? OBSERVATIONS_SHARE : 1, { ...labels })
    },
  }
}

/**
 * Where `metrics.selfTo` points; null: nowhere. By default it is the statsd of the configuration: of this process's own collector,
 * on the `port` that it really took, else of the collector beside us, when the configuration names its port.
 */
export function selfAddress(
  { metrics: { selfTo }, collector: { statsd } }: Pick<Config, 'metrics' | 'collector'>,
  port: number | null,
): StatsdAddress | null {
  if (selfTo === null) return null
  if (selfTo !== undefined) {
    const [host = '', configured = ''] = selfTo.split(':')
    return { host, port: Number(configured) }
  }
  const known = port ?? statsd.port
  if (!statsd.enabled || known === 0) return null
  const everywhere: Labels = { '0.0.0.0': '127.0.0.1', '::': '::1' }
  return { host: everywhere[statsd.host] ?? statsd.host, port: known }
}

/** Nothing of the environment changes what is sent: DD_… are for the applications beside us. */
function openClient({ host, port }: StatsdAddress, tags: Labels, onError: (error: unknown) => void): StatsD {
  return new StatsD({
    host,
    port,
    protocol: 'udp',
    cacheDns: true,
    globalTags: { ...tags },
    includeDataDogTags: false,
    datadog: false,
    maxBufferSize: DATAGRAM_BYTES_MAX,
    closingFlushInterval: 10,
    errorHandler: onError,
  })
}
