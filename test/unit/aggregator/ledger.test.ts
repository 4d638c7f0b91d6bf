import { describe, expect, test } from 'vitest'
import { createMemoryStore } from '../../../adapters/store-memory.ts'
import { createLedgerService } from '../../../aggregator/ledger.ts'
import { LEFT_AFTER_MS } from '../../../core/ledger/judge.ts'
import type { LedgerNote } from '../../../core/ledger/types.ts'
import { completenessContract } from '../../contracts/completeness.ts'
import { quietLog } from '../../support/quiet-log.ts'
import { createFakeClock } from '../../support/fake-clock.ts'
import { epochOf, markOf, someFacts } from '../../support/ledger.ts'

async function open() {
  const store = createMemoryStore()
  const noted: LedgerNote[][] = []
  const faults = { note: false }
  const clock = createFakeClock()
  const watched = {
    ledger: () => store.ledger(),
    async note(notes: readonly LedgerNote[]) {
      if (faults.note) throw new Error('no disk')
      noted.push([...notes])
      await store.note(notes)
    },
  }
  const options = {
    store: watched,
    site: 'eu',
    clock,
    log: quietLog,
    settleMs: 3_000,
    silentAfterMs: 5_000,
    followMs: null,
  }
  let service = createLedgerService(options)
  await service.start()
  const fresh = async () => {
    service = createLedgerService(options)
    await service.start()
  }
  return { store, clock, noted, faults, fresh, service: () => service }
}

completenessContract('over a store', async () => {
  const { store, clock, fresh, service } = await open()
  return {
    completeness: {
      judge: (range, site) => service().judge(range, site),
      collectors: () => service().collectors(),
      retire: (collector) => service().retire(collector),
    },
    nowMs: () => clock.nowMs(),
    pass: (ms) => clock.advance(ms),
    async stored(facts) {
      await store.append({ facts, records: [] }, new AbortController().signal)
      service().stored(facts)
    },
    mark: (mark) => service().mark(mark, { site: 'eu' }),
    async restart(crash) {
      if (!crash) await service().stop()
      await fresh()
    },
  }
})

describe('the ledger service', () => {
  test('keeps the latest mark of each collector, once a second', async () => {
    const { clock, noted, service } = await open()
    for (const collector of ['c1', 'c2'])
      await service().mark(markOf({ collector, sentAtMs: 1 }), { site: 'eu' })
    expect(noted).toHaveLength(2)
    for (let count = 2; count < 10; count++) {
      for (const collector of ['c1', 'c2'])
        await service().mark(markOf({ collector, sentAtMs: count }), { site: 'eu' })
    }
    await clock.advance(1_000)
    expect(
      noted.slice(2).map((notes) => notes.map((note) => note.type === 'mark' && note.mark.sentAtMs)),
    ).toEqual([[9, 9]])
    await clock.advance(5_000)
    expect(noted).toHaveLength(3)
  })

  test('keeps at once what changes who is expected', async () => {
    const { noted, service } = await open()
    await service().mark(markOf({ sentAtMs: 1 }), { site: 'eu' })
    await service().mark(markOf({ sentAtMs: 2 }), { site: 'eu' })
    await service().mark(markOf({ sentAtMs: 3, goodbye: true }), { site: 'eu' })
    await service().mark(markOf({ sentAtMs: 4, epoch: epochOf('second') }), { site: 'eu' })
    expect(noted).toHaveLength(3)
  })

  test('tries again to keep marks when the store could not', async () => {
    const { clock, noted, service, faults } = await open()
    faults.note = true
    await service().mark(markOf({ sentAtMs: 1 }), { site: 'eu' })
    await clock.advance(2_000)
    expect(noted).toEqual([])
    faults.note = false
    await clock.advance(1_000)
    expect(noted).toHaveLength(1)
  })

  test('a retirement that the store did not keep is not believed', async () => {
    const { service, faults } = await open()
    await service().mark(markOf({ sentAtMs: 1 }), { site: 'eu' })
    faults.note = true
    await expect(service().retire('c1')).rejects.toThrow('no disk')
    expect(service().collectors()).toMatchObject([{ leftAtMs: null }])
  })

  test('a collector that was silent for a day is dismissed, and that is kept', async () => {
    const { clock, service, fresh } = await open()
    await service().mark(markOf({ sentAtMs: 1 }), { site: 'eu' })
    await service().stop()
    clock.jump(LEFT_AFTER_MS)
    await fresh()
    await clock.advance(60_000)
    expect(service().collectors()).toMatchObject([{ leftAtMs: null }])
    await clock.advance(600_000)
    const [{ leftAtMs } = { leftAtMs: null }] = service().collectors()
    expect(leftAtMs).toBeGreaterThan(0)
    await fresh()
    expect(service().collectors()).toMatchObject([{ leftAtMs }])
  })

  test('a mirror after a restart knows every stored batch', async () => {
    const { service, fresh, store } = await open()
    const facts = someFacts()
    await store.append({ facts, records: [] }, new AbortController().signal)
    await fresh()
    expect(service().find(facts, facts.digest)).toBe('duplicate')
    expect(service().find(facts, 'f'.repeat(64))).toBe('conflict')
  })
})

