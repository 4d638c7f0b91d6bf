import { randomBytes, randomInt } from 'node:crypto'
import { Client } from '@elastic/elasticsearch'
import type { Clock, Logger, Store } from '../core/ports.ts'
import type { Retention } from '../core/retention.ts'
import { createAppender } from './store-elastic/appender.ts'
import { createArrivalNews } from './store-elastic/arrival-news.ts'
import { createBulkWriter } from './store-elastic/bulk.ts'
import { createElastic } from './store-elastic/elastic.ts'
import type { Elastic, SendRequest } from './store-elastic/elastic.ts'
import { toServiceError } from './store-elastic/failures.ts'
import { createLedgerDocuments } from './store-elastic/ledger-documents.ts'
import { createNames } from './store-elastic/names.ts'
import { POSITION_STEP, createPositions } from './store-elastic/positions.ts'
import { prepareIndices } from './store-elastic/prepare.ts'
import { createPurger } from './store-elastic/purge.ts'
import { createElasticQueries } from './store-elastic/queries.ts'
import { createReadiness, observed } from './store-elastic/readiness.ts'
import type { StoreStatus } from './store-elastic/readiness.ts'
import { createRefresher } from './store-elastic/refresher.ts'
import { createPolicies, createSlots } from './store-elastic/slots.ts'
import { statsOf } from './store-elastic/stats.ts'

export interface ElasticConnectionOptions {
  /** URLs; the next one is tried when one does not answer. */
  readonly nodes: readonly string[]
  readonly auth: { readonly apiKey: string } | { readonly username: string; readonly password: string } | null
  /** PEM text of the authority that signed the nodes' certificates; null: those that Node trusts. */
  readonly ca: string | null
  readonly requestTimeoutMs: number
}

export interface ElasticOptions extends ElasticConnectionOptions {
  /** Starts the name of every index, alias and template. */
  readonly prefix: string
  /** Of each new index. */
  readonly shards: number
  readonly replicas: number
  /** Records are searchable, and acknowledged, so long after they came, at the latest twice as long. */
  readonly refreshMs: number
  readonly retention: Retention
  readonly clock: Clock
  readonly log: Logger
}

export interface ElasticStore extends Store {
  /** Whether Elasticsearch answers, and if not, why. */
  status(): StoreStatus
}

/** What is being written gets so long to end when the store closes. */
const CLOSE_WITHIN_MS = 10_000
const WRITER_BYTES = 8
/** A batch waits for two of them and a refresh before it is acknowledged. */
const LEDGER_WRITES_PER_REFRESH = 5

/**
 * Keeps records in Elasticsearch. Opens while it is down, too: then every call throws STORE_UNAVAILABLE until it is there.
 * Several processes may write to the same prefix.
 */
export async function openElasticStore(options: ElasticOptions): Promise<ElasticStore> {
  const log = options.log.child({ store: 'elasticsearch' })
  const { client, elastic, outcome } = connectElastic(options)
  const parts = createParts({ ...options, log }, elastic)
  const readiness = createReadiness({ clock: options.clock, log, outcome, prepare: () => begin(parts) })
  await readiness.begin()
  const store = createStore(parts, async () => {
    readiness.close()
    await close(parts, options.clock)
    await client.close()
  })
  return { ...guarded(store, () => readiness.assertReady()), status: () => readiness.status() }
}

/** A client of its own, and what its last answer says of Elasticsearch. Who connects closes the client. */
export function connectElastic({ nodes, auth, ca, requestTimeoutMs }: ElasticConnectionOptions) {
  const client = new Client({
    nodes: [...nodes],
    ...(auth === null ? {} : { auth }),
    ...(ca === null ? {} : { tls: { ca } }),
    // Each node once; what lies between tries is decided here, where it is known what is asked.
    maxRetries: nodes.length - 1,
  })
  const send: SendRequest = (params, { signal, headers }) =>
    client.transport.request(params, { signal, ...(headers === undefined ? {} : { headers }) })
  return { client, ...observed(createElastic(send, { requestTimeoutMs })) }
}

