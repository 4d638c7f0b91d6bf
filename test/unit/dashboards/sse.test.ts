import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { createEventReader } from '../../../dashboards/src/model/sse.ts'

const STREAM =
  ': hello\n\nevent: plan\ndata: {}\n\nid: 7\r\nevent: record\r\ndata: {"a":1}\r\n\r\ndata:one\ndata: two\n\nretry: 5\n\nid: 8\rdata: x\r\r'
const EVENTS = [
  { event: 'plan', data: '{}', id: null },
  { event: 'record', data: '{"a":1}', id: '7' },
  { event: 'message', data: 'one\ntwo', id: '7' },
  { event: 'message', data: 'x', id: '8' },
]

test('events are the same however the stream is cut', () => {
  fc.assert(
    fc.property(fc.array(fc.nat(STREAM.length)), (cuts) => {
      const reader = createEventReader()
      const places = [0, ...cuts.toSorted((a, b) => a - b), STREAM.length]
      const chunks = places.slice(1).map((end, index) => STREAM.slice(places[index], end))
      // The last "\r" waits for a "\n" that may follow.
      expect([...chunks, '\n'].flatMap((chunk) => reader.feed(chunk))).toEqual(EVENTS)
    }),
  )
})

test('a stream without an end of event is given up', () => {
  const reader = createEventReader()
  const chunk = 'x'.repeat(1 << 20)
  expect(() => {
    for (let fed = 0; fed < 16; fed++) reader.feed(chunk)
  }).toThrow('too long')
})
