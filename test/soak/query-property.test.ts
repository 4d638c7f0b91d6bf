import { test } from 'vitest'
import { createMemoryStore } from '../../adapters/store-memory.ts'
import { agreesWithMatcher } from '../contracts/store-oracle.ts'
import { makeEmbeddedStore } from '../support/embedded-under-test.ts'
import type { MakeOptions, MakeStore } from '../support/store-under-test.ts'

const RUNS = Number(process.env['PROPERTY_RUNS'] ?? 200_000)
const SEED = Number(process.env['PROPERTY_SEED'] ?? Math.floor(Math.random() * 2 ** 31))
const PROGRESS_MS = 60_000
/** Many times what the slower store takes for a case on a small machine. */
const RUN_MS_MAX = 200

async function makeMemoryStore(options?: MakeOptions): ReturnType<MakeStore> {
  const store = createMemoryStore(options)
  return { store, [Symbol.asyncDispose]: () => store.close() }
}

test.each([
  { name: 'memory', make: makeMemoryStore },
  { name: 'embedded', make: makeEmbeddedStore },
])(
  `$name: ${RUNS} random queries mean what the matcher means, seed ${SEED}`,
  async ({ name, make }) => {
    let toldAtMs = performance.now()
    const progress = (runs: number) => {
      if (performance.now() - toldAtMs < PROGRESS_MS) return
      toldAtMs = performance.now()
      process.stderr.write(`${name}: ${runs} of ${RUNS} cases, seed ${SEED}\n`)
    }
    await agreesWithMatcher(make, { runs: RUNS, seed: SEED, progress })
  },
  RUNS * RUN_MS_MAX,
)
