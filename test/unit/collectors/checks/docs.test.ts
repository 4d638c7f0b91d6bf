import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { parse, stringify } from 'yaml'
import { checkSchema } from '../../../../core/config-checks.ts'
import { parseConfig } from '../../../../core/config.ts'

const page = readFileSync(new URL('../../../../docs/how-to/checks.md', import.meta.url), 'utf8')
const examples = [...page.matchAll(/^```yaml\n(.*?)^```/gms)].map(([, text = '']) => text)

/** An example is a whole configuration, or a list of checks. */
function configOf(example: string) {
  const value: unknown = parse(example)
  return parseConfig(stringify(Array.isArray(value) ? { collector: { checks: value } } : value), {})
}

test('every example of the page is a configuration, and every kind of check has one', () => {
  const kinds = examples.flatMap((example) => configOf(example).collector.checks.map(({ kind }) => kind))
  const known = checkSchema.options.map((option) => option.shape.kind.value)
  expect(new Set(kinds)).toEqual(new Set(known))
})

test('the page names every key of every kind', () => {
  const keys = new Set(checkSchema.options.flatMap((option) => Object.keys(option.shape)))
  expect([...keys].filter((key) => !new RegExp(`\\b${key}\\b`).test(page))).toEqual([])
})
