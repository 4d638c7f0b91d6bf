import { describe, inject } from 'vitest'

const addresses = inject('engines')

/** Where the Kafka of this test run answers; use it only below `describeWithKafka`. */
export const kafkaBrokers = addresses.kafka ?? ''
/** Where the Elasticsearch of this test run answers; use it only below `describeWithElasticsearch`. */
export const elasticsearchUrl = addresses.elasticsearch ?? ''

/** Skipped, with the reason in the name, where there is no Kafka. */
export function describeWithKafka(name: string, tests: () => void | Promise<void>): void {
  describeUnless(addresses.kafka === null, name, tests)
}

/** Skipped, with the reason in the name, where there is no Elasticsearch. */
export function describeWithElasticsearch(name: string, tests: () => void | Promise<void>): void {
  describeUnless(addresses.elasticsearch === null, name, tests)
}

/** Skipped, with the reason in the name, unless both are there. */
export function describeWithEngines(name: string, tests: () => void | Promise<void>): void {
  describeUnless(addresses.kafka === null || addresses.elasticsearch === null, name, tests)
}

function describeUnless(missing: boolean, name: string, tests: () => void | Promise<void>): void {
  // eslint-disable-next-line vitest/no-disabled-tests -- the name says why; with NOCTULE_REQUIRE_ENGINES=1 the set-up has failed before.
  if (missing) describe.skip(`${name} (skipped: ${addresses.missing})`, tests)
  else describe(name, tests)
}
