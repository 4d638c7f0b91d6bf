import { expect, test } from 'vitest'
import type { RecordsReport } from '../../../../collectors/statsd/messages.ts'
import { createRecordQueue, QUEUE_CHARS_MAX } from '../../../../collectors/statsd/record-queue.ts'

function setUp() {
  const told: RecordsReport[] = []
  const queue = createRecordQueue(
    (report) => told.push(report),
    () => 1_000,
  )
  return { told, queue }
}

test('one group is under way, the next is gathered', () => {
  const { told, queue } = setUp()
  queue.send()
  expect(told).toEqual([])
  queue.add('a')
  queue.add('b')
  queue.send()
  queue.add('c')
  queue.send()
  expect(told.map(({ text, lines }) => [text, lines])).toEqual([['a\nb\n', 2]])
  queue.taken()
  queue.send()
  expect(told.at(-1)).toMatchObject({ text: 'c\n', lines: 1, dropped: { records: 0, bytes: 0 } })
})

test('at the end the next group follows at once', () => {
  const { told, queue } = setUp()
  queue.add('a')
  queue.send()
  queue.add('b')
  queue.send(true)
  expect(told.map(({ text }) => text)).toEqual(['a\n', 'b\n'])
})

test('what does not fit is counted with the group', () => {
  const { told, queue } = setUp()
  const long = 'x'.repeat(QUEUE_CHARS_MAX / 2 - 1)
  for (let index = 0; index < 5; index += 1) queue.add(long)
  queue.send()
  expect(told[0]).toMatchObject({
    lines: 2,
    dropped: { records: 3, bytes: 3 * long.length, fromMs: 1_000 },
  })
  queue.taken()
  queue.add('a')
  queue.send()
  expect(told[1]).toMatchObject({ text: 'a\n', dropped: { records: 0 } })
})
