import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { decodeRecords, encodeRecords } from '../../../../adapters/store-embedded/columns.ts'
import { heldRecord } from '../../../../adapters/store-record.ts'
import { recordFields } from '../../../support/record-arbitraries.ts'
import { storedBatch } from '../../../support/records.ts'

test('records come back from columns as a store holds them', () => {
  fc.assert(
    fc.property(fc.array(recordFields), fc.nat(7), (fields, offset) => {
      const { records } = storedBatch(fields)
      const encoded = encodeRecords(records)
      const shifted = Buffer.concat([Buffer.alloc(offset), encoded]).subarray(offset)
      expect(decodeRecords(shifted)).toEqual(records.map(heldRecord))
    }),
  )
})
