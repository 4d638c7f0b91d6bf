/** Stores batches and says so after each acknowledgement, until it is killed: `store-kill-child.ts <folder> <segmentRecords>`. */
import { writeSync } from 'node:fs'
import { openEmbeddedStore } from '../adapters/store-embedded/store.ts'
import { generateBatches } from '../test/support/generator-batches.ts'
import { quietLog } from '../test/support/quiet-log.ts'
import { KILL_RECORDS, killStoreOptions } from './store-kill.ts'
import { BATCH, DAY, DAY_HOURS, IN_FLIGHT } from './store-plans.ts'

const STDOUT = 1
const [dir = ''] = process.argv.slice(2)
const never = new AbortController().signal
const store = await openEmbeddedStore({ ...killStoreOptions(dir), log: quietLog })
const batches = generateBatches({
  seed: 3,
  // More than are waited for: it must not come to its end before it is killed.
  records: KILL_RECORDS * 2,
  batch: BATCH,
  fromMs: DAY.fromMs,
  hours: DAY_HOURS,
})
const sender = async () => {
  for (let next = await batches.next(); next.done !== true; next = await batches.next()) {
    const { records } = next.value
    await store.append(next.value, never)
    // Written at once: what the parent reads was acknowledged before.
    writeSync(STDOUT, `${records[0]?.id ?? ''} ${records.length}\n`)
  }
}
await Promise.all(Array.from({ length: IN_FLIGHT }, sender))
