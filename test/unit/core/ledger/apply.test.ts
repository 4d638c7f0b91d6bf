import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  applyBatch,
  applyNote,
  createLedger,
  DROPS_MAX,
  emptyLedger,
  EPOCHS_MAX,
  findBatch,
  IMPORTERS_MAX,
  STORED_RANGES_MAX,
  TOMBSTONES_MAX,
} from '../../../../core/ledger/apply.ts'
import { CHECKPOINTS_MAX, DIGESTS_PER_EPOCH_MAX } from '../../../../core/ledger/epochs.ts'
import { judge } from '../../../../core/ledger/judge.ts'
import type { BatchFacts, LedgerDocument } from '../../../../core/ledger/types.ts'
import { RENUMBERED } from '../../../../core/wire.ts'
import { EPOCH, epochOf, markOf, someFacts } from '../../../support/ledger.ts'

const only = (doc: LedgerDocument) => {
  const [collector] = Object.values(doc.collectors)
  if (collector === undefined) throw new Error('no collector')
  return collector
}
const noted = (arrivedAtMs: number, fields: Parameters<typeof markOf>[0] = {}) =>
  ({ type: 'mark', site: 'eu', arrivedAtMs, mark: markOf({ sentAtMs: arrivedAtMs, ...fields }) }) as const
const batches = (...seqs: number[]) => seqs.map((seq) => someFacts({ seq }))

describe('batches', () => {
  test('a batch is new once, then a duplicate; other bytes under its number are a conflict', () => {
    const facts = someFacts()
    const doc = applyBatch(emptyLedger(), facts)
    expect(findBatch(emptyLedger(), facts, facts.digest)).toBe('new')
    expect(findBatch(doc, facts, facts.digest)).toBe('duplicate')
    expect(findBatch(doc, facts, 'f'.repeat(64))).toBe('conflict')
    expect(findBatch(doc, { ...facts, seq: 2 }, facts.digest)).toBe('new')
    expect(findBatch(doc, { ...facts, epoch: epochOf('other') }, facts.digest)).toBe('new')
    expect(findBatch(doc, { ...facts, site: 'us' }, facts.digest)).toBe('new')
  })

  test('a stored number whose digest is no longer known is a duplicate', () => {
    const seqs = Array.from({ length: DIGESTS_PER_EPOCH_MAX + 1 }, (_, index) => index + 1)
    const doc = batches(...seqs).reduce(applyBatch, emptyLedger())
    expect(only(doc).epochs[0]?.digests).toHaveLength(DIGESTS_PER_EPOCH_MAX)
    expect(findBatch(doc, someFacts({ seq: 1 }), 'f'.repeat(64))).toBe('duplicate')
    expect(findBatch(doc, someFacts({ seq: 2 }), 'f'.repeat(64))).toBe('conflict')
  })

  test('the same batches in any order, some of them twice, give the same stored numbers', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 40 })), (seqs) => {
        const doc = batches(...seqs).reduce(applyBatch, emptyLedger())
        const sorted = batches(...new Set(seqs.toSorted((left, right) => left - right))).reduce(
          applyBatch,
          emptyLedger(),
        )
        expect(doc.collectors['eu/c1']?.epochs[0]?.stored).toEqual(
          sorted.collectors['eu/c1']?.epochs[0]?.stored,
        )
      }),
    )
  })

  test('a document is never changed in place', () => {
    const before = applyBatch(emptyLedger(), someFacts())
    const copy = structuredClone(before)
    applyNote(applyBatch(before, someFacts({ seq: 3 })), noted(5_000, { lastSeq: 4 }))
    expect(before).toEqual(copy)
  })

  test('a document survives JSON', () => {
    const doc = [noted(1_000), noted(3_000, { lastSeq: 2 })].reduce(
      applyNote,
      applyBatch(emptyLedger(), someFacts()),
    )
    expect(JSON.parse(JSON.stringify(doc))).toEqual(doc)
  })

  test('the first batch of an epoch tells what the epoch before it gave out', () => {
    const previous = { epoch: EPOCH, lastSeq: 4 }
    const docs = applyBatch(emptyLedger(), someFacts({ seq: 1 }))
    const doc = applyBatch(docs, someFacts({ epoch: epochOf('second'), previous }))
    expect(only(doc).epochs.map(({ epoch, lastSeq }) => [epoch, lastSeq])).toEqual([
      [EPOCH, 4],
      [epochOf('second'), 0],
    ])
  })

  test('renumbered batches are not missing under their old numbers, and may be as old as those', () => {
    const marks = [noted(1_000), noted(3_000), noted(4_000, { lastSeq: 3, pending: [[2, 3]] })]
    const marked = marks.reduce(applyNote, applyBatch(emptyLedger(), someFacts()))
    const live = { epoch: epochOf('live'), lastSeq: 0 }
    const moved = { epoch: epochOf('moved'), lastSeq: 2, spoolLow: 1, pending: [] }
    const seen = applyNote(marked, noted(9_000, { ...live, older: [moved] }))
    const tombstone = {
      epoch: EPOCH,
      seqFrom: 2,
      seqTo: 3,
      records: 2,
      bytes: 9,
      fromMs: 0,
      toMs: 1,
      reason: RENUMBERED,
    }
    const doc = applyBatch(seen, someFacts({ epoch: moved.epoch, tombstones: [tombstone] }))
    const [old, renumbered] = only(doc).epochs
    expect(old?.stored).toMatchObject([{ seqFrom: 1, seqTo: 3 }])
    expect(renumbered).toMatchObject({ epoch: moved.epoch, afterMs: 2_750 })
    expect(only(doc).tombstones).toEqual([])
    expect(findBatch(doc, someFacts({ seq: 3 }), someFacts({ seq: 3 }).digest)).toBe('duplicate')
  })

  test('after a conflict nothing is covered until the collector has taken new numbers', () => {
    const ledger = createLedger([noted(1_000), noted(3_000)].reduce(applyNote, emptyLedger()))
    ledger.applyNote({ type: 'conflict', site: 'eu', collector: 'c1', atMs: 4_000 })
    ledger.applyNote(noted(9_000))
    expect(only(ledger.snapshot()).watermarkMs).toBe(2_750)
    ledger.applyNote(noted(9_500, { epoch: epochOf('next process') }))
    expect(only(ledger.snapshot()).watermarkMs).toBe(2_750)
    const moved = { epoch: epochOf('moved'), lastSeq: 2, spoolLow: 1, pending: [], renumbered: true }
    ledger.applyNote(noted(10_000, { epoch: epochOf('live'), older: [moved] }))
    const { epochs, watermarkMs } = only(ledger.snapshot())
    expect(epochs.find(({ epoch }) => epoch === moved.epoch)?.afterMs).toBe(0)
    expect(watermarkMs).toBe(9_750)
  })

  test('a tombstone tells of numbers that nothing else told of', () => {
    const tombstone = {
      epoch: epochOf('gone'),
      seqFrom: 1,
      seqTo: 3,
      records: 9,
      bytes: 9,
      fromMs: 0,
      toMs: 1,
      reason: 'x',
    }
    const doc = applyBatch(emptyLedger(), someFacts({ tombstones: [tombstone] }))
    expect(only(doc).epochs.map(({ epoch, lastSeq }) => [epoch, lastSeq])).toEqual([
      [epochOf('gone'), 3],
      [EPOCH, 0],
    ])
  })
})

