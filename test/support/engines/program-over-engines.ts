import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parse, stringify } from 'yaml'
import { changePrograms, type ProgramOptions } from '../program.ts'
import { elasticsearchUrl, kafkaBrokers } from './under-test.ts'
import { randomPrefix } from './prefix.ts'

/** Elasticsearch as the store, under names that no other test has. */
export function elasticStore(prefix: string) {
  return {
    kind: 'elasticsearch',
    elasticsearch: { nodes: [elasticsearchUrl], prefix, replicas: 0, refreshMs: 200 },
  }
}

/** The Kafka of this test run, under names that no other test has. */
export function kafkaOf(prefix: string) {
  return { brokers: [kafkaBrokers], prefix, topics: { partitions: 2, replication: 1 } }
}

/**
 * From now on, in this test file: every program keeps its records in Elasticsearch, and one that collects sends them through
 * Kafka. Programs on one data directory share topics and indices, as they would share a store.
 */
export function runProgramsOverEngines(): void {
  const prefixes = new Map<string, string>()
  changePrograms((options) => {
    if (options.role === 'collector') return options
    const prefix = prefixes.get(options.dataDir) ?? randomPrefix()
    prefixes.set(options.dataDir, prefix)
    return { ...options, configFile: writeConfig(options, prefix) }
  })
}

function writeConfig({ configFile, dataDir, role = 'all' }: ProgramOptions, prefix: string): string {
  const given = configFile === undefined ? {} : (parse(readFileSync(configFile, 'utf8')) as Given)
  const { site = 'local', collector = {} } = given
  const throughKafka = {
    kafka: { clusters: [{ site, ...kafkaOf(prefix) }] },
    collector: { destinations: [{ name: 'kafka', kafka: kafkaOf(prefix) }], ...collector },
  }
  const config = { ...given, store: elasticStore(prefix), ...(role === 'all' ? throughKafka : {}) }
  const file = `${configFile ?? join(dataDir, '..', 'noctule')}.engines.yaml`
  writeFileSync(file, stringify(config))
  return file
}

interface Given {
  readonly site?: string
  readonly collector?: object
}
