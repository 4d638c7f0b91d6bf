import { openEngines } from '../support/engines/engines.ts'

// `npm run engines`: a Kafka and an Elasticsearch for a developer, until Ctrl-C.
console.log('starting Kafka and Elasticsearch (the first time downloads about 1 GB) ...')
const engines = await openEngines()
const { kafka, elasticsearch, missing } = engines.addresses
if (missing !== '') console.log(`missing: ${missing}`)
if (kafka !== null) console.log(`export KAFKA_BROKERS=${kafka}`)
if (elasticsearch !== null) console.log(`export ELASTICSEARCH_URL=${elasticsearch}`)
const keepRunning = setInterval(() => {}, 60_000)
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => {
    clearInterval(keepRunning)
    void engines[Symbol.asyncDispose]()
  })
}