describe('marks', () => {
  test('a mark that a newer one overtook changes nothing', () => {
    const doc = [noted(1_000), noted(4_000, { lastSeq: 2 })].reduce(applyNote, emptyLedger())
    expect(applyNote(doc, noted(5_000, { sentAtMs: 3_000, lastSeq: 1, readAgeMs: null }))).toEqual(doc)
  })

  test('the watermark is when a mark was sent, not when a late one arrived', () => {
    const marks = [noted(1_000), noted(3_000), noted(20_000, { sentAtMs: 9_000 })]
    const doc = marks.reduce(applyNote, emptyLedger())
    expect(only(doc).watermarkMs).toBe(8_750)
    expect(only(doc).skewMs).toBe(-11_000)
  })

  test('marks that all came late are corrected by the first fast one', () => {
    const late = [1_000, 2_000, 3_000, 4_000].map((sentAtMs) => noted(sentAtMs + 8_000, { sentAtMs }))
    const doc = late.reduce(applyNote, emptyLedger())
    expect(only(doc).watermarkMs).toBe(11_750)
    expect(only(applyNote(doc, noted(12_500, { sentAtMs: 12_500, readAgeMs: 6_000 }))).watermarkMs).toBe(
      6_250,
    )
  })

  test('a clock that was set back is believed again after two minutes', () => {
    let doc = [noted(1_000), noted(3_000)].reduce(applyNote, emptyLedger())
    for (let atMs = 4_000; atMs < 200_000; atMs += 1_000)
      doc = applyNote(doc, noted(atMs, { sentAtMs: atMs - 3_600_000 }))
    expect(only(doc).watermarkMs).toBe(198_750)
  })

  test('when our own clock is set back, nothing is covered that has not happened yet', () => {
    const doc = [noted(1_000), noted(9_000), noted(5_000, { sentAtMs: 10_000, readAgeMs: null })].reduce(
      applyNote,
      emptyLedger(),
    )
    expect(only(doc).watermarkMs).toBeLessThanOrEqual(5_000)
  })

  test('a restart is not a clone; two epochs in turns are', () => {
    const [first, second] = [{ epoch: epochOf('a') }, { epoch: epochOf('b') }]
    const restarted = [noted(1_000, first), noted(3_000, first), noted(4_000, second)].reduce(
      applyNote,
      emptyLedger(),
    )
    expect(only(restarted)).toMatchObject({ clonedAtMs: null, liveEpoch: second.epoch })
    const cloned = [noted(5_000, first), noted(5_500, second)].reduce(applyNote, restarted)
    expect(only(cloned)).toMatchObject({ clonedAtMs: 5_500 })
    expect(only(cloned).live).toHaveLength(2)
  })

  test('a clone that falls silent holds the watermark', () => {
    const [first, second] = [{ epoch: epochOf('a') }, { epoch: epochOf('b') }]
    const turns = [noted(1_000, first), noted(3_000, second), noted(4_000, first), noted(4_500, second)]
    const later = [noted(9_000, second), noted(20_000, second)]
    expect(only([...turns, ...later].reduce(applyNote, emptyLedger())).watermarkMs).toBe(3_750)
  })

  test('a collector that comes back after goodbye or retirement is expected again', () => {
    const left = [noted(1_000), noted(3_000, { goodbye: true })].reduce(applyNote, emptyLedger())
    expect(only(left).leftAtMs).toBe(2_750)
    expect(only(applyNote(left, noted(9_000, { epoch: epochOf('b') }))).leftAtMs).toBeNull()
    const retired = applyNote(applyNote(emptyLedger(), noted(1_000)), {
      type: 'retire',
      site: 'eu',
      collector: 'c1',
      atMs: 5_000,
    })
    expect(only(retired).leftAtMs).toBe(5_000)
    expect(only(applyNote(retired, noted(9_000))).leftAtMs).toBeNull()
  })

  test('retiring somebody unknown changes nothing', () => {
    const note = { type: 'retire', site: 'eu', collector: 'c9', atMs: 5_000 } as const
    expect(applyNote(emptyLedger(), note)).toEqual(emptyLedger())
  })
})

