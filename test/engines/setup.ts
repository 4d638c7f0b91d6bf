import type { TestProject } from 'vitest/node'
import { type EngineAddresses, openEngines } from '../support/engines/engines.ts'

declare module 'vitest' {
  interface ProvidedContext {
    engines: EngineAddresses
  }
}

/** Starts Kafka and Elasticsearch once for all tests with engines. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const engines = await openEngines()
  const { missing } = engines.addresses
  if (missing !== '') console.warn(`\n!!! TESTS WITH REAL ENGINES ARE SKIPPED: ${missing}\n`)
  project.provide('engines', engines.addresses)
  return async () => await engines[Symbol.asyncDispose]()
}
