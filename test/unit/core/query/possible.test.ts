import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { matches } from '../../../../core/query/matches.ts'
import { mayMatch, type Possible } from '../../../../core/query/possible.ts'
import type { LogRecord } from '../../../../core/record.ts'
import { plan, recordFields } from '../../../support/record-arbitraries.ts'
import { query } from '../../../support/store-under-test.ts'

const EU: Possible = { site: ['eu'] }

describe('what records of one site may match', () => {
  test.each([
    ['', true],
    ['site:eu', true],
    ['site:us', false],
    ['NOT site:eu', false],
    ['NOT site:us', true],
    ['site:(us OR eu) level:error', true],
    ['site:us OR level:error', true],
    ['site:us error', false],
    ['NOT (site:eu error)', true],
    ['site:e*', true],
    ['error', true],
  ])('%s: %s', (text, expected) => {
    expect(mayMatch(query(text).root, EU)).toBe(expected)
  })
})

test('several values: any of them may match, only all of them surely do', () => {
  const possible: Possible = { service: ['a', 'b'] }
  expect(mayMatch(query('service:a').root, possible)).toBe(true)
  expect(mayMatch(query('NOT service:a').root, possible)).toBe(true)
  expect(mayMatch(query('service:c').root, possible)).toBe(false)
})

test('whatever a record matches, its own values may match', () => {
  fc.assert(
    fc.property(recordFields, plan, (fields, asked) => {
      const record: LogRecord = { id: '', ...fields }
      const { site, level, service } = record
      const possible = { site: [site], level: [level], service: [service] }
      expect(matches(asked, record) && !mayMatch(asked.root, possible)).toBe(false)
    }),
  )
})
