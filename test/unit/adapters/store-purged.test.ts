import { describe, expect, test } from 'vitest'
import { createPurgedCount, listPurged, withPurged } from '../../../adapters/store-purged.ts'
import type { Purged } from '../../../adapters/store-purged.ts'
import { PURGED_LISTED_MAX } from '../../../core/ports.ts'
import { MATCH_ALL } from '../../../core/query/plan.ts'
import { EVER, query } from '../../support/store-under-test.ts'

const ONE: Purged = {
  class: 'logs',
  reason: 'age',
  fromMs: 0,
  toMs: 10,
  records: 3,
  atMs: 100,
  levels: ['info'],
  services: ['a'],
}

const listed = (list: readonly Purged[], text = '') => listPurged(list, { plan: query(text), range: EVER })

test('what was purged of one site is no gap of a question about another', () => {
  const ofEu = [{ ...ONE, site: 'eu' }]
  expect(listed(ofEu, 'site:eu')).toHaveLength(1)
  expect(listed(ofEu, 'site:us')).toEqual([])
  expect(listed(ofEu)).toMatchObject([{ site: 'eu' }])
  expect(withPurged(ofEu, { ...ONE, site: 'us', reason: 'expired' })).toHaveLength(2)
})

describe('withPurged', () => {
  test('what expired is one range per class, however often it happens', () => {
    const expired = { ...ONE, reason: 'expired' as const }
    const added = {
      ...expired,
      fromMs: 50,
      toMs: 60,
      records: 1,
      atMs: 200,
      levels: ['warn'],
      services: null,
    }
    const list = [ONE, expired, added, { ...expired, class: 'debug' }].reduce<readonly Purged[]>(
      withPurged,
      [],
    )
    expect(list).toHaveLength(3)
    expect(list.filter(({ reason, class: its }) => reason === 'expired' && its === 'logs')).toEqual([
      { ...expired, toMs: 60, records: 4, atMs: 200, levels: ['info', 'warn'], services: null },
    ])
  })

  test('of more ranges than are listed the oldest of a kind become one, and none is forgotten', () => {
    const extra = 50
    const ranges = Array.from({ length: PURGED_LISTED_MAX + extra }, (_, i) => ({
      ...ONE,
      class: i === 0 ? 'debug' : 'logs',
      fromMs: i * 100,
      toMs: i * 100 + 10,
    }))
    const list = ranges.toReversed().reduce<readonly Purged[]>(withPurged, [])
    expect(list).toHaveLength(PURGED_LISTED_MAX)
    expect(list.reduce((sum, { records }) => sum + records, 0)).toBe(3 * ranges.length)
    expect(list[0]).toEqual(ranges[0])
    expect(list.at(-1)).toEqual(ranges.at(-1))
    for (const { fromMs } of ranges)
      expect(listPurged(list, { plan: MATCH_ALL, range: { fromMs, toMs: fromMs + 1 } })).not.toEqual([])
    const [, merged, next] = list
    expect(merged).toMatchObject({ fromMs: 100, records: 3 * (extra + 1), class: 'logs' })
    expect(next).toMatchObject({ records: 3 })
  })
})

describe('listPurged', () => {
  test('is oldest first and shows no values', () => {
    const later = { ...ONE, fromMs: 5, toMs: 6 }
    const { levels: _levels, services: _services, ...shown } = ONE
    expect(listed([later, ONE])).toEqual([shown, { ...shown, fromMs: 5, toMs: 6 }])
  })

  test.each([
    { text: 'level:info', found: true },
    { text: 'level:error', found: false },
    { text: 'service:a', found: true },
    { text: 'service:b', found: false },
    { text: 'service:b OR word', found: true },
    { text: 'word service:(b OR c)', found: false },
    { text: 'NOT service:a', found: false },
    { text: 'host:b', found: true },
  ])('$text', ({ text, found }) => {
    expect(listed([ONE], text).length > 0).toBe(found)
  })

  test('services that were too many to keep exclude nothing', () => {
    const count = createPurgedCount()
    for (let i = 0; i < 1_000; i++) count.add({ timeMs: i, level: 'info', service: `s${i}` })
    const purged = count.purged({ class: 'logs', reason: 'size', atMs: 5 })
    expect(purged).toMatchObject({ fromMs: 0, toMs: 1_000, records: 1_000, services: null })
    expect(listed(purged === null ? [] : [purged], 'service:other')).toHaveLength(1)
  })

  test('without a record there is no range', () => {
    expect(createPurgedCount().purged({ class: 'logs', reason: 'age', atMs: 5 })).toBe(null)
  })
})
