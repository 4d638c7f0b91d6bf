import type { Problem } from '../api.ts'
import { Message } from './message.tsx'

/** In place of what could not be got: what went wrong, in the server's words, and what to do about it. */
export function Refusal({ problem, onRetry }: { problem: Problem; onRetry: () => void }) {
  return (
    <Message title={titleOf(problem)}>
      <p>
        {problem.message} <code>{problem.code}</code>
      </p>
      <p>{adviceOf(problem)}</p>
      {problem.status !== 403 && (
        <div className="notice-actions">
          <button type="button" className="button" onClick={onRetry}>
            Try again
          </button>
        </div>
      )}
    </Message>
  )
}

function titleOf({ status }: Problem): string {
  if (status === 0) return 'No answer'
  if (status === 403) return 'You may not see this'
  if (status === 429) return 'Too many questions at once'
  return status >= 500 ? 'Noctule cannot answer now' : 'This cannot be answered'
}

function adviceOf({ status, retryAfterS }: Problem): string {
  const wait =
    retryAfterS === null
      ? 'It is asked again by itself while the page is live.'
      : `The server asks to wait ${retryAfterS} s.`
  if (status === 0) return `Check that Noctule runs and that this browser reaches it. ${wait}`
  if (status === 403) return 'Ask whoever runs Noctule for a token of another role, sign out and use it.'
  if (status === 429) return `Others ask, too. A shorter range or fewer lines cost less. ${wait}`
  if (status >= 500) return wait
  return 'Change what is asked: the name, the filters or the range.'
}
