import type { ReactNode } from 'react'

/** A shape for each state: they differ without colour, too. */
const SHAPES: Readonly<Record<string, ReactNode>> = {
  ok: (
    <>
      <circle cx="8" cy="8" r="6.5" className="filled" />
      <path d="m5 8.2 2.1 2.1 4-4.4" className="cut" />
    </>
  ),
  warn: (
    <>
      <path d="M8 1.4 15 14.2H1z" className="filled" />
      <path d="M8 6v3.8M8 11.8v.2" className="cut" />
    </>
  ),
  fail: (
    <>
      <path d="M5.3 1.4h5.4l3.9 3.9v5.4l-3.9 3.9H5.3l-3.9-3.9V5.3z" className="filled" />
      <path d="m5.6 5.6 4.8 4.8M10.4 5.6l-4.8 4.8" className="cut" />
    </>
  ),
  unknown: (
    <>
      <path d="M8 1 15 8l-7 7-7-7z" className="filled" />
      <path d="M6.4 6.6a1.7 1.7 0 1 1 2.4 1.7c-.6.3-.8.6-.8 1.2M8 11.2v.1" className="cut" />
    </>
  ),
  silent: (
    <>
      <circle cx="8" cy="8" r="6" className="ring" />
      <path d="M4.6 8h6.8" className="ring" />
    </>
  ),
  missing: <circle cx="8" cy="8" r="6" className="ring dashed" />,
}

/** What a state means, as a class: colours are in styles/parts.css. */
export const stateClass = (state: string) => `state-${Object.hasOwn(SHAPES, state) ? state : 'unknown'}`

export function StateShape({ state }: { state: string }) {
  return (
    <svg className={`state-shape ${stateClass(state)}`} viewBox="0 0 16 16" aria-hidden="true">
      {SHAPES[state] ?? SHAPES['unknown']}
    </svg>
  )
}

/** Shape, word and colour. */
export function StateWord({ state }: { state: string }) {
  return (
    <span className={`state-word ${stateClass(state)}`}>
      <StateShape state={state} />
      {state}
    </span>
  )
}
