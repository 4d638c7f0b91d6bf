import { expect, test } from 'vitest'
import { createGate } from '../../../dashboards/src/api/search.ts'

const never = new AbortController().signal

test('so many run at once, the others in order, and one that fails gives its place on', async () => {
  const gate = createGate(2)
  const started: number[] = []
  const ends = Array.from({ length: 4 }, () => Promise.withResolvers<void>())
  const works = ends.map(({ promise }, index) =>
    gate(never, async () => {
      started.push(index)
      await promise
    }).catch(() => 'failed'),
  )
  await Promise.resolve()
  expect(started).toEqual([0, 1])
  ends[1]?.reject(new Error('no'))
  await works[1]
  ends[0]?.resolve()
  await works[0]
  await new Promise(setImmediate)
  expect(started).toEqual([0, 1, 2, 3])
  ends.forEach(({ resolve }) => resolve())
  await Promise.all(works)
})

test('who was aborted while waiting is not run, and holds nobody up', async () => {
  const gate = createGate(1)
  const first = Promise.withResolvers<void>()
  const abort = new AbortController()
  const works = [
    gate(never, () => first.promise),
    gate(abort.signal, async () => 'must not run').catch((error: unknown) => (error as Error).name),
    gate(never, async () => 'ran'),
  ]
  abort.abort()
  first.resolve()
  expect(await Promise.all(works)).toEqual([undefined, 'AbortError', 'ran'])
})
