import { useState } from 'react'
import { count } from '../model/format.ts'
import { cut } from '../model/visible.ts'
import { Marked } from './marked.tsx'

const FIRST_CHARS = 20_000
/** More at once would keep the page from answering while it is laid out. */
const STEP_CHARS = 200_000

/** A text of any length, shown whole on request, step by step. */
export function LongText({ text, pattern }: { text: string; pattern: RegExp | null }) {
  const [chars, setChars] = useState(FIRST_CHARS)
  const left = text.length - chars
  return (
    <>
      <Steps text={cut(text, chars)} pattern={pattern} />
      {left > 0 && (
        <p className="more-text">
          <span className="hint">
            {count(chars)} of {count(text.length)} characters shown.
          </span>{' '}
          <button type="button" className="button small" onClick={() => setChars(chars + STEP_CHARS)}>
            Show {count(Math.min(STEP_CHARS, left))} more
          </button>
        </p>
      )}
    </>
  )
}

/** Only the first step is searched for marks: the rest is for reading. */
function Steps({ text, pattern }: { text: string; pattern: RegExp | null }) {
  const first = cut(text, FIRST_CHARS)
  return (
    <>
      <Marked text={first} pattern={pattern} />
      {text.length > first.length && <Marked text={text.slice(first.length)} pattern={null} />}
    </>
  )
}
