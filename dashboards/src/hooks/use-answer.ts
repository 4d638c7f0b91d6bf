import { useEffect, useEffectEvent, useRef, useState } from 'react'
import { asProblem, isAbort, type Problem } from '../api.ts'

/** A question that is asked anew whenever it changes. The last answer stays until there is a newer one. */
export interface Answering<Answer> {
  readonly answer: Answer | null
  /** When `answer` came, by this browser's clock. */
  readonly answeredAtMs: number | null
  /** True while `answer` is of the question as it stands now. */
  readonly fresh: boolean
  readonly running: boolean
  readonly cancelled: boolean
  readonly problem: Problem | null
}

type State<Answer> = Omit<Answering<Answer>, 'fresh'> & {
  readonly askedSubject: string | null
  readonly answeredSubject: string | null
}

const NOTHING = {
  answer: null,
  answeredAtMs: null,
  askedSubject: null,
  answeredSubject: null,
  running: false,
  cancelled: false,
  problem: null,
} as const

/**
 * Asks when `subject` or `turn` changes, and drops what is under way. A new turn of the same subject renews the answer,
 * and the one before stays fresh meanwhile. A null subject asks nothing.
 */
export function useAnswer<Answer>(
  { subject, turn = 0 }: { subject: string | null; turn?: number },
  ask: (signal: AbortSignal) => Promise<Answer>,
): Answering<Answer> & {
  readonly cancel: () => void
  readonly replace: (change: (answer: Answer) => Answer) => void
} {
  const [state, setState] = useState<State<Answer>>(NOTHING)
  const underWay = useRef<AbortController | null>(null)

  const run = useEffectEvent(async (signal: AbortSignal) => {
    setState((before) => ({
      ...before,
      askedSubject: subject,
      running: true,
      cancelled: false,
      // What a new turn has to say about the same question is not known yet.
      problem: before.askedSubject === subject ? before.problem : null,
    }))
    try {
      const answer = await ask(signal)
      if (signal.aborted) return
      setState({
        ...NOTHING,
        answer,
        answeredAtMs: Date.now(),
        askedSubject: subject,
        answeredSubject: subject,
      })
    } catch (error) {
      if (signal.aborted || isAbort(error)) return
      setState((before) => ({ ...before, running: false, problem: asProblem(error) }))
    }
  })

  useEffect(() => {
    if (subject === null) {
      setState((before) => (before.running ? { ...before, running: false } : before))
      return undefined
    }
    const abort = new AbortController()
    underWay.current = abort
    void run(abort.signal)
    return () => abort.abort()
  }, [subject, turn])

  return {
    ...state,
    fresh: state.answeredSubject === subject && state.problem === null,
    cancel() {
      underWay.current?.abort()
      setState((before) => (before.running ? { ...before, running: false, cancelled: true } : before))
    },
    replace: (change) =>
      setState((before) => (before.answer === null ? before : { ...before, answer: change(before.answer) })),
  }
}
