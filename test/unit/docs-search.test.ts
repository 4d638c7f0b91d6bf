import { readFileSync } from 'node:fs'
import { format, resolveConfig } from 'prettier'
import { expect, test } from 'vitest'
import { messageOf } from '../../core/errors.ts'
import { GREP_CHARS_MAX, compileGrep } from '../../core/query/grep.ts'
import {
  CLAUSES_MAX,
  DEPTH_MAX,
  QUERY_CHARS_MAX,
  QUERY_PATTERN_SIZE_MAX,
  parseQuery,
} from '../../core/query/parse.ts'
import { EXPANSIONS_MAX, REGEX_REPEAT_MAX, REGEX_SIZE_MAX } from '../../core/query/regex.ts'
import { PHRASE_TOKENS_MAX } from '../../core/query/terms.ts'
import { toPublicRecord } from '../../core/record.ts'
import { NOW, RECORDS, REFUSED, SECTIONS } from './core/query/cases.ts'
import type { Case, RefusedCase } from './core/query/cases.ts'

const PAGE = new URL('../../docs/reference/search.md', import.meta.url).pathname
/** What stands between two such comments is made from the examples. */
const MADE = /<!-- made: (\w+) -->\n[^]*?<!-- end -->/g

const BOUNDS: readonly (readonly [what: string, max: number])[] = [
  ['characters of a query', QUERY_CHARS_MAX],
  ['words, phrases, patterns and ranges of a query', CLAUSES_MAX],
  ['parentheses and NOTs inside one another', DEPTH_MAX],
  ['words of a phrase', PHRASE_TOKENS_MAX],
  [
    'wildcards of one word or value; alternatives that the `|` of one regular expression make',
    EXPANSIONS_MAX,
  ],
  ['a count in braces', REGEX_REPEAT_MAX],
  ['characters and classes of a pattern once its counts are written out', REGEX_SIZE_MAX],
  ['the same for all patterns of a query', QUERY_PATTERN_SIZE_MAX],
  ['characters of `grep`, as written and once its counts are written out', GREP_CHARS_MAX],
]

const code = (text: string) => (text === '' ? '(empty)' : `\`${text}\``)

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n')
}

function recordsTable(): string {
  const rows = Object.entries(RECORDS).map(([name, record]) => {
    const shown = Object.entries(toPublicRecord(record)).filter(([field]) => field !== 'ingested')
    return [name, code(JSON.stringify(Object.fromEntries(shown)))]
  })
  return `${table(['', 'record'], rows)}\n\n\`now\` is ${NOW}.`
}

function casesTable(cases: readonly Case[]): string {
  const hasGrep = cases.some(({ grep }) => grep !== undefined)
  const rows = cases.map(({ query, grep = '', finds }) => [
    code(query),
    ...(hasGrep ? [code(grep)] : []),
    finds.split('').join(' ') || 'nothing',
  ])
  return table(['query', ...(hasGrep ? ['grep'] : []), 'finds'], rows)
}

function refusedTable(cases: readonly RefusedCase[]): string {
  const rows = cases.map(({ query, code: failure, isGrep }) => [
    `${code(query)}${isGrep === true ? ' as grep' : ''}`,
    code(failure),
    code(messageFor(query, isGrep === true)),
  ])
  return table(['query', 'code', 'message'], rows)
}

function messageFor(query: string, isGrep: boolean): string {
  try {
    if (isGrep) compileGrep(query)
    else parseQuery(query, { nowMs: Date.parse(NOW) })
  } catch (error) {
    return messageOf(error)
  }
  throw new Error(`nothing is wrong with ${query}`)
}

function made(name: string): string {
  const cases = SECTIONS[name]
  if (cases !== undefined) return casesTable(cases)
  if (name === 'records') return recordsTable()
  if (name === 'refused') return refusedTable(REFUSED)
  if (name === 'bounds')
    return table(
      ['of', 'at most'],
      BOUNDS.map(([what, max]) => [what, max.toLocaleString('en-US')]),
    )
  throw new Error(`there are no examples of ${name}`)
}

test('the examples of the search reference are the ones that are tested (npm run docs)', async () => {
  const written = readFileSync(PAGE, 'utf8')
  const page = written.replaceAll(
    MADE,
    (_, name: string) => `<!-- made: ${name} -->\n\n${made(name)}\n\n<!-- end -->`,
  )
  await expect(await format(page, { ...(await resolveConfig(PAGE)), filepath: PAGE })).toMatchFileSnapshot(
    PAGE,
  )
})

test('every section of examples stands in the search reference', () => {
  const names = [...readFileSync(PAGE, 'utf8').matchAll(MADE)].map((match) => match[1] ?? '')
  expect(names.toSorted()).toEqual(['records', 'refused', 'bounds', ...Object.keys(SECTIONS)].toSorted())
})
