import { describe, expect, test } from 'vitest'
import { createLedger } from '../../../../core/ledger/apply.ts'
import { GAPS_LISTED_MAX, hasLeft, judge, LEFT_AFTER_MS } from '../../../../core/ledger/judge.ts'
import { EPOCH, epochOf, markOf, someFacts } from '../../../support/ledger.ts'

const NOW = 100_000
const OPTIONS = { settleMs: 3_000, silentAfterMs: 5_000, startedAtMs: 0 }

/** A ledger with short names for what happens to it. Marks are taken off by MARK_TRANSIT_MS = 250 ms. */
function scenario() {
  const ledger = createLedger()
  const at = (arrivedAtMs: number, fields: Parameters<typeof markOf>[0] = {}) =>
    ledger.applyNote({
      type: 'mark',
      site: 'eu',
      arrivedAtMs,
      mark: markOf({ sentAtMs: arrivedAtMs, ...fields }),
    })
  const marks = (untilMs: number, fields: Parameters<typeof markOf>[0] = {}) => {
    at(10_000, fields)
    at(20_000, fields)
    at(untilMs, fields)
  }
  const judged = (fromMs = 0, toMs = NOW, options: Partial<typeof OPTIONS & { nowMs: number }> = {}) =>
    judge(ledger.collectors(), 'eu', { fromMs, toMs }, { nowMs: NOW, ...OPTIONS, ...options })
  return { ledger, at, marks, judged }
}

test('a site whose collectors are caught up is complete, to the watermark', () => {
  const { marks, judged } = scenario()
  marks(NOW - 1_000)
  expect(judged()).toEqual({ complete: true, completeToMs: NOW - 1_250, gaps: [], gapsTotal: 0 })
  expect(judged(50_000, 60_000)).toMatchObject({ complete: true, completeToMs: 60_000 })
})

test('reading that lags counts against the watermark', () => {
  const { marks, judged } = scenario()
  marks(NOW, { readAgeMs: 2_000 })
  expect(judged()).toMatchObject({ complete: true, completeToMs: NOW - 2_250 })
  const { marks: slower, judged: later } = scenario()
  slower(NOW, { readAgeMs: 4_000 })
  expect(later()).toMatchObject({ complete: false, completeToMs: NOW - 4_250, gaps: [{ reason: 'late' }] })
  const { marks: slow, judged: behind } = scenario()
  slow(NOW, { readAgeMs: 9_000 })
  expect(behind().gaps).toMatchObject([{ reason: 'backlog', fromMs: NOW - 9_250 }])
})

test('nobody ever reported: nothing is known', () => {
  const { judged, ledger } = scenario()
  expect(judged()).toEqual({
    complete: false,
    completeToMs: null,
    gaps: [{ reason: 'silent', fromMs: 0, toMs: NOW, detail: 'no collector has reported yet' }],
    gapsTotal: 1,
  })
  ledger.applyBatch(someFacts({ collector: 'import-1', kind: 'records' }))
  expect(judged().complete).toBe(false)
})

test('collectors of another site do not count', () => {
  const { judged, marks } = scenario()
  marks(NOW)
  const other = judge(
    scenario().ledger.collectors(),
    'us',
    { fromMs: 0, toMs: NOW },
    { nowMs: NOW, ...OPTIONS },
  )
  expect([judged().complete, other.complete]).toEqual([true, false])
})

test('a range that nothing can be known of yet is not complete', () => {
  const { judged, marks } = scenario()
  marks(NOW)
  expect(judged(NOW - 2_000, NOW)).toMatchObject({ complete: false, gapsTotal: 1 })
  expect(judged(NOW + 1_000, NOW + 2_000)).toMatchObject({ complete: false, completeToMs: null })
})

