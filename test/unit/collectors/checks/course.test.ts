import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { nextCourse, type Course } from '../../../../collectors/checks/course.ts'
import { CHECK_STATES, type CheckState } from '../../../../core/health.ts'

/** States at the given seconds → the state after each, and a mark where it changed. */
function run(seen: readonly (readonly [atS: number, state: CheckState])[], forS: number): string[] {
  let course: Course | null = null
  return seen.map(([atS, state]) => {
    const next: ReturnType<typeof nextCourse> = nextCourse(course, state, {
      atMs: atS * 1_000,
      forMs: forS * 1_000,
    })
    course = next.course
    return `${next.course.state}${next.change === null ? '' : '!'}`
  })
}

const everySecond = (...states: CheckState[]) => states.map((state, at) => [at, state] as const)

test.each([
  {
    name: 'without `for` every change counts',
    for: 0,
    seen: ['ok', 'fail', 'ok'],
    is: ['ok', 'fail!', 'ok!'],
  },
  { name: 'a first good sight is no news', for: 9, seen: ['ok', 'ok'], is: ['ok', 'ok'] },
  { name: 'a first bad sight is news', for: 0, seen: ['warn'], is: ['warn!'] },
  {
    name: 'bad for long enough',
    for: 2,
    seen: ['ok', 'fail', 'fail', 'fail', 'fail'],
    is: ['ok', 'ok', 'ok', 'fail!', 'fail'],
  },
  {
    name: 'good for as long',
    for: 2,
    seen: ['ok', 'fail', 'fail', 'fail', 'ok', 'ok', 'ok'],
    is: ['ok', 'ok', 'ok', 'fail!', 'fail', 'fail', 'ok!'],
  },
  {
    name: 'one that flaps stays what it was',
    for: 2,
    seen: ['ok', 'fail', 'fail', 'ok', 'fail', 'fail', 'ok'],
    is: ['ok', 'ok', 'ok', 'ok', 'ok', 'ok', 'ok'],
  },
  {
    name: 'warn and fail in turn are at least a warning',
    for: 2,
    seen: ['ok', 'warn', 'fail', 'warn', 'fail', 'fail', 'fail'],
    is: ['ok', 'ok', 'ok', 'warn!', 'warn', 'warn', 'fail!'],
  },
  {
    name: 'ok and warn in turn are at most a warning',
    for: 2,
    seen: ['fail', 'fail', 'fail', 'ok', 'warn', 'ok', 'ok', 'ok'],
    is: ['unknown', 'unknown', 'fail!', 'fail', 'fail', 'warn!', 'warn', 'ok!'],
  },
  {
    name: 'at the start it is not known before something good, or bad for long enough',
    for: 2,
    seen: ['fail', 'fail', 'ok'],
    is: ['unknown', 'unknown', 'ok'],
  },
] as const)('nextCourse: $name', ({ for: forS, seen, is }) => {
  expect(run(everySecond(...seen), forS)).toEqual(is)
})

test('a check that is made rarely changes at the first sight after `for`', () => {
  expect(
    run(
      [
        [0, 'ok'],
        [60, 'fail'],
        [120, 'fail'],
      ],
      30,
    ),
  ).toEqual(['ok', 'ok', 'fail!'])
})

test('a change tells since when it was seen, and how long the state before lasted', () => {
  let course: Course | null = null
  const times = { forMs: 2_000 }
  for (const [atMs, seen] of [
    [0, 'ok'],
    [1_000, 'fail'],
    [2_000, 'fail'],
  ] as const)
    course = nextCourse(course, seen, { ...times, atMs }).course
  const { change } = nextCourse(course, 'fail', { ...times, atMs: 3_000 })
  expect(change).toEqual({ before: 'ok', state: 'fail', sinceMs: 1_000, lastedMs: 3_000 })
})

const seenArbitrary = fc.array(fc.tuple(fc.integer({ min: 0, max: 20 }), fc.constantFrom(...CHECK_STATES)), {
  minLength: 1,
  maxLength: 40,
})

test('whatever comes: a state only holds what was seen, and what is seen for long enough holds', () => {
  fc.assert(
    fc.property(seenArbitrary, fc.integer({ min: 0, max: 30 }), (steps, forS) => {
      let atS = 0
      const seen = steps.map(([afterS, state]) => [(atS += afterS), state] as const)
      const [, last] = seen.at(-1) ?? [0, 'ok']
      const steady = [...seen, [atS + 1, last] as const, [atS + 1 + forS, last] as const]
      const states = run(steady, forS)
      expect(states.at(-1)?.replace('!', '')).toBe(last)
      const known = new Set(['unknown', ...seen.map(([, state]) => state)])
      expect(states.every((state) => known.has(state.replace('!', '')))).toBe(true)
    }),
  )
})
