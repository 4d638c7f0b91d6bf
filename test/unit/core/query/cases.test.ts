import { expect, test } from 'vitest'
import { compileGrep } from '../../../../core/query/grep.ts'
import { matches } from '../../../../core/query/matches.ts'
import { parseQuery } from '../../../../core/query/parse.ts'
import { NOW, RECORDS, REFUSED, SECTIONS } from './cases.ts'

const nowMs = Date.parse(NOW)

test.each(Object.entries(SECTIONS).flatMap(([section, cases]) => cases.map((one) => ({ section, ...one }))))(
  '$section: $query $grep finds $finds',
  ({ query, grep, finds }) => {
    const plan = parseQuery(query, { nowMs })
    const holds = grep === undefined ? () => true : compileGrep(grep)
    const found = Object.entries(RECORDS).filter(([, record]) => matches(plan, record) && holds(record))
    expect(found.map(([name]) => name).join('')).toBe(finds)
  },
)

test.each(REFUSED)('$query is refused at column $column: $says', ({ query, code, column, says, isGrep }) => {
  expect(() => (isGrep === true ? compileGrep(query) : parseQuery(query, { nowMs }))).toThrow(
    expect.objectContaining({
      code,
      message: expect.stringContaining(says) as unknown,
      details: expect.objectContaining({ column }) as unknown,
    }),
  )
})
