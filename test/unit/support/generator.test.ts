import { zstdCompressSync } from 'node:zlib'
import { expect, test } from 'vitest'
import { generateLines } from '../../support/generator.ts'

function take(count: number, options: Parameters<typeof generateLines>[0]): string[] {
  const source = generateLines(options)
  return Array.from({ length: count }, () => source.next().value)
}

test('a seed replays its lines, another seed gives others', () => {
  expect(take(200, { seed: 1 })).toEqual(take(200, { seed: 1 }))
  expect(take(200, { seed: 1 })).not.toEqual(take(200, { seed: 2 }))
})

test('the marker of a line is the only difference that it makes', () => {
  const plain = take(2_000, { seed: 3 })
  const marked = take(2_000, { seed: 3, marker: true })
  expect(marked.map((line, n) => line.replace(` id=${n}`, ''))).toEqual(plain)
  expect(new Set(marked.map((line) => / id=\d+/.exec(line)?.[0])).size).toBe(2_000)
})

test('a marked JSON line is still JSON, with the marker in its message', () => {
  const objects = take(200, { seed: 4, marker: true }).filter((line) => line.startsWith('{'))
  for (const text of objects)
    expect(JSON.parse(text)).toMatchObject({ msg: expect.stringMatching(/ id=\d+$/) })
  expect(objects.length).toBeGreaterThan(30)
})

test('a full batch of lines compresses like real logs do', () => {
  const body = Buffer.from(take(4_000, { seed: 5 }).join('\n'))
  const ratio = body.length / zstdCompressSync(body).length
  expect(ratio).toBeGreaterThan(5)
  expect(ratio).toBeLessThan(8)
})