function createParts(options: ElasticOptions, elastic: Elastic) {
  const { clock, log, refreshMs, retention } = options
  const names = createNames(options.prefix)
  const prepare = () => prepareIndices(elastic, names, options)
  const common = { elastic, names, policies: createPolicies(retention), clock, log, prepare }
  const slots = createSlots(common)
  const writeEveryMs = refreshMs / LEDGER_WRITES_PER_REFRESH
  const ledger = createLedgerDocuments({
    ...common,
    writeEveryMs,
    writer: randomBytes(WRITER_BYTES).toString('hex'),
  })
  const positions = createPositions(clock, randomInt(POSITION_STEP))
  const bulk = createBulkWriter(common)
  const refresher = createRefresher({ elastic, clock, refreshMs })
  const news = createArrivalNews({ ledger, clock })
  const arrived = () => news.arrived()
  const appender = createAppender({ ...common, slots, ledger, positions, bulk, refresher, arrived })
  const purger = createPurger({ ...common, slots })
  return { ...common, slots, ledger, positions, bulk, news, appender, purger }
}

type Parts = ReturnType<typeof createParts>

async function begin({ prepare, ledger, positions, slots, purger }: Parts): Promise<void> {
  await prepare()
  await ledger.sync()
  positions.passed(ledger.top())
  await slots.list()
  await purger.sync()
}

function createStore(parts: Parts, end: () => Promise<void>): Store {
  const { elastic, names, clock, slots, ledger, news, appender, purger } = parts
  const hidden = () => slots.hidden()

  async function horizon(): Promise<number> {
    await ledger.sync()
    return ledger.horizon()
  }

  return {
    ...createElasticQueries({ elastic, names, clock, hidden, horizon: async () => (await horizon()) + 1 }),
    append: (batch, signal) => appender.append(batch, signal),
    note: (notes) => ledger.note(notes),
    async ledger() {
      await ledger.sync()
      return ledger.snapshot()
    },
    head: horizon,
    onArrival: (listener) => news.onArrival(listener),
    async stats() {
      await purger.sync()
      return await statsOf({ ...parts, hidden, purged: () => purger.total() })
    },
    async purged(request) {
      await Promise.all([ledger.sync(), purger.sync()])
      return await purger.list(request, ledger.expired())
    },
    purge: () => purger.run(),
    close: end,
  }
}

async function close({ news, appender, bulk, ledger, purger }: Parts, clock: Clock): Promise<void> {
  news.close()
  purger.stop()
  await atMost(clock, appender.idle())
  bulk.close()
  await atMost(clock, ledger.leave())
  ledger.close()
  purger.close()
}

/** Waits for it, but not for ever. */
export async function atMost(clock: Clock, work: Promise<void>): Promise<void> {
  const late = new AbortController()
  const waited = clock.sleep(CLOSE_WITHIN_MS, late.signal).catch(() => undefined)
  await Promise.race([work.catch(() => undefined), waited])
  late.abort()
}

/** Every call only when the store is ready, and failures as ServiceErrors. */
function guarded(store: Store, assertReady: () => void): Store {
  async function call<T>(run: () => Promise<T>): Promise<T> {
    assertReady()
    try {
      return await run()
    } catch (error) {
      throw toServiceError(error)
    }
  }
  return {
    append: (batch, signal) => call(() => store.append(batch, signal)),
    note: (notes) => call(() => store.note(notes)),
    ledger: () => call(() => store.ledger()),
    search: (request, signal) => call(() => store.search(request, signal)),
    exportPage: (request, signal) => call(() => store.exportPage(request, signal)),
    histogram: (request, signal) => call(() => store.histogram(request, signal)),
    top: (request, signal) => call(() => store.top(request, signal)),
    explain: (request, signal) => call(() => store.explain(request, signal)),
    arrivals: (request, signal) => call(() => store.arrivals(request, signal)),
    head: () => call(() => store.head()),
    onArrival: (listener) => store.onArrival(listener),
    stats: () => call(() => store.stats()),
    purged: (request) => call(() => store.purged(request)),
    purge: () => call(() => store.purge()),
    close: once(() => store.close()),
  }
}

export function once(run: () => Promise<void>): () => Promise<void> {
  let running: Promise<void> | null = null
  return () => (running ??= run())
}
