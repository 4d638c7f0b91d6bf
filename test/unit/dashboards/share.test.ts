import { execFileSync } from 'node:child_process'
import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { asApiCall, asCommand, shellWord } from '../../../dashboards/src/model/share.ts'

const times = { from: '2026-11-21T08:00:00.000Z', to: '2026-11-21T09:00:00.000Z' }

test('a question becomes a command', () => {
  expect(asCommand({ q: `level:error "it's"`, ...times })).toBe(
    `noctule search --from ${times.from} --to ${times.to} 'level:error "it'\\''s"'`,
  )
  expect(asCommand({ q: '', ...times })).toBe(`noctule search --from ${times.from} --to ${times.to}`)
  expect(asCommand({ q: '-debug', ...times })).toContain(' -- -debug')
})

test('a question becomes an API call, with the token in a variable', () => {
  expect(asApiCall({ q: 'a b', ...times }, 'https://logs.example')).toBe(
    [
      'curl -sS --get https://logs.example/v1/search',
      '-H "authorization: Bearer $NOCTULE_TOKEN"',
      "--data-urlencode 'q=a b'",
      `--data-urlencode from=${times.from}`,
      `--data-urlencode to=${times.to}`,
    ].join(' \\\n  '),
  )
})

test('a shell reads back every text as one word', () => {
  const unit = fc.constantFrom(...`a'"$\`\\!*?(){}[]<>|&;#~ \n-=`.split(''))
  const texts = fc.sample(fc.string({ unit, minLength: 1, maxLength: 30 }), { numRuns: 60, seed: 6 })
  const script = `for word in ${texts.map(shellWord).join(' ')}; do printf '%s\\0' "$word"; done`
  const read = execFileSync('/bin/sh', ['-c', script], { encoding: 'utf8' })
  expect(read.split('\0').slice(0, -1)).toEqual(texts)
})
