import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { entryHead, scanSegment } from '../../../../collectors/spool/entry.ts'
import { assembleFrame } from '../../../../core/wire.ts'
import type { BatchHeader } from '../../../../core/wire.ts'
import { draftOf } from '../../../support/spool.ts'

const FIRST = 10

/** A segment of groups of so many entries each; entry `ref` has number `ref`, and where each starts. */
function segmentOf(groups: readonly number[]): { bytes: Buffer; starts: number[] } {
  const parts: Buffer[] = []
  const starts: number[] = []
  let length = 0
  for (const count of groups) {
    const group = length
    for (let index = 0; index < count; index += 1) {
      const ref = FIRST + starts.length
      const frame = frameOf(ref)
      const head = entryHead({ ref, group, positions: { s: { ref } } }, frame.length)
      starts.push(length)
      parts.push(head, frame)
      length += head.length + frame.length
    }
  }
  return { bytes: Buffer.concat(parts), starts }
}

function frameOf(seq: number): Buffer {
  const { header, body } = draftOf([`line ${seq}`])
  const own = { v: 1, collector: 'c', epoch: 'e'.repeat(32), seq, tombstones: [], bodyBytes: body.length }
  return assembleFrame({ ...header, ...own } as unknown as BatchHeader, body)
}

const refsOf = (bytes: Buffer, durableRef = 0) => {
  const { entries, bad, end } = scanSegment(bytes, FIRST, durableRef)
  return { refs: entries.map(({ ref }) => ref), bad: bad.map(({ refFrom, refTo }) => [refFrom, refTo]), end }
}

describe('scanSegment', () => {
  test('finds every entry, with its frame and positions', () => {
    const { bytes } = segmentOf([2, 1])
    const { entries, bad, end } = scanSegment(bytes, FIRST, 0)
    expect({ bad, end }).toEqual({ bad: [], end: bytes.length })
    for (const [index, { ref, positions, header, frameAt, frameBytes }] of entries.entries()) {
      expect({ ref, positions, seq: header.seq }).toEqual({
        ref: FIRST + index,
        positions: { s: { ref } },
        seq: ref,
      })
      expect(bytes.subarray(frameAt, frameAt + frameBytes)).toEqual(frameOf(ref))
    }
    expect(entries.length).toBe(3)
  })

  test('an empty segment has no entries', () => {
    expect(refsOf(Buffer.alloc(0))).toEqual({ refs: [], bad: [], end: 0 })
  })

  test('a group that was cut short ends the segment at its first damage, also when whole entries follow', () => {
    const { bytes, starts } = segmentOf([2, 3])
    bytes.fill(0, (starts[3] ?? 0) + 5, (starts[3] ?? 0) + 10)
    expect(refsOf(bytes)).toEqual({ refs: [10, 11, 12], bad: [], end: starts[3] })
    expect(refsOf(bytes.subarray(0, -1))).toEqual({ refs: [10, 11, 12], bad: [], end: starts[3] })
  })

  test('damage before the last group is set aside, and what follows is kept', () => {
    const { bytes, starts } = segmentOf([2, 3])
    bytes.fill(0, (starts[0] ?? 0) + 5, (starts[1] ?? 0) + 10)
    expect(refsOf(bytes)).toEqual({ refs: [12, 13, 14], bad: [[10, 11]], end: bytes.length })
  })

  test('damage to what is known to be durable is never taken for a cut', () => {
    const { bytes, starts } = segmentOf([2, 3])
    bytes.fill(0, (starts[3] ?? 0) + 5)
    expect(refsOf(bytes, 15)).toEqual({ refs: [10, 11, 12], bad: [[13, null]], end: bytes.length })
  })

  test('whatever bytes are damaged, no entry comes back changed, and none is missing without being reported or cut', () => {
    const { bytes, starts } = segmentOf([1, 2, 3, 2])
    const damage = fc.tuple(fc.nat(bytes.length - 1), fc.integer({ min: 1, max: 400 }), fc.nat(255))
    fc.assert(
      fc.property(damage, ([from, length, value]) => {
        const damaged = Buffer.from(bytes).fill(value, from, Math.min(from + length, bytes.length))
        const { entries, bad, end } = scanSegment(damaged, FIRST, 0)
        const found = entries.map(({ ref }) => ref)
        const reported = bad.flatMap(({ refFrom, refTo }) =>
          Array.from({ length: (refTo ?? refFrom) - refFrom + 1 }, (_, index) => refFrom + index),
        )
        const cut = starts.flatMap((start, index) => (start >= end ? [FIRST + index] : []))
        const all = [...found, ...reported, ...cut].sort((left, right) => left - right)
        expect(all).toEqual(starts.map((_, index) => FIRST + index))
        for (const { frameAt, frameBytes, ref } of entries) {
          expect(damaged.subarray(frameAt, frameAt + frameBytes)).toEqual(frameOf(ref))
        }
      }),
    )
  })
})
