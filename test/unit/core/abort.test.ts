import { expect, test } from 'vitest'
import { orAborted } from '../../../core/abort.ts'

const forever = () => new Promise<never>(() => {})

test('gives what the work gives', async () => {
  const { signal } = new AbortController()
  expect(await orAborted(Promise.resolve(1), signal)).toBe(1)
  await expect(orAborted(Promise.reject(new Error('no')), signal)).rejects.toThrow('no')
})

test('rejects with the reason, also of a signal that has aborted already', async () => {
  const controller = new AbortController()
  const left = orAborted(forever(), controller.signal)
  controller.abort(new Error('enough'))
  await expect(left).rejects.toThrow('enough')
  await expect(orAborted(forever(), controller.signal)).rejects.toThrow('enough')
})

test('work that fails because it heeds the signal fails with the reason', async () => {
  const controller = new AbortController()
  const { promise, reject } = Promise.withResolvers<never>()
  const left = orAborted(promise, controller.signal)
  reject(new Error('cut off'))
  controller.abort(new Error('enough'))
  await expect(left).rejects.toThrow('enough')
})
