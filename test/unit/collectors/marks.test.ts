import { expect, test } from 'vitest'
import { createMarks } from '../../../collectors/marks.ts'
import type { Mark } from '../../../core/wire.ts'
import { createFakeClock } from '../../support/fake-clock.ts'
import { createMemorySpool } from '../../support/memory-spool.ts'
import { draftOf } from '../../support/spool.ts'
import { quietLog } from '../../support/quiet-log.ts'

function setUp(sendMark: (mark: Mark, signal: AbortSignal) => Promise<void>) {
  const clock = createFakeClock()
  const spool = createMemorySpool(['d'])
  const senders = new Map([['d', { sendMark }]])
  const readAgeMs = () => 100
  const marks = createMarks({ spool, host: 'h1', senders, readAgeMs, clock, log: quietLog })
  return { clock, spool, marks }
}

test('a mark goes out every second, also when nothing happens', async () => {
  const sent: Mark[] = []
  const { clock, spool, marks } = setUp(async (mark) => void sent.push(mark))
  marks.start()
  await clock.advance(1_500)
  await spool.append(draftOf(['x']), {})
  await clock.advance(1_600)
  expect(sent.map(({ readAgeMs, epochs }) => [readAgeMs, epochs[0]?.lastSeq])).toEqual([
    [100, 0],
    [100, 0],
    [100, 1],
    [100, 1],
  ])
  await marks.stop()
  expect(sent.at(-1)?.goodbye).toBe(true)
})

test('a mark that hangs is given up, the next one is up to date', async () => {
  const sent: Mark[] = []
  const { clock, spool, marks } = setUp((mark) => {
    sent.push(mark)
    return sent.length === 1 ? new Promise(() => undefined) : Promise.resolve()
  })
  marks.start()
  await clock.advance(500)
  await spool.append(draftOf(['x']), {})
  await clock.advance(3_000)
  expect(sent[1]?.epochs[0]?.lastSeq).toBe(1)
  await marks.stop()
})
