import { describe, expect, test } from 'vitest'
import type { BatchFacts } from '../../core/ledger/types.ts'
import type { Completeness } from '../../core/ports.ts'
import type { Mark } from '../../core/wire.ts'
import { epochOf, markOf, someFacts } from '../support/ledger.ts'

/** A ledger of site `eu` with `settleMs` 3,000 and `silentAfterMs` 5,000, and what feeds it. */
export interface CompletenessUnderTest {
  readonly completeness: Completeness
  readonly nowMs: () => number
  readonly pass: (ms: number) => Promise<void>
  readonly stored: (facts: BatchFacts) => Promise<void>
  readonly mark: (mark: Mark) => Promise<void>
  /** As after a stop or, with `crash`, after kill -9. */
  readonly restart: (crash: boolean) => Promise<void>
}

/** Every Completeness. */
export function completenessContract(name: string, make: () => Promise<CompletenessUnderTest>): void {
  describe(`completeness contract: ${name}`, () => {
    type Fields = Parameters<typeof markOf>[0]

    async function open() {
      const made = await make()
      const markNow = (fields: Fields = {}) => made.mark(markOf({ sentAtMs: made.nowMs(), ...fields }))
      /** A mark a second. */
      async function marks(seconds: number, fields: Fields = {}) {
        for (let second = 0; second < seconds; second++) {
          await made.pass(1_000)
          await markNow(fields)
        }
      }
      const recent = () =>
        made.completeness.judge({ fromMs: made.nowMs() - 60_000, toMs: made.nowMs() }, 'eu')
      return { ...made, markNow, marks, recent }
    }

    test('nothing is complete before a collector reported', async () => {
      const { recent } = await open()
      expect(recent()).toMatchObject({ complete: false, completeToMs: null, gaps: [{ reason: 'silent' }] })
    })

    test('an idle collector that sends marks keeps its site complete', async () => {
      const { marks, recent, nowMs } = await open()
      await marks(5)
      expect(recent()).toMatchObject({ complete: true, gapsTotal: 0 })
      expect(recent().completeToMs).toBeGreaterThan(nowMs() - 1_000)
    })

    test('a batch that waits is a gap until it is stored', async () => {
      const { marks, recent, stored } = await open()
      await marks(4)
      await marks(4, { lastSeq: 1, pending: [[1, 1]] })
      expect(recent()).toMatchObject({ complete: false, gaps: [{ reason: 'backlog', collector: 'c1' }] })
      await stored(someFacts())
      expect(recent().complete).toBe(true)
    })

    test('a collector that falls silent is named', async () => {
      const { marks, recent, pass } = await open()
      await marks(4)
      await pass(6_000)
      expect(recent().gaps).toMatchObject([{ reason: 'silent', collector: 'c1', host: 'web-1' }])
    })

    test('a collector that said goodbye is not expected, and is expected again when it is back', async () => {
      const { marks, markNow, recent, pass } = await open()
      await marks(4)
      await marks(4, { collector: 'c2' })
      await markNow({ goodbye: true })
      await pass(1_000)
      await marks(8, { collector: 'c2' })
      expect(recent()).toMatchObject({ complete: true })
      await markNow({ epoch: epochOf('second'), readAgeMs: null })
      expect(recent()).toMatchObject({ complete: false, gaps: [{ reason: 'backlog', collector: 'c1' }] })
    })

    test('a retired collector is not expected from then on; an unknown one is NOT_FOUND', async () => {
      const { marks, nowMs, completeness } = await open()
      await marks(4)
      await marks(8, { collector: 'c2' })
      await completeness.retire('c1')
      const retiredAtMs = nowMs()
      await marks(8, { collector: 'c2' })
      expect(completeness.judge({ fromMs: retiredAtMs, toMs: nowMs() }, 'eu')).toMatchObject({
        complete: true,
      })
      expect(completeness.judge({ fromMs: retiredAtMs - 5_000, toMs: nowMs() }, 'eu').complete).toBe(false)
      await expect(completeness.retire('c9')).rejects.toMatchObject({ code: 'NOT_FOUND' })
    })

    test.each([{ crash: false }, { crash: true }])(
      'after a restart (crash: $crash) the ledger is stale until a mark comes, and remembers',
      async ({ crash }) => {
        const { marks, recent, restart, stored, nowMs, pass } = await open()
        await marks(4)
        await stored(someFacts())
        await marks(4, { lastSeq: 2, pending: [[2, 2]] })
        await restart(crash)
        await pass(4_000)
        const stale = recent()
        expect(stale.gaps.map(({ reason }) => reason)).toContain('ledger-stale')
        expect(stale.completeToMs).toBeLessThan(nowMs())
        await marks(5, { lastSeq: 2, pending: [[2, 2]] })
        expect(recent().gaps.map(({ reason }) => reason)).toEqual(['backlog'])
        await stored(someFacts({ seq: 2 }))
        expect(recent().complete).toBe(true)
      },
    )

    test('a collector that reported once is not forgotten by a crash', async () => {
      const { markNow, recent, restart } = await open()
      await markNow()
      await restart(true)
      expect(recent().gaps).toMatchObject([{ collector: 'c1' }])
    })

    test('collectors are listed with their skew', async () => {
      const { mark, nowMs, completeness } = await open()
      await mark(markOf({ sentAtMs: nowMs() + 90_000 }))
      expect(completeness.collectors()).toMatchObject([{ collector: 'c1', site: 'eu', skewMs: 90_000 }])
    })
  })
}
