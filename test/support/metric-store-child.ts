/** Appends batches of one counter and says so after each acknowledgement, until it is killed: `metric-store-child.ts <folder>`. */
import { writeSync } from 'node:fs'
import { openEmbeddedMetricStore } from '../../adapters/metric-store-embedded.ts'
import { systemClock as clock } from '../../core/clock.ts'
import { nodeFs as fs } from '../../core/fs.ts'
import { RETENTION, metricBatch, metricPoint } from './metric-store-under-test.ts'
import { quietLog as log } from './quiet-log.ts'

const STDOUT = 1
const [dir = ''] = process.argv.slice(2)
const options = { dir, retention: RETENTION, seriesMax: 1_000, tablePointsMax: 50, clock, fs, log }
const store = await openEmbeddedMetricStore(options)
const startMs = Math.floor(Date.now() / 10_000) * 10_000
for (let seq = 1; ; seq += 1) {
  await store.append(metricBatch([metricPoint({}, startMs)], { seq }), new AbortController().signal)
  writeSync(STDOUT, `${seq}\n`) // At once: what the parent reads was acknowledged before.
}
