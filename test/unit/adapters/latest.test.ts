import { expect, test } from 'vitest'
import { createLatestOnly } from '../../../adapters/latest.ts'
import { never } from '../../support/kafka-memory.ts'

/** Sends that the test ends. */
function underTest() {
  const begun: { item: string; end: (error?: Error) => void }[] = []
  const send = createLatestOnly<string>((item) => {
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    begun.push({ item, end: (error) => (error === undefined ? resolve() : reject(error)) })
    return promise
  })
  const settle = () => new Promise((resolve) => setImmediate(resolve))
  return { begun, send, settle }
}

test('one is on its way; of those that come meanwhile only the newest is sent', async () => {
  const { begun, send, settle } = underTest()
  const [first, second, third] = ['1', '2', '3'].map((item) => send(item, never()))
  await expect(second).rejects.toMatchObject({ code: 'OVERLOADED' })
  expect(begun.map(({ item }) => item)).toEqual(['1'])
  begun[0]?.end()
  await first
  await settle()
  expect(begun.map(({ item }) => item)).toEqual(['1', '3'])
  begun[1]?.end()
  await third
})

test('a failure is told to its sender alone, and the next one is sent', async () => {
  const { begun, send, settle } = underTest()
  const first = send('1', never())
  const second = send('2', never())
  begun[0]?.end(new Error('broken'))
  await expect(first).rejects.toThrow('broken')
  await settle()
  begun[1]?.end()
  await second
  const third = send('3', never())
  begun[2]?.end()
  await third
})

test('who gives up waiting is let go; what is on its way still holds the place', async () => {
  const { begun, send, settle } = underTest()
  const stop = new AbortController()
  const first = send('1', stop.signal)
  stop.abort(new Error('enough'))
  await expect(first).rejects.toThrow('enough')
  const second = send('2', never())
  expect(begun).toHaveLength(1)
  begun[0]?.end()
  await settle()
  begun[1]?.end()
  await second
})
