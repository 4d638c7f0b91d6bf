import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { lineRuns } from '../../../collectors/lines.ts'

const bounds = { lineBytesMax: 300, runBytesMax: 1_000, runLinesMax: 10 }

test('an unfinished line is in no run', () => {
  expect(lineRuns(Buffer.from('a\nb\nc'), bounds)).toEqual([{ start: 0, end: 4, next: 4, lines: 2 }])
  expect(lineRuns(Buffer.from('c'), bounds)).toEqual([])
})

test('runs hold every finished line once, in order, within their bounds', () => {
  const line = fc.oneof(fc.nat(20), fc.integer({ min: 295, max: 305 }), fc.integer({ min: 990, max: 1_010 }))
  fc.assert(
    fc.property(fc.array(line), fc.nat(400), (lengths, rest) => {
      const lines = lengths.map((length, index) => String.fromCharCode(97 + (index % 26)).repeat(length))
      const chunk = Buffer.from(lines.map((text) => `${text}\n`).join('') + '-'.repeat(rest))
      const runs = lineRuns(chunk, bounds)
      const texts = runs.flatMap(({ start, end, cutFrom }) => {
        const text = chunk.subarray(start, end).toString()
        return cutFrom === undefined ? text.split('\n').slice(0, -1) : [text]
      })
      expect(texts).toEqual(lines.map((text) => text.slice(0, 300)))
      expect(runs.reduce((total, run) => total + run.lines, 0)).toBe(lines.length)
      let at = 0
      for (const { start, end, next, lines, cutFrom } of runs) {
        expect(start).toBe(at)
        expect(cutFrom === undefined ? next === end : next === start + cutFrom + 1).toBe(true)
        expect(lines).toBeLessThanOrEqual(10)
        expect(lines === 1 || end - start <= 1_000).toBe(true)
        at = next
      }
    }),
  )
})
