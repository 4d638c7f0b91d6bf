import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { cliReference } from '../../../cli/reference.ts'

const page = cliReference()
const sections = [...page.matchAll(/^## (noctule.*)\n\n```text\n([^`]*(?:`[^`]+`[^`]*)*)\n```$/gm)].map(
  ([, name = '', text = '']) => ({ name, text }),
)

test('the reference of the command line is what --help says (npm run docs)', () => {
  const written = readFileSync(new URL('../../../docs/reference/cli.md', import.meta.url), 'utf8')
  expect(written).toBe(page)
})

test('the reference has every command that the program has', async () => {
  const main = new URL('../../../main.ts', import.meta.url).pathname
  const { stdout } = await promisify(execFile)(process.execPath, [main, '--help'])
  expect(sections.find(({ name }) => name === 'noctule')?.text).toBe(
    // The width of this one is that of a pipe, too.
    stdout.trim(),
  )
})

test('the reference has a section per command', () => {
  expect(sections.map(({ name }) => name)).toEqual(
    expect.arrayContaining(['noctule', 'noctule all', 'noctule config check', 'noctule queries cancel']),
  )
  expect(sections).toHaveLength(page.match(/^Usage: /gm)?.length ?? 0)
})

test.each(sections)('the help of $name has an example that calls it', ({ name, text }) => {
  const examples = text.slice(text.indexOf('\nExamples:\n') + 1)
  expect(examples).toMatch(/^Examples:\n/)
  expect(examples).toContain(name)
})
