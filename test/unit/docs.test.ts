import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { configReference } from '../../core/config-reference.ts'

test('the configuration reference is the one that the schema gives (npm run docs)', () => {
  const written = readFileSync(new URL('../../docs/reference/configuration.md', import.meta.url), 'utf8')
  expect(written).toBe(configReference())
})
