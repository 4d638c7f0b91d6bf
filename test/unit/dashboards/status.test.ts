import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Coverage } from '../../../dashboards/src/model/coverage.ts'
import { pageStatus, type StatusFacts } from '../../../dashboards/src/model/status.ts'

const NOW = new Date(2026, 0, 5, 3, 12, 10).getTime()
const complete: Coverage = { complete: true, completeToMs: NOW - 3000, sites: [] }
const facts: StatusFacts = {
  nowMs: NOW,
  coverage: complete,
  answeredAtMs: NOW - 1000,
  fresh: true,
  problem: null,
  cancelled: false,
  tail: { phase: 'off', heardAtMs: null },
}

test('a fresh and complete answer is good', () => {
  expect(pageStatus(facts)).toEqual({ tone: 'good', text: 'Complete to 03:12:07', aside: '' })
})

test('an old answer says its age', () => {
  expect(pageStatus({ ...facts, answeredAtMs: NOW - 125_000 }).aside).toBe('asked 2 min ago')
})

describe('never good', () => {
  test.each<[string, Partial<StatusFacts>, string]>([
    [
      'before the first answer',
      { coverage: null, answeredAtMs: null, fresh: false },
      'Waiting for the first answer…',
    ],
    ['while another question is asked', { fresh: false }, 'Updating…'],
    ['when cancelled', { fresh: false, cancelled: true }, 'Cancelled: what is shown is an older answer'],
    [
      'when nobody answers',
      { fresh: false, answeredAtMs: NOW - 42_000, problem: { status: 0, message: '' } },
      'No answer from Noctule since 03:11:28, 42 s ago: what is shown is old',
    ],
    [
      'when the query is refused',
      { fresh: false, problem: { status: 400, message: '' } },
      'The query was refused: what is shown is an older answer',
    ],
    [
      'when the first query is refused',
      { coverage: null, answeredAtMs: null, fresh: false, problem: { status: 400, message: '' } },
      'No answer: the query was refused',
    ],
    [
      'when the tail is broken',
      { tail: { phase: 'reconnecting', heardAtMs: NOW - 4000 } },
      'Live tail is reconnecting: last word 4 s ago',
    ],
  ])('%s', (_name, more, text) => {
    const status = pageStatus({ ...facts, ...more })
    expect(status.tone).not.toBe('good')
    expect(status.text).toBe(text)
  })

  test('unless everything shown is fresh, without a problem, and called complete', () => {
    const anything = fc.record({
      coverage: fc.constantFrom(null, complete, { ...complete, complete: false }),
      answeredAtMs: fc.constantFrom(null, NOW - 1000),
      fresh: fc.boolean(),
      problem: fc.constantFrom(null, { status: 0, message: '' }, { status: 400, message: '' }),
      cancelled: fc.boolean(),
      tail: fc.constantFrom<StatusFacts['tail']>(
        { phase: 'off', heardAtMs: null },
        { phase: 'open', heardAtMs: NOW },
        { phase: 'reconnecting', heardAtMs: NOW },
      ),
    })
    fc.assert(
      fc.property(anything, (given) => {
        if (pageStatus({ ...given, nowMs: NOW }).tone !== 'good') return
        expect(given).toMatchObject({
          coverage: { complete: true },
          fresh: true,
          problem: null,
          cancelled: false,
        })
        expect(given.tail.phase).not.toBe('reconnecting')
      }),
    )
  })
})
