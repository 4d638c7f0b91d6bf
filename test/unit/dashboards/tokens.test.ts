import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { nextToken, type TokenState } from '../../../dashboards/src/editor/tokens.ts'

/** 'kind:text' of every piece. */
function tokens(query: string): readonly string[] {
  const state: TokenState = { inRange: false, behindField: false }
  const out: string[] = []
  for (let at = 0; at < query.length;) {
    const token = nextToken(query.slice(at), state)
    if (token !== null) out.push(`${token.kind} ${token.text}`)
    at += token?.text.length ?? 1
  }
  return out
}

test.each([
  ['timeout OR refused', ['word timeout', 'operator OR', 'word refused']],
  ['ORDER', ['word ORDER']],
  ['level:error', ['field level:', 'word error']],
  ['-host:web-*', ['operator -', 'field host:', 'wildcard web-*']],
  ['-x -', ['operator -', 'word x', 'word -']],
  ['status:>=500', ['field status:', 'range >=', 'number 500']],
  ['a:[1 TO now-1h}', ['field a:', 'range [', 'number 1', 'operator TO', 'word now-1h', 'range }']],
  ['a:("b c" OR /d+/)', ['field a:', 'bracket (', 'quoted "b c"', 'operator OR', 'regex /d+/', 'bracket )']],
  ['"not closed', ['quoted "not closed']],
  ['path:/var/log/x', ['field path:', 'word /var/log/x']],
  ['03:12:07', ['word 03:12:07']],
  ['a\\:b', ['word a\\:b']],
  ['user.id:7', ['field user.id:', 'number 7']],
])('tokens of %s', (query, wanted) => {
  expect(tokens(query)).toEqual(wanted)
})

test('every query is coloured to its end, and nothing in it is left out but blanks', () => {
  const char = fc.constantFrom(...'ab1 ():"/\\[]{}<>=-*?TO'.split(''), '\u{1f98a}')
  fc.assert(
    fc.property(fc.string({ unit: char, maxLength: 40 }), (query) => {
      const text = tokens(query)
        .map((token) => token.slice(token.indexOf(' ') + 1))
        .join('')
      expect(text.replaceAll(/\s/gu, '')).toBe(query.replaceAll(/\s/gu, ''))
    }),
  )
})
