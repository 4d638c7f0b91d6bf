import { expect, test } from 'vitest'
import { createGate } from '../../../core/gate.ts'

const never = new AbortController().signal
const settle = () => new Promise((resolve) => setImmediate(resolve))

test('what does not fit waits, in order, until somebody leaves', async () => {
  const gate = createGate(10)
  const inside: string[] = []
  const leave = await gate.enter(8, never)
  const large = gate.enter(5, never).then(() => inside.push('large'))
  const small = gate.enter(1, never).then(() => inside.push('small'))
  await settle()
  expect(inside).toEqual([])
  leave()
  await Promise.all([large, small])
  expect(inside).toEqual(['large', 'small'])
  expect(gate.bytes).toBe(6)
})

test('what is larger than the gate is let in alone', async () => {
  const gate = createGate(10)
  const leave = await gate.enter(11, never)
  expect(gate.bytes).toBe(11)
  leave()
  expect(gate.bytes).toBe(0)
})

test('who gives up waiting is gone, and lets those behind pass', async () => {
  const gate = createGate(10)
  await gate.enter(8, never)
  const controller = new AbortController()
  const waiting = gate.enter(5, controller.signal)
  const behind = gate.enter(2, never)
  controller.abort(new Error('enough'))
  await expect(waiting).rejects.toThrow('enough')
  await behind
  expect(gate.bytes).toBe(10)
})

test('leaving twice counts once', async () => {
  const gate = createGate(10)
  const leave = await gate.enter(6, new AbortController().signal)
  await gate.enter(4, new AbortController().signal)
  leave()
  leave()
  expect(gate.bytes).toBe(4)
})
