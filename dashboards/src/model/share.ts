import type { Question } from '../api.ts'

/** One word of a POSIX shell, whatever is in it. */
export function shellWord(text: string): string {
  // A shell cannot hold a NUL in a word.
  const held = text.replaceAll('\0', '')
  return /^[\w@%+=:,./-]+$/u.test(held) ? held : `'${held.replaceAll("'", `'\\''`)}'`
}

/** The same question for the command line. */
export function asCommand({ q, from, to }: Question): string {
  const options = `noctule search --from ${shellWord(from)} --to ${shellWord(to)}`
  if (q === '') return options
  // What starts with a minus would be read as an option.
  return `${options} ${q.startsWith('-') ? '-- ' : ''}${shellWord(q)}`
}

/** The same question for the API, without a secret in it: the token stands in a variable. */
export function asApiCall({ q, from, to }: Question, origin: string): string {
  const asked = [q === '' ? null : `q=${q}`, `from=${from}`, `to=${to}`].filter((part) => part !== null)
  return [
    `curl -sS --get ${shellWord(`${origin}/v1/search`)}`,
    `-H "authorization: Bearer $NOCTULE_TOKEN"`,
    ...asked.map((part) => `--data-urlencode ${shellWord(part)}`),
  ].join(' \\\n  ')
}
