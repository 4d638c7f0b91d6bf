import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { compileTagFilters } from '../../../../core/metrics/match.ts'

const matches = (value: string, pattern: string) =>
  compileTagFilters([{ tag: 't', values: [pattern], exclude: false }])({ t: value })

test('wildcards mean what the regular expression means', () => {
  const letters = fc.string({ unit: fc.constantFrom('a', 'b', '.', '\u{1f987}'), maxLength: 8 })
  const pattern = fc.string({ unit: fc.constantFrom('a', 'b', '.', '\u{1f987}', '*', '?'), maxLength: 8 })
  fc.assert(
    fc.property(letters, pattern, (value, glob) => {
      const source = glob.replaceAll('.', '\\.').replaceAll('*', '.*').replaceAll('?', '.')
      expect(matches(value, glob)).toBe(new RegExp(`^${source}$`, 'su').test(value))
    }),
    { numRuns: 1_000 },
  )
})

test('no pattern takes long', () => {
  const startedMs = performance.now()
  expect(matches('a'.repeat(200), '*a'.repeat(90) + 'b')).toBe(false)
  expect(performance.now() - startedMs).toBeLessThan(1_000)
})

test('no filter takes everything, a filter without values nothing', () => {
  expect(compileTagFilters([])({})).toBe(true)
  expect(compileTagFilters([{ tag: 't', values: [], exclude: false }])({ t: 'a' })).toBe(false)
  expect(compileTagFilters([{ tag: 't', values: [], exclude: true }])({ t: 'a' })).toBe(true)
})

test('what every object has is no tag', () => {
  const filter = { tag: 'constructor', values: [''], exclude: false }
  expect(compileTagFilters([filter])({})).toBe(true)
})
