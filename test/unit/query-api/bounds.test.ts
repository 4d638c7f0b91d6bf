import { assert, integer, property } from 'fast-check'
import { describe, expect, test } from 'vitest'
import { createAdmission } from '../../../query-api/admission.ts'
import { BUCKETS_MAX, assertBuckets, pleasantIntervalMs } from '../../../query-api/interval.ts'

const never = () => new AbortController().signal
const settle = () => new Promise((resolve) => setImmediate(resolve))

describe('admission', () => {
  function gate() {
    const { promise, resolve } = Promise.withResolvers<void>()
    return { open: resolve, wait: () => promise }
  }

  test('works run in order of arrival, never more than allowed at once', async () => {
    const admission = createAdmission({ concurrencyMax: 2, queueMax: 10 })
    const gates = Array.from({ length: 5 }, gate)
    const started: number[] = []
    const works = gates.map((gate, index) =>
      admission.run(never(), async () => {
        started.push(index)
        await gate.wait()
      }),
    )
    await settle()
    expect(started).toEqual([0, 1])
    expect([admission.running, admission.waiting]).toEqual([2, 3])
    gates[1]?.open()
    await settle()
    expect(started).toEqual([0, 1, 2])
    for (const { open } of gates) open()
    await Promise.all(works)
    expect(started).toEqual([0, 1, 2, 3, 4])
    expect([admission.running, admission.waiting]).toEqual([0, 0])
  })

  test('who leaves the queue frees its place in it', async () => {
    const admission = createAdmission({ concurrencyMax: 1, queueMax: 1 })
    const first = gate()
    const running = admission.run(never(), first.wait)
    const controller = new AbortController()
    const waiting = admission.run(controller.signal, async () => 'never')
    controller.abort(new Error('gone'))
    await expect(waiting).rejects.toThrow('gone')
    const next = admission.run(never(), async () => 'served')
    await expect(admission.run(never(), async () => 'too many')).rejects.toMatchObject({ code: 'OVERLOADED' })
    first.open()
    expect(await next).toBe('served')
    await running
    expect([admission.running, admission.waiting]).toEqual([0, 0])
  })

  test('work that does not heed its signal is answered for, and keeps its place until it ends', async () => {
    const admission = createAdmission({ concurrencyMax: 1, queueMax: 1 })
    const stubborn = gate()
    const controller = new AbortController()
    const work = admission.run(controller.signal, stubborn.wait)
    await settle()
    controller.abort(new Error('deadline'))
    await expect(work).rejects.toThrow('deadline')
    expect(admission.running).toBe(1)
    stubborn.open()
    await settle()
    expect(admission.running).toBe(0)
  })

  test('work that fails frees its place', async () => {
    const admission = createAdmission({ concurrencyMax: 1, queueMax: 0 })
    await expect(admission.run(never(), () => Promise.reject(new Error('broken')))).rejects.toThrow('broken')
    expect(await admission.run(never(), async () => 'fine')).toBe('fine')
  })
})

describe('interval', () => {
  test.each([
    { range: '15 minutes', spanMs: 900_000, intervalMs: 15_000 },
    { range: 'an hour', spanMs: 3_600_000, intervalMs: 60_000 },
    { range: 'a day', spanMs: 86_400_000, intervalMs: 1_800_000 },
    { range: 'a week', spanMs: 7 * 86_400_000, intervalMs: 3 * 3_600_000 },
    { range: 'ten years', spanMs: 3_650 * 86_400_000, intervalMs: 63 * 86_400_000 },
    { range: 'a millisecond', spanMs: 1, intervalMs: 1 },
  ])('$range is cut into pleasant buckets', ({ spanMs, intervalMs }) => {
    expect(pleasantIntervalMs({ fromMs: 0, toMs: spanMs })).toBe(intervalMs)
  })

  test('the default never makes more than 61 buckets', () => {
    const ms = integer({ min: -8.64e12, max: 8.64e12 })
    assert(
      property(ms, ms, (a, b) => {
        const [fromMs, toMs] = a < b ? [a, b] : [b, a + 1]
        const intervalMs = pleasantIntervalMs({ fromMs, toMs })
        expect(Math.ceil(toMs / intervalMs) - Math.floor(fromMs / intervalMs)).toBeLessThanOrEqual(61)
      }),
    )
  })

  test('as many buckets as allowed pass, one more does not', () => {
    expect(() => assertBuckets({ fromMs: 0, toMs: BUCKETS_MAX * 10 }, 10)).not.toThrow()
    expect(() => assertBuckets({ fromMs: 5, toMs: BUCKETS_MAX * 10 + 5 }, 10)).toThrow('too narrow')
  })
})
