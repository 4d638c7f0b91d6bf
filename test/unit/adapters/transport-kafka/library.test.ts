import { createRequire } from 'node:module'
import { expect, test } from 'vitest'
import { createKafkaSender } from '../../../../adapters/transport-kafka.ts'
import { crc32c } from '../../../../adapters/transport-kafka/crc32c.ts'
import { systemClock } from '../../../../core/clock.ts'
import { quietLog } from '../../../support/quiet-log.ts'

interface RequestQueue {
  throttledUntil: number
  readonly pending: unknown[]
  readonly throttleCheckTimeoutId: NodeJS.Timeout | null
  scheduleCheckPendingRequests(): void
  destroy(): void
}

test('the library sums as we do; an idle connection of it sets no timer, one that waits does', async () => {
  const connection = { brokers: ['k:1'], prefix: 'n', clientId: 'c', sasl: null, tls: null }
  const topics = { partitions: 1, replication: 1, retentionMs: 1, segmentMs: 1 }
  await createKafkaSender({
    connection,
    topics,
    clock: systemClock,
    log: quietLog,
    site: 'eu',
    host: 'web-1',
  }).close()
  expect(createRequire(import.meta.url)('kafkajs/src/protocol/recordBatch/crc32C')).toBe(crc32c)
  const logger = { namespace: () => ({ debug() {}, warn() {} }) }
  const Queue = createRequire(import.meta.url)('kafkajs/src/network/requestQueue') as new (
    options: object,
  ) => RequestQueue
  const queue = new Queue({ requestTimeout: 1_000, clientId: 'c', broker: 'k:1', logger })
  queue.scheduleCheckPendingRequests()
  expect(queue.throttleCheckTimeoutId).toBeFalsy()
  queue.throttledUntil = Date.now() + 60_000
  queue.scheduleCheckPendingRequests()
  expect(queue.throttleCheckTimeoutId).toBeTruthy()
  queue.destroy()
})