describe('a ledger that other processes write to', () => {
  async function followed() {
    const store = createMemoryStore()
    const clock = createFakeClock()
    const faults = { ledger: false }
    const watched = {
      note: (notes: readonly LedgerNote[]) => store.note(notes),
      async ledger() {
        if (faults.ledger) throw new Error('nobody there')
        return store.ledger()
      },
    }
    const times = { settleMs: 3_000, silentAfterMs: 5_000, followMs: 500 }
    const make = () => createLedgerService({ store: watched, site: 'eu', clock, log: quietLog, ...times })
    const [writer, reader] = [make(), make()]
    /** A mark a second, which the reader hears of through the store only. */
    async function marks(seconds: number) {
      for (let second = 0; second < seconds; second++) {
        await clock.advance(1_000)
        await writer.mark(markOf({ sentAtMs: clock.nowMs() }), { site: 'eu' })
      }
      await clock.advance(1_500)
    }
    const recent = () => reader.judge({ fromMs: clock.nowMs() - 60_000, toMs: clock.nowMs() - 3_000 }, 'eu')
    return { store, clock, faults, writer, reader, marks, recent }
  }

  test('is read again and again', async () => {
    const { writer, reader, marks, recent } = await followed()
    await writer.start()
    await reader.start()
    expect(recent().complete).toBe(false)
    await marks(10)
    expect(reader.collectors().map(({ collector }) => collector)).toEqual(['c1'])
    expect(recent()).toMatchObject({ complete: true, gaps: [] })
  })

  test('is stale while it cannot be read, and says so', async () => {
    const { clock, faults, writer, reader, marks, recent } = await followed()
    await writer.start()
    await reader.start()
    await marks(10)
    faults.ledger = true
    await clock.advance(20_000)
    expect(recent()).toMatchObject({ complete: false, gaps: [{ reason: 'ledger-stale' }] })
    faults.ledger = false
    await marks(10)
    expect(recent().gaps.map(({ reason }) => reason)).not.toContain('ledger-stale')
  })

  test('may be missing at the start: everything is stale, and nothing fails', async () => {
    const { clock, faults, reader, recent } = await followed()
    faults.ledger = true
    await reader.start()
    await clock.advance(10_000)
    expect(recent()).toMatchObject({ complete: false, gaps: [{ reason: 'ledger-stale' }] })
  })

  test('what was stored here while it was being read is not forgotten', async () => {
    const { store, clock, writer } = await followed()
    await writer.start()
    const facts = someFacts()
    const read = clock.advance(500)
    await store.append({ facts, records: [] }, new AbortController().signal)
    writer.stored(facts)
    await read
    expect(writer.find(facts, facts.digest)).toBe('duplicate')
    await clock.advance(500)
    expect(writer.find(facts, facts.digest)).toBe('duplicate')
  })
})
