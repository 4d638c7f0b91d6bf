import { expect, test } from 'vitest'
import { decodeCheckpoint, encodeCheckpoint } from '../../../../collectors/spool/checkpoint.ts'
import type { Checkpoint } from '../../../../collectors/spool/checkpoint.ts'

const CHECKPOINT: Checkpoint = {
  v: 1,
  collector: 'c1',
  epoch: 'e2',
  lastSeq: 7,
  previous: { epoch: 'e1', lastSeq: 3 },
  lastSeqs: { e1: 3 },
  positions: { '/var/log/ä': { offset: 10, done: true, id: 'x', gone: null } },
  nextRef: 10,
  destinations: {
    near: { waiting: [[3, 5]], untold: [] },
    far: {
      waiting: [[1, 9]],
      untold: ['e1'],
      renumbering: { epoch: 'e3', lastSeq: 2, ranges: [[1, 2, 1]], tombstones: [] },
    },
  },
}

test('what is written is read', () => {
  expect(decodeCheckpoint(encodeCheckpoint(CHECKPOINT), '/c')).toEqual(CHECKPOINT)
})

test('fields of a newer version are kept', () => {
  const newer = { ...CHECKPOINT, added: { in: 'v2' } }
  expect(decodeCheckpoint(encodeCheckpoint(newer), '/c')).toEqual(newer)
})

test('one damaged byte, wherever it is, costs nothing', () => {
  const bytes = encodeCheckpoint(CHECKPOINT)
  for (let at = 0; at < bytes.length; at += 1) {
    const damaged = Buffer.from(bytes)
    damaged[at] = (damaged[at] ?? 0) ^ 0x11
    expect(decodeCheckpoint(damaged, '/c')).toEqual(CHECKPOINT)
  }
})

test.each([
  { name: 'both copies are damaged', bytes: Buffer.from('what is this\nno checkpoint\n') },
  { name: 'it is empty', bytes: Buffer.alloc(0) },
  {
    name: 'it is of another version',
    bytes: encodeCheckpoint({ ...CHECKPOINT, v: 2 } as unknown as Checkpoint),
  },
])('refused, with the file and what to do: $name', ({ bytes }) => {
  expect(() => decodeCheckpoint(bytes, '/spool/checkpoint')).toThrow(
    expect.objectContaining({
      code: 'DATA_CORRUPT',
      message: expect.stringMatching(/^cannot read \/spool\/checkpoint: [^]*remove the spool folder/),
    }),
  )
})
