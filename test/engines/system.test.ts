import { runProgramsOverEngines } from '../support/engines/program-over-engines.ts'
import { describeWithEngines } from '../support/engines/under-test.ts'

// The same cases as with the embedded store and no Kafka; only `crash` has fewer kills, because Kafka notices a dead member late.
runProgramsOverEngines()

describeWithEngines('over Kafka and Elasticsearch', async () => {
  await import('../system/configuration.test.ts')
  await import('../system/first-run.test.ts')
  await import('../system/gaps.test.ts')
  await import('../system/hard-lines.test.ts')
  await import('../system/http-collector.test.ts')
  await import('../system/import.test.ts')
  await import('../system/statsd.test.ts')
  await import('../system/disk-full.test.ts')
})
