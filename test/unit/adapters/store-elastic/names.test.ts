import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { OLDER_SLOT_MS, createNames } from '../../../../adapters/store-elastic/names.ts'

const names = createNames('noctule')

test.each([
  {
    site: 'eu-west',
    its: 'all',
    slotMs: Date.UTC(2026, 10, 21, 3),
    index: 'noctule-logs-eu-west-all-20261121t0300z',
  },
  {
    site: 'eu',
    its: 'debug',
    slotMs: Date.UTC(2026, 10, 21, 3, 0, 5),
    index: 'noctule-logs-eu-debug-20261121t030005z',
  },
  { site: 'a', its: 'b-c', slotMs: 0, index: 'noctule-logs-a-b~2dc-19700101t0000z' },
  { site: 'a-b', its: 'c', slotMs: 0, index: 'noctule-logs-a-b-c-19700101t0000z' },
  { site: 'Ä', its: 'all', slotMs: OLDER_SLOT_MS, index: 'noctule-logs-~c3~84-all-older' },
])('$index', ({ site, its, slotMs, index }) => {
  expect(names.index({ site, class: its, slotMs })).toBe(index)
})

test('every index tells its slot, and Elasticsearch takes its name', () => {
  const char = fc.constantFrom('a', 'z', '0', '-', '_', '.', '~', ' ', '/', 'A', 'Ä', '漢', '🦇', '\0')
  const text = fc.string({ unit: char, maxLength: 8 })
  const slotMs = fc.integer({ min: -8.64e12 + 1, max: 8.64e12 }).map((seconds) => seconds * 1_000)
  fc.assert(
    fc.property(
      text,
      text.filter((one) => one !== ''),
      slotMs,
      (site, its, start) => {
        const slot = { site, class: its, slotMs: start }
        const index = names.index(slot)
        expect(index).toMatch(/^[a-z0-9_.~-]+$/)
        expect(names.alias(index).length).toBeLessThanOrEqual(255)
        expect(names.parse(index)).toEqual(slot)
      },
    ),
  )
})

test.each([
  'noctule-ledger',
  'noctule-logs-',
  'noctule-logs-a-b',
  'noctule-logs-a-b-20269999t9999z',
  'other-logs-a-b-older',
])('%s is none of ours', (index) => {
  expect(names.parse(index)).toBeNull()
})