describe('bounds', () => {
  test('every start makes an epoch, but only so many are kept', () => {
    const ledger = createLedger()
    for (let start = 0; start < 3 * EPOCHS_MAX; start++) {
      const epoch = epochOf(`e${start}`)
      const previous = start === 0 ? {} : { previous: { epoch: epochOf(`e${start - 1}`), lastSeq: 1 } }
      ledger.applyBatch(someFacts({ epoch, ...previous }))
      ledger.applyNote(noted(1_000 * (start + 1), { epoch, lastSeq: 1 }))
    }
    const doc = ledger.snapshot()
    expect(only(doc).epochs.length).toBeLessThanOrEqual(EPOCHS_MAX + 1)
    expect(only(doc).drops).toEqual([])
  })

  test('an epoch with missing batches that has to be forgotten stays as a loss', () => {
    const ledger = createLedger()
    ledger.applyNote(noted(1_000, { epoch: epochOf('a') }))
    ledger.applyNote(noted(3_000, { epoch: epochOf('a') }))
    ledger.applyNote(noted(4_000, { epoch: epochOf('a'), lastSeq: 2 }))
    for (let start = 0; start < 2 * EPOCHS_MAX; start++) {
      const epoch = epochOf(`e${start}`)
      ledger.applyBatch(someFacts({ epoch }))
      ledger.applyNote(noted(5_000 + 1_000 * start, { epoch, lastSeq: 1 }))
    }
    expect(only(ledger.snapshot()).drops).toMatchObject([{ afterMs: 2_750, beforeMs: 4_000, seq: 2 }])
  })

  test('an epoch that is whole is forgotten a week later, the one before the newest never', () => {
    const week = 8 * 86_400_000
    const [a, b, c] = ['a', 'b', 'c'].map(epochOf)
    const ledger = createLedger()
    for (const [epoch, previous] of [[a], [b, a], [c, b]]) {
      if (epoch === undefined) continue
      ledger.applyBatch(
        someFacts({
          epoch,
          ...(previous === undefined ? {} : { previous: { epoch: previous, lastSeq: 1 } }),
        }),
      )
      ledger.applyNote(noted(1_000, { epoch, lastSeq: 1, sentAtMs: epoch === a ? 1 : epoch === b ? 2 : 3 }))
    }
    ledger.applyNote(noted(week, { epoch: c ?? '', lastSeq: 1 }))
    expect(only(ledger.snapshot()).epochs.map(({ epoch }) => epoch)).toEqual([c])
  })

  test('holes that the spool has no more become losses; a hole that may still be filled never looks stored', () => {
    const odd = Array.from({ length: 2 * STORED_RANGES_MAX }, (_, index) => 2 * index + 1)
    const last = odd.at(-1) ?? 0
    const ledger = createLedger()
    for (const facts of batches(...odd)) ledger.applyBatch(facts)
    ledger.applyNote(noted(1_000, { lastSeq: last, spoolLow: 1 }))
    expect(only(ledger.snapshot()).epochs[0]?.stored).toHaveLength(odd.length)
    ledger.applyNote(noted(2_000, { lastSeq: last, spoolLow: last + 1 }))
    const { epochs, drops } = only(ledger.snapshot())
    expect(epochs[0]?.stored).toHaveLength(STORED_RANGES_MAX)
    expect(drops).toHaveLength(DROPS_MAX)
  })

  test('losses, tombstones, checkpoints and imports are bounded', () => {
    const ledger = createLedger()
    const drop = { reason: 'rotated', records: 1, bytes: null, fromMs: 0, toMs: 1 }
    const tombstone = {
      epoch: EPOCH,
      seqFrom: 1,
      seqTo: 1,
      records: 1,
      bytes: 1,
      fromMs: 0,
      toMs: 1,
      reason: 'full',
    }
    for (let seq = 1; seq <= 2 * DROPS_MAX; seq++) {
      ledger.applyBatch(someFacts({ seq: 2 * seq, drops: [drop], tombstones: [tombstone] }))
      ledger.applyNote(noted(1_000 * seq, { lastSeq: 2 * seq, spoolLow: 1 }))
    }
    const { drops, tombstones, epochs } = only(ledger.snapshot())
    expect(drops).toHaveLength(DROPS_MAX)
    expect(drops.reduce((sum, { records }) => sum + (records ?? 0), 0)).toBe(2 * DROPS_MAX)
    expect(tombstones).toHaveLength(TOMBSTONES_MAX)
    expect(epochs[0]?.checkpoints.length).toBeLessThanOrEqual(CHECKPOINTS_MAX)
    for (let index = 0; index < 2 * IMPORTERS_MAX; index++) {
      ledger.applyBatch(someFacts({ collector: `import-${index}`, kind: 'records' }))
    }
    expect([...ledger.collectors()]).toHaveLength(IMPORTERS_MAX + 1)
  })
})

