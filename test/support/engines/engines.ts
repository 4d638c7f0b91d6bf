import { startElasticsearch } from './elasticsearch.ts'
import { EngineMissing } from './java.ts'
import { startKafka } from './kafka.ts'

/** Where the engines of a test run answer; null: there is none, and `missing` says why. */
export interface EngineAddresses {
  /** `host:port` of a Kafka without security. */
  readonly kafka: string | null
  readonly elasticsearch: string | null
  readonly missing: string
}

export interface Engines extends AsyncDisposable {
  readonly addresses: EngineAddresses
}

interface Opened {
  readonly address: string | null
  readonly missing: string
  stop(): Promise<void>
}

/**
 * The engines named by KAFKA_BROKERS and ELASTICSEARCH_URL, else started here. One that this machine cannot start is missing,
 * which is an error with NOCTULE_REQUIRE_ENGINES=1.
 */
export async function openEngines(): Promise<Engines> {
  const { KAFKA_BROKERS, ELASTICSEARCH_URL } = process.env
  const settled = await Promise.allSettled([
    open(KAFKA_BROKERS, async () => {
      const kafka = await startKafka()
      return { address: kafka.brokers, stop: async () => await kafka[Symbol.asyncDispose]() }
    }),
    open(ELASTICSEARCH_URL, async () => {
      const node = await startElasticsearch()
      return { address: node.url, stop: async () => await node[Symbol.asyncDispose]() }
    }),
  ])
  const opened = settled.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []))
  const dispose = async () => void (await Promise.all(opened.map((engine) => engine.stop())))
  const failure = settled.find((one) => one.status === 'rejected')
  const [kafka, elasticsearch] = opened
  if (failure !== undefined || kafka === undefined || elasticsearch === undefined) {
    await dispose()
    throw failure?.reason
  }
  const missing = opened.flatMap((engine) => (engine.missing === '' ? [] : [engine.missing])).join('; ')
  return {
    addresses: { kafka: kafka.address, elasticsearch: elasticsearch.address, missing },
    [Symbol.asyncDispose]: dispose,
  }
}

async function open(
  given: string | undefined,
  start: () => Promise<{ address: string; stop(): Promise<void> }>,
): Promise<Opened> {
  if (given !== undefined) return { address: given, missing: '', async stop() {} }
  try {
    return { missing: '', ...(await start()) }
  } catch (error) {
    if (!(error instanceof EngineMissing) || process.env['NOCTULE_REQUIRE_ENGINES'] === '1') throw error
    return { address: null, missing: error.message, async stop() {} }
  }
}
