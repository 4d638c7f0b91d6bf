import { call } from '../api.ts'

export interface BoardChart {
  readonly title: string
  readonly metric: string
  readonly tags: readonly string[]
  readonly by: readonly string[]
  readonly aggregate?: string
}

export interface Board {
  readonly name: string
  readonly title: string
  readonly charts: readonly BoardChart[]
}

/** The built-in boards, then those of the configuration. */
export function listBoards(signal: AbortSignal) {
  return call<{ boards: readonly Board[] }>('GET', '/v1/boards', { signal })
}
