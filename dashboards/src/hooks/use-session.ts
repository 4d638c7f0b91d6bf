import { useEffect, useState } from 'react'
import {
  asProblem,
  currentSession,
  isAbort,
  sessionEnds,
  signIn,
  signOut,
  type Problem,
  type Session,
} from '../api.ts'
import { codeOfFragment, codeOfPaste } from '../model/url-state.ts'

export type SessionState =
  | { readonly phase: 'checking' }
  | { readonly phase: 'out'; readonly problem: Problem | null; readonly ended: boolean }
  | { readonly phase: 'in'; readonly session: Session }

export interface SessionControl {
  readonly state: SessionState
  /** Takes a code, a token, or a pasted sign-in link. */
  readonly enter: (pasted: string) => Promise<void>
  readonly leave: () => Promise<void>
}

/** Signs in by the link's fragment or the cookie; the query string is left alone throughout. */
export function useSession(): SessionControl {
  const [state, setState] = useState<SessionState>({ phase: 'checking' })

  useEffect(() => {
    const abort = new AbortController()
    arrive(abort.signal).then(setState, (error: unknown) => {
      if (!isAbort(error)) setState({ phase: 'out', problem: asProblem(error), ended: false })
    })
    const end = () => setState({ phase: 'out', problem: null, ended: true })
    sessionEnds.addEventListener('end', end)
    return () => {
      abort.abort()
      sessionEnds.removeEventListener('end', end)
    }
  }, [])

  return {
    state,
    async enter(pasted) {
      const never = new AbortController().signal
      try {
        setState({ phase: 'in', session: await signIn(codeOfPaste(pasted), never) })
      } catch (error) {
        setState({ phase: 'out', problem: asProblem(error), ended: false })
      }
    },
    async leave() {
      // Also when the server cannot be told: this page forgets what it shows.
      await signOut(AbortSignal.timeout(2000)).catch(() => undefined)
      setState({ phase: 'out', problem: null, ended: false })
    },
  }
}

/** The exchange of the one-time code under way: it must be made once, also when the page mounts twice. */
let exchange: Promise<Session> | null = null

async function arrive(signal: AbortSignal): Promise<SessionState> {
  const code = codeOfFragment(location.hash)
  if (code !== null) {
    history.replaceState(history.state, '', location.pathname + location.search)
    exchange = signIn(code, new AbortController().signal)
  }
  const refusal =
    exchange === null
      ? null
      : await exchange.then(
          () => null,
          (error: unknown) => asProblem(error),
        )
  try {
    return { phase: 'in', session: await currentSession(signal) }
  } catch (error) {
    // A link that was used before is no matter while the cookie it brought is good.
    if (asProblem(error).status === 401) return { phase: 'out', problem: refusal, ended: false }
    throw error
  }
}
