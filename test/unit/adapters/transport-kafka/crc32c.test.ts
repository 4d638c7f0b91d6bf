import { createRequire } from 'node:module'
import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { crc32c } from '../../../../adapters/transport-kafka/crc32c.ts'

const ofLibrary = createRequire(import.meta.url)('kafkajs/src/protocol/recordBatch/crc32C/crc32C') as (
  bytes: Uint8Array,
) => number

test('the check value of the algorithm', () => {
  expect(crc32c(Buffer.from('123456789'))).toBe(0xe3069283)
})

test('bytes of any length have the sum that the library gives them', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 1_000, size: 'max' }), (bytes) => {
      expect(crc32c(bytes)).toBe(ofLibrary(bytes))
    }),
  )
})