describe('missing batches', () => {
  /** Marks at 10 s, 20 s, 30 s and 40 s; the one at 30 s named batches up to 5, none of them stored but 1. */
  function withMissing(fields: Parameters<typeof markOf>[0]) {
    const made = scenario()
    made.at(10_000)
    made.at(20_000)
    made.ledger.applyBatch(someFacts())
    made.at(30_000, { lastSeq: 5, ...fields })
    made.at(NOW - 500, { lastSeq: 5, ...fields })
    return made
  }
  const between = { fromMs: 19_750, toMs: 30_001, collector: 'c1', host: 'web-1' }

  test.each([
    {
      name: 'that wait in the spool',
      fields: { pending: [[2, 5]] as const },
      reason: 'backlog',
      records: 10,
    },
    { name: 'on their way', fields: { spoolLow: 2 }, reason: 'late' },
    { name: 'that left the spool', fields: {}, reason: 'lost' },
  ])('$name are a gap $reason between the marks around them', ({ fields, reason, records }) => {
    const { judged, ledger } = withMissing(fields)
    const more = records === undefined ? {} : { records }
    expect(judged()).toMatchObject({
      complete: false,
      completeToMs: 19_750,
      gaps: [{ reason, ...between, ...more }],
    })
    expect(judged(0, 19_000).complete).toBe(true)
    expect(judged(31_000, NOW).complete).toBe(true)
    for (const seq of [2, 3, 4, 5]) ledger.applyBatch(someFacts({ seq }))
    expect(judged()).toMatchObject({ complete: true, gapsTotal: 0 })
  })

  test('that were shed are a gap tombstone, with its reason and its number of records', () => {
    const { judged, ledger } = withMissing({})
    const tombstone = {
      epoch: EPOCH,
      seqFrom: 2,
      seqTo: 4,
      records: 1_024,
      bytes: 9,
      fromMs: 0,
      toMs: 1,
      reason: 'spool full',
    }
    ledger.applyBatch(someFacts({ seq: 6, tombstones: [tombstone] }))
    const { gaps } = judged()
    expect(gaps.map(({ reason, records }) => [reason, records])).toEqual([
      ['lost', undefined],
      ['tombstone', 1_024],
    ])
    expect(gaps[1]?.detail).toContain('spool full')
  })

  test('of an epoch that ended end with it', () => {
    const { judged, ledger, at } = scenario()
    at(10_000)
    at(20_000)
    at(30_000, { epoch: epochOf('second') })
    ledger.applyBatch(someFacts({ epoch: epochOf('second'), previous: { epoch: EPOCH, lastSeq: 2 } }))
    at(NOW, { epoch: epochOf('second'), lastSeq: 1 })
    expect(judged().gaps).toMatchObject([{ reason: 'lost', fromMs: 19_750, toMs: 30_001 }])
  })

  test('a drop before numbering is lost for good, between the marks around its batch', () => {
    const { judged, ledger, at } = scenario()
    at(10_000)
    at(20_000)
    ledger.applyBatch(
      someFacts({ drops: [{ reason: 'rotated away', records: 3, bytes: null, fromMs: 0, toMs: 1 }] }),
    )
    expect(judged(0, NOW).gaps[1]).toMatchObject({ reason: 'lost', fromMs: 19_750, toMs: NOW })
    at(30_000, { lastSeq: 1 })
    at(NOW, { lastSeq: 1 })
    expect(judged()).toMatchObject({
      complete: false,
      gaps: [{ reason: 'lost', fromMs: 19_750, toMs: 30_001, records: 3 }],
    })
    expect(judged().gaps[0]?.detail).toContain('rotated away')
  })
})

