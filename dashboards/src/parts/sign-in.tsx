import { useState } from 'react'
import type { SessionControl, SessionState } from '../hooks/use-session.ts'
import { Brand } from './header.tsx'
import { Icon } from './icons.tsx'

interface SignInProps {
  readonly state: Extract<SessionState, { phase: 'out' }>
  readonly enter: SessionControl['enter']
}

/** Shown without a session. The address keeps the query, so signing in leads back to it. */
export function SignIn({ state, enter }: SignInProps) {
  const [pasted, setPasted] = useState('')
  const [sending, setSending] = useState(false)

  async function submit() {
    setSending(true)
    await enter(pasted)
    setSending(false)
  }

  return (
    <main className="sign-in">
      <form
        className="card"
        onSubmit={(event) => {
          event.preventDefault()
          void submit()
        }}
      >
        <Brand />
        <h1>{state.ended ? 'Your session has ended' : 'Sign in'}</h1>
        <p>
          Noctule prints a sign-in link in its terminal when it starts (<code>npm start</code> or{' '}
          <code>noctule all</code>). Open it, or paste the link, its code, or your token here.
        </p>
        {state.ended && <p className="hint">Your query is kept: you come back to it.</p>}
        <label htmlFor="code">Link, code or token</label>
        <input
          id="code"
          type="password"
          autoComplete="off"
          autoFocus
          value={pasted}
          aria-invalid={state.problem !== null}
          aria-describedby="code-problem"
          onChange={(event) => setPasted(event.target.value)}
        />
        <p id="code-problem" className="field-problem" role="alert">
          {state.problem !== null && (
            <>
              <Icon name="alert" /> {refusalWords(state.problem.status, state.problem.message)}
            </>
          )}
        </p>
        <button type="submit" className="button primary" disabled={sending || pasted.trim() === ''}>
          {sending ? 'Signing in…' : 'Sign in'}
        </button>
      </form>
    </main>
  )
}

function refusalWords(status: number, message: string): string {
  if (status !== 401) return message
  return 'This code is not valid: it was used before, or it is too old. A restart of Noctule prints a new one.'
}
