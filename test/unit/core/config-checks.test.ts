import { expect, test } from 'vitest'
import { checksSchema, durationMs } from '../../../core/config-checks.ts'

test.each([
  { text: '0s', ms: 0 },
  { text: '0', ms: 0 },
  { text: '1m30s', ms: 90_000 },
])('a check may last $text', ({ text, ms }) => {
  expect(durationMs(text)).toBe(ms)
  expect(checksSchema.parse([{ name: 'a', kind: 'tcp', host: 'h', port: 1, for: text }])).toHaveLength(1)
})

test.each([
  { name: 'an expression that is none', check: { kind: 'process', command: '(' }, says: /at its end/ },
  {
    name: 'an expression that RE2 does not know',
    check: { kind: 'process', command: '(?=a)' },
    says: /look-around|RE2/,
  },
  {
    name: 'a timer that cannot wait so long',
    check: { kind: 'load', every: '30d' },
    says: /at most 86400000/,
  },
  { name: 'a check that spins', check: { kind: 'load', every: '0s' }, says: /at least 200/ },
  { name: 'a certificate from nowhere', check: { kind: 'certificate' }, says: /`host` or `file`/ },
  {
    name: 'a certificate from two places',
    check: { kind: 'certificate', host: 'a', file: 'b' },
    says: /`host` or `file`/,
  },
  { name: 'an unknown kind', check: { kind: 'ping' }, says: /kind|discriminator/i },
])('refused: $name', ({ check, says }) => {
  const parsed = checksSchema.safeParse([{ name: 'a', ...check }])
  expect(parsed.success).toBe(false)
  expect(JSON.stringify(parsed.error?.issues)).toMatch(says)
})

test('two checks of one name are refused', () => {
  const check = { name: 'a', kind: 'load' }
  expect(checksSchema.safeParse([check, check]).success).toBe(false)
})
