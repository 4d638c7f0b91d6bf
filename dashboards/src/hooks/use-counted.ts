import { keepPreviousData, useQuery } from '@tanstack/react-query'
import { useRef } from 'react'
import { asProblem, type Problem, type Question } from '../api.ts'
import type { Exploration } from './use-exploration.ts'

/** What counts beside the lines is not renewed more often than this in a live view. */
const LIVE_RENEWAL_MS = 30_000

export interface Counted<Answer> {
  readonly answer: Answer | undefined
  /** Of another question than the one that stands, until that one is answered. */
  readonly stale: boolean
  readonly problem: Problem | null
  readonly retry: () => void
}

/**
 * An answer beside the lines, of the same moment as the chart. Null as question: there is no moment yet, nothing is asked.
 * The answer before stays until there is a new one.
 */
export function useCounted<Answer>(
  key: string,
  question: Question | null,
  ask: (question: Question, signal: AbortSignal) => Promise<Answer>,
): Counted<Answer> {
  const result = useQuery({
    queryKey: ['search', key, question],
    queryFn: async ({ signal }) => {
      if (question === null) throw new Error('nothing is asked')
      return await ask(question, signal)
    },
    enabled: question !== null,
    placeholderData: keepPreviousData,
    // The times are fixed: the same question has the same answer for a while.
    staleTime: 60_000,
  })
  return {
    answer: result.data,
    stale: result.isPlaceholderData || question === null,
    problem: result.error === null ? null : asProblem(result.error),
    retry: () => void result.refetch(),
  }
}

/** The question of the page at the fixed times that the chart shows. */
export function useFixedQuestion(found: Exploration, q: string, live: boolean): Question | null {
  const held = useRef<Question | null>(null)
  const { answer, fresh } = found.counts
  if (answer === null || !fresh) return held.current
  const next = { q, from: answer.meta.from, to: answer.meta.to }
  const before = held.current
  const ageMs = before === null ? Infinity : Date.parse(next.to) - Date.parse(before.to)
  const renewed = live ? ageMs >= LIVE_RENEWAL_MS : before?.to !== next.to
  if (before === null || before.q !== q || renewed || before.from > next.from) held.current = next
  return held.current
}
