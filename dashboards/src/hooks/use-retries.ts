import { useEffect, useRef, useState } from 'react'
import type { Problem } from '../api.ts'

const RETRY_FIRST_MS = 2000
const RETRY_MAX_MS = 30_000
/** A query that took too long would take too long again: a person decides. */
const TOO_LONG = 504

/** Counts up when it is time to ask again after a failure that may pass; `atMs`: when that will be. */
export function useRetries(problem: Problem | null): { readonly turn: number; readonly atMs: number | null } {
  const [turn, setTurn] = useState(0)
  const [atMs, setAtMs] = useState<number | null>(null)
  const failures = useRef(0)

  useEffect(() => {
    setAtMs(null)
    if (problem === null || !problem.retryable || problem.status === TOO_LONG) {
      failures.current = 0
      return undefined
    }
    const backoffMs = Math.min(RETRY_MAX_MS, RETRY_FIRST_MS * 2 ** failures.current)
    const waitMs = problem.retryAfterS === null ? backoffMs : Math.max(problem.retryAfterS * 1000, backoffMs)
    failures.current += 1
    setAtMs(Date.now() + waitMs)
    const timer = setTimeout(() => {
      setAtMs(null)
      setTurn((before) => before + 1)
    }, waitMs)
    return () => clearTimeout(timer)
  }, [problem])

  return { turn, atMs }
}
