import { expect, test } from 'vitest'
import { readLine } from '../../../../aggregator/enrich/line.ts'

test('a fault of ours in reading a format leaves the line as plain text that says so', () => {
  const context = {
    host: 'web-1',
    readAtMs: 0,
    get utcOffsetMin(): number {
      throw new Error('a bug')
    },
  }
  const draft = readLine('2026-11-21 06:00:00 ERROR payment refused', context)
  expect(draft.message).toBe('2026-11-21 06:00:00 ERROR payment refused')
  expect(draft.attrs).toEqual({ reading_failed: 'a bug' })
})

test('a line of more than 64 Ki characters is kept whole as plain text', () => {
  const text = JSON.stringify({ msg: 'x', padding: 'y'.repeat(64 << 10) })
  expect(readLine(text, { host: 'web-1', readAtMs: 0, utcOffsetMin: 0 }).message).toBe(text)
})