test('however batches and marks interleave, in the end an answer is complete when no number is missing, and only then', () => {
  const event = fc.oneof(
    fc.record({ seq: fc.integer({ min: 1, max: 12 }) }),
    fc.record({ lastSeq: fc.integer({ min: 0, max: 12 }), readAgeMs: fc.nat(3_000) }),
  )
  fc.assert(
    fc.property(fc.array(event, { maxLength: 40 }), (events) => {
      let nowMs = 10_000
      let lastSeq = 0
      const stored = new Set<number>()
      const ledger = createLedger()
      for (const said of events) {
        nowMs += 1_000
        if ('seq' in said) {
          const facts: BatchFacts = someFacts({ seq: said.seq })
          ledger.applyBatch(facts)
          stored.add(said.seq)
        } else {
          lastSeq = Math.max(lastSeq, said.lastSeq)
          ledger.applyNote(noted(nowMs, { lastSeq, readAgeMs: said.readAgeMs }))
        }
      }
      lastSeq = Math.max(lastSeq, ...stored)
      for (let second = 0; second < 10; second++) {
        nowMs += 1_000
        ledger.applyNote(noted(nowMs, { lastSeq }))
      }
      const options = { nowMs, settleMs: 3_000, silentAfterMs: 5_000, startedAtMs: 0 }
      const { complete } = judge(ledger.collectors(), 'eu', { fromMs: 0, toMs: nowMs }, options)
      expect(complete).toBe(stored.size === lastSeq)
    }),
  )
})
