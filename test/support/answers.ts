import type { AnswerMeta } from '../../core/answer.ts'
import { type Program, until } from './program.ts'

export interface Answer {
  readonly records: readonly {
    readonly id: string
    readonly message: string
    readonly time: string
    readonly [field: string]: unknown
  }[]
  readonly meta: AnswerMeta
}

/** One search; fails when it is not answered with 200. */
export async function search(
  program: Program,
  q: string,
  more: Readonly<Record<string, string>> = {},
): Promise<Answer> {
  const response = await program.get(
    `/v1/search?${new URLSearchParams({ q, from: 'now-1d', to: 'now+1d', ...more }).toString()}`,
  )
  if (response.status !== 200)
    throw new Error(`search is answered ${response.status}: ${await response.text()}`)
  return (await response.json()) as Answer
}

/** Every message that matches, page by page. */
export async function allMessages(program: Program, q: string): Promise<string[]> {
  const messages: string[] = []
  let cursor: string | undefined
  do {
    const page = await search(program, q, { limit: '5000', ...(cursor === undefined ? {} : { cursor }) })
    messages.push(...page.records.map((record) => record.message))
    cursor = page.meta.cursor
  } while (cursor !== undefined)
  return messages
}

/** What differs between what was written and what is found: the oracle of every fault test. */
export function compareOnce(
  written: Iterable<string>,
  found: readonly string[],
): { missing: string[]; twice: string[]; foreign: string[] } {
  const counts = new Map<string, number>()
  for (const line of found) counts.set(line, (counts.get(line) ?? 0) + 1)
  const expected = new Set(written)
  return {
    missing: [...expected].filter((line) => !counts.has(line)).slice(0, 20),
    twice: [...counts]
      .filter(([, count]) => count > 1)
      .map(([line]) => line)
      .slice(0, 20),
    foreign: [...counts.keys()].filter((line) => !expected.has(line)).slice(0, 20),
  }
}

/** Waits until at least `count` records match. */
export async function untilFound(
  program: Program,
  q: string,
  count: number,
  deadlineMs = 60_000,
): Promise<void> {
  let seen = 0
  const total = async () => {
    const response = await program.get(
      `/v1/histogram?${new URLSearchParams({ q, from: 'now-1d', to: 'now+1d', timeout: '60000' }).toString()}`,
    )
    if (response.status !== 200) return undefined
    const { buckets } = (await response.json()) as { buckets: { total: number }[] }
    seen = buckets.reduce((sum, bucket) => sum + bucket.total, 0)
    return seen >= count ? true : undefined
  }
  await until(
    total,
    deadlineMs,
    () => `${seen} of ${count} records are found; ${program.output().slice(-4000)}`,
    50,
  )
}
