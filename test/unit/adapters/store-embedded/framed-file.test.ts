import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { encodeFile, openFramedFile, scanFrames } from '../../../../adapters/store-embedded/framed-file.ts'
import { createPowerLossFs } from '../../../support/power-loss-fs.ts'

const PATH = '/data/wal'

async function fileOf(groups: readonly (readonly Uint8Array[])[]): Promise<Buffer> {
  const fs = createPowerLossFs()
  await fs.mkdir('/data')
  const file = await openFramedFile(fs, PATH, '/data')
  for (const group of groups) await file.append(group)
  expect(file.size).toBe(await fs.size(PATH))
  return fs.readFile(PATH)
}

const payloads = fc.array(fc.array(fc.uint8Array({ maxLength: 40 }), { minLength: 1, maxLength: 3 }), {
  maxLength: 5,
})

test('a file cut anywhere holds its first groups whole, and no damage', async () => {
  await fc.assert(
    fc.asyncProperty(payloads, fc.double({ min: 0, max: 1, noNaN: true }), async (groups, share) => {
      const bytes = await fileOf(groups)
      const { payloads, damagedBytes } = scanFrames(bytes.subarray(0, Math.round(share * bytes.length)))
      const whole = groups.filter((_, i) => groups.slice(0, i + 1).flat().length <= payloads.length)
      expect(payloads.map((payload) => [...payload])).toEqual(whole.flat().map((payload) => [...payload]))
      expect(damagedBytes).toBe(0)
    }),
  )
})

test('a flipped byte costs its group; it is damage when good ones follow', async () => {
  const bytes = await fileOf([[Buffer.from('one')], [Buffer.from('two')], [Buffer.from('three')]])
  const flipped = Buffer.from(bytes)
  const at = flipped.indexOf('two')
  flipped[at] = 0
  const { payloads, damagedBytes, end } = scanFrames(flipped)
  expect(payloads.map(String)).toEqual(['one', 'three'])
  expect(damagedBytes).toBeGreaterThan(0)
  expect(end).toBe(bytes.length)
})

test('a payload that looks like a file of frames is only a payload', () => {
  const inner = encodeFile([Buffer.from('not a batch')])
  const outer = encodeFile([inner])
  expect(scanFrames(outer.subarray(0, outer.length - 1)).payloads).toEqual([])
  expect(scanFrames(outer).payloads).toEqual([inner])
})
