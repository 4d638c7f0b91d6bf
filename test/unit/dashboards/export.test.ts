import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { byteCount, createExportReader } from '../../../dashboards/src/model/export.ts'

const PLAN = '{"plan":{"query":""}}'
const META = '{"meta":{"returned":2}}'
const RECORDS = ['{"id":"a","message":"é🦊"}', '{"id":"b"}']

/** Reads a text whose bytes are cut at the given places. */
function read(text: string, cuts: readonly number[] = []) {
  const bytes = new TextEncoder().encode(text)
  const reader = createExportReader()
  let from = 0
  for (const cut of [...cuts.toSorted((a, b) => a - b), bytes.length]) {
    const to = Math.min(cut, bytes.length)
    reader.feed(bytes.slice(from, to))
    from = Math.max(from, to)
  }
  const end = reader.end()
  return { end: end.kind === 'cut' ? `cut ${end.reason}` : 'whole', lines: reader.lines, bytes: reader.bytes }
}

test('an export is whole only with its last line, wherever the network cuts the stream', () => {
  const text = `${[PLAN, ...RECORDS, META].join('\n')}\n`
  fc.assert(
    fc.property(fc.array(fc.nat(text.length + 4)), (cuts) => {
      expect(read(text, cuts)).toEqual({
        end: 'whole',
        lines: 2,
        bytes: new TextEncoder().encode(text).length,
      })
    }),
  )
})

test.each([
  ['a broken connection', `${PLAN}\n${RECORDS[0]}\n{"id":"b`, 'cut ', 1],
  ['a broken connection between lines', `${PLAN}\n${RECORDS.join('\n')}\n`, 'cut ', 2],
  [
    'a reason',
    `${PLAN}\n${RECORDS[0]}\n{"error":{"detail":"the store is gone"}}\n`,
    'cut the store is gone',
    1,
  ],
  ['half a meta', `${PLAN}\n${RECORDS[0]}\n{"meta":{"returned`, 'cut ', 1],
  ['a record that speaks of a meta', `${PLAN}\n{"id":"{\\"meta\\":1}"}\n`, 'cut ', 1],
  ['nothing', '', 'cut ', 0],
])('%s is no whole export', (_, text, end, lines) => {
  expect(read(text)).toMatchObject({ end, lines })
})

test('sizes are said as a person would', () => {
  expect([0, 999, 1000, 12_345, 1.44e6, 2e9].map(byteCount)).toEqual([
    '0 B',
    '999 B',
    '1.0 kB',
    '12 kB',
    '1.4 MB',
    '2.0 GB',
  ])
})