describe('collectors that do not cover', () => {
  test('no mark for too long is silent, from the watermark', () => {
    const { marks, judged } = scenario()
    marks(NOW - 6_000)
    expect(judged().gaps).toMatchObject([
      { reason: 'silent', fromMs: NOW - 6_250, toMs: NOW, collector: 'c1' },
    ])
  })

  test('the others do not hide a silent one', () => {
    const { at, marks, judged } = scenario()
    marks(NOW - 6_000)
    for (const ms of [10_000, 20_000, NOW]) at(ms, { collector: 'c2' })
    expect(judged()).toMatchObject({ complete: false, completeToMs: NOW - 6_250, gapsTotal: 1 })
  })

  test('never read to the end: nothing of any time is sure', () => {
    const { marks, judged } = scenario()
    marks(NOW, { readAgeMs: null })
    expect(judged()).toMatchObject({
      complete: false,
      completeToMs: null,
      gaps: [{ reason: 'backlog', fromMs: 0 }],
    })
  })

  test('reading anew after a restart is a backlog from the watermark', () => {
    const { marks, at, judged } = scenario()
    marks(50_000)
    at(NOW, { epoch: epochOf('second'), readAgeMs: null })
    expect(judged().gaps).toMatchObject([{ reason: 'backlog', fromMs: 49_750 }])
  })

  test('after our own restart the ledger is stale until a mark came, then silent', () => {
    const { marks, at, judged } = scenario()
    marks(90_000)
    expect(judged(0, NOW, { startedAtMs: 96_000 }).gaps).toMatchObject([
      { reason: 'ledger-stale', fromMs: 89_750 },
    ])
    expect(judged(0, NOW, { startedAtMs: 94_000 }).gaps).toMatchObject([{ reason: 'silent' }])
    at(NOW)
    expect(judged(0, NOW, { startedAtMs: 96_000 }).complete).toBe(true)
  })
})

describe('collectors that left', () => {
  test('after a goodbye nothing more is expected; what it left in the spool stays a gap', () => {
    const { at, judged } = scenario()
    for (const ms of [10_000, 20_000, NOW]) at(ms, { collector: 'c2' })
    at(10_000)
    at(20_000, { lastSeq: 2, goodbye: true, pending: [[1, 2]] })
    expect(judged()).toMatchObject({
      complete: false,
      gapsTotal: 1,
      gaps: [{ reason: 'backlog', toMs: 20_001 }],
    })
    expect(judged(21_000, NOW).complete).toBe(true)
  })

  test('a goodbye before reading to the end leaves a backlog', () => {
    const { at, judged } = scenario()
    for (const ms of [10_000, 20_000, NOW]) at(ms, { collector: 'c2' })
    at(20_000, { readAgeMs: null, goodbye: true })
    expect(judged().gaps).toMatchObject([{ reason: 'backlog', fromMs: 0, toMs: 20_000 }])
  })

  test('retirement ends the silence, and does not make it untrue', () => {
    const { at, marks, judged, ledger } = scenario()
    for (const ms of [10_000, 20_000, NOW]) at(ms, { collector: 'c2' })
    marks(30_000)
    ledger.applyNote({ type: 'retire', site: 'eu', collector: 'c1', atMs: 40_000 })
    expect(judged().gaps).toMatchObject([{ reason: 'silent', fromMs: 29_750, toMs: 40_000 }])
    expect(judged(40_000, NOW).complete).toBe(true)
  })

  test('when all have left, what they covered stays covered', () => {
    const { marks, judged } = scenario()
    marks(50_000, { goodbye: true })
    expect(judged(0, 40_000).complete).toBe(true)
    expect(judged()).toMatchObject({ complete: false, completeToMs: 49_750, gaps: [{ reason: 'silent' }] })
  })

  test('a day of silence is leaving, but not right after our own start', () => {
    const { marks, ledger } = scenario()
    marks(30_000)
    const [collector] = ledger.collectors()
    if (collector === undefined) throw new Error('no collector')
    const nowMs = 30_001 + LEFT_AFTER_MS
    expect(hasLeft(collector, { nowMs, ...OPTIONS })).toBe(true)
    expect(hasLeft(collector, { nowMs: nowMs - 2, ...OPTIONS })).toBe(false)
    expect(hasLeft(collector, { nowMs, ...OPTIONS, startedAtMs: nowMs - 1_000 })).toBe(false)
  })
})

test('only so many gaps are listed, the largest first, and all are counted', () => {
  const { at, judged } = scenario()
  for (let index = 0; index < 30; index++) {
    for (const ms of [10_000, 20_000, 30_000 + index]) at(ms, { collector: `c${index}` })
  }
  const { gaps, gapsTotal } = judged()
  expect(gapsTotal).toBe(30)
  expect(gaps).toHaveLength(GAPS_LISTED_MAX)
  expect(gaps.map(({ collector }) => collector)).toEqual(
    Array.from({ length: 20 }, (_, index) => `c${index}`),
  )
})
