import { EventEmitter } from 'node:events'
import { expect, test } from 'vitest'
import { ABORT_GRACE_MS, createLifecycle } from '../../../core/lifecycle.ts'
import type { Part } from '../../../core/lifecycle.ts'
import type { Logger } from '../../../core/ports.ts'
import { createFakeClock } from '../../support/fake-clock.ts'

const log: Logger = { debug() {}, info() {}, warn() {}, error() {}, child: () => log }

/** Parts a, b, c that note what is done to them; `changes` overrides some of what they do. */
function scene(changes: Record<string, Partial<Part>> = {}) {
  const seen: string[] = []
  const exits: number[] = []
  const clock = createFakeClock()
  const signals = new EventEmitter()
  const parts = ['a', 'b', 'c'].map((name): Part => {
    const { start, stop } = changes[name] ?? {}
    return {
      name,
      async start() {
        seen.push(`+${name}`)
        await start?.()
      },
      async stop(signal) {
        seen.push(`-${name}`)
        await stop?.(signal)
      },
    }
  })
  const exit = (code: number) => exits.push(code)
  const lifecycle = createLifecycle({ parts, clock, log, drainMsMax: 1000, signals, exit })
  return { lifecycle, seen, exits, clock, signals }
}

const never = () => new Promise<void>(() => {})
const untilAborted = (signal: AbortSignal) =>
  new Promise<void>((resolve) => {
    signal.addEventListener('abort', () => resolve())
  })

test('parts start in order and stop in reverse, once', async () => {
  const { lifecycle, seen, signals } = scene()
  await lifecycle.start()
  expect(await Promise.all([lifecycle.stop(), lifecycle.stop()])).toEqual([true, true])
  expect(signals.listenerCount('SIGTERM')).toBe(0)
  expect(seen).toEqual(['+a', '+b', '+c', '-c', '-b', '-a'])
})

test('when a part fails to start, those before it are stopped and its error is thrown', async () => {
  const failure = new Error('port in use')
  const { lifecycle, seen, signals } = scene({ c: { start: () => Promise.reject(failure) } })
  await expect(lifecycle.start()).rejects.toBe(failure)
  expect(seen).toEqual(['+a', '+b', '+c', '-b', '-a'])
  expect(signals.listenerCount('SIGTERM')).toBe(0)
})

test.each(['SIGTERM', 'SIGINT'])('%s stops everything and exits with 0', async (signal) => {
  const { lifecycle, seen, exits, clock, signals } = scene()
  await lifecycle.start()
  signals.emit(signal)
  await clock.advance(0)
  expect(seen.slice(3)).toEqual(['-c', '-b', '-a'])
  expect(exits).toEqual([0])
  expect(clock.timers).toBe(0)
})

test('a signal during the start stops what runs by then, and nothing more is started', async () => {
  const started = Promise.withResolvers<void>()
  const { lifecycle, seen, exits, clock, signals } = scene({ b: { start: () => started.promise } })
  const starting = lifecycle.start()
  await clock.advance(0)
  signals.emit('SIGTERM')
  await clock.advance(10)
  expect(exits).toEqual([])
  started.resolve()
  await starting
  await clock.advance(0)
  expect(seen).toEqual(['+a', '+b', '-b', '-a'])
  expect(exits).toEqual([0])
})

test('a second signal exits at once, not with 0', async () => {
  const { lifecycle, exits, clock, signals } = scene({ b: { stop: never } })
  await lifecycle.start()
  signals.emit('SIGTERM')
  await clock.advance(10)
  expect(exits).toEqual([])
  signals.emit('SIGINT')
  expect(exits).toEqual([130])
})

test('a part that does not drain in time is told to give up; the others still stop', async () => {
  const { lifecycle, seen, exits, clock, signals } = scene({ b: { stop: untilAborted } })
  await lifecycle.start()
  signals.emit('SIGTERM')
  await clock.advance(999)
  expect(seen.slice(3)).toEqual(['-c', '-b'])
  await clock.advance(1)
  expect(seen.slice(3)).toEqual(['-c', '-b', '-a'])
  expect(exits).toEqual([1])
})

test('a part that does not give up either is left behind', async () => {
  const { lifecycle, exits, clock, signals } = scene({ b: { stop: never } })
  await lifecycle.start()
  signals.emit('SIGTERM')
  await clock.advance(1000 + ABORT_GRACE_MS - 1)
  expect(exits).toEqual([])
  await clock.advance(1)
  expect(exits).toEqual([1])
})

test('a part that fails to stop does not keep the others from stopping', async () => {
  const { lifecycle, seen, exits, clock, signals } = scene({
    b: { stop: () => Promise.reject(new Error('cannot')) },
  })
  await lifecycle.start()
  signals.emit('SIGTERM')
  await clock.advance(0)
  expect(seen.slice(3)).toEqual(['-c', '-b', '-a'])
  expect(exits).toEqual([1])
})
