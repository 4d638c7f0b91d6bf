import { expect, test } from 'vitest'
import { Problem } from '../../../dashboards/src/api.ts'
import { nextTurnMs, retryDelayMs } from '../../../dashboards/src/query-client.ts'

const problem = (status: number, facts: { retryable?: boolean; retryAfterS?: number } = {}) =>
  new Problem({ status, code: 'X', detail: 'x', retryable: status === 0 || status >= 429, ...facts })

test.each([
  { name: 'the first retry comes soon', failures: 0, chance: 1, waitMs: 500 },
  { name: 'each waits twice as long', failures: 2, chance: 1, waitMs: 2000 },
  { name: 'chance takes up to a half', failures: 2, chance: 0, waitMs: 1000 },
  { name: 'there is a longest wait', failures: 40, chance: 1, waitMs: 10_000 },
])('retryDelayMs: $name', ({ failures, chance, waitMs }) => {
  expect(retryDelayMs(failures, problem(503), chance)).toBe(waitMs)
})

test('a retry waits as long as the server asks', () => {
  expect(retryDelayMs(0, problem(429, { retryAfterS: 7 }), 0)).toBe(7000)
})

test.each([
  { name: 'an answer', error: null, nextMs: 1000 },
  { name: 'nobody answered: seldom, so that it can recover', error: problem(0), nextMs: 2000 },
  { name: 'too many: when the server says', error: problem(429, { retryAfterS: 9 }), nextMs: 9000 },
  { name: 'an answer that was cut off', error: new DOMException('late', 'TimeoutError'), nextMs: 2000 },
  { name: 'unavailable', error: problem(503), nextMs: 2000 },
  { name: 'refused: never', error: problem(403), nextMs: false },
  { name: 'a query that cannot be read: never', error: problem(400), nextMs: false },
])('nextTurnMs after $name', ({ error, nextMs }) => {
  expect(nextTurnMs(1000, error)).toBe(nextMs)
})
