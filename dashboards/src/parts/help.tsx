import { useEffect, useRef } from 'react'
import { Icon } from './icons.tsx'

const KEYS = [
  ['/', 'Write a query'],
  ['Enter', 'Run the query; open or close the selected line'],
  ['↑  ↓', 'In an empty query: the queries before; else: previous, next line'],
  ['Tab', 'In a query: take the first suggestion (Ctrl Space shows them)'],
  ['j  k', 'Next, previous line'],
  ['e  E', 'Next, previous error'],
  ['Home  End', 'First, last line'],
  ['c', 'Lines around the open line'],
  ['Esc', 'Close what is open'],
  ['t', 'Time range'],
  ['o', 'Zoom out: a longer range'],
  ['l', 'Live tail on or off'],
  ['p', 'Pause the live tail'],
  ['r', 'Ask again'],
  ['f', 'Fields and their values'],
  ['s', 'Copy as link, command or API call'],
  ['w', 'Wrap long lines'],
  ['z', 'Local times or UTC'],
  ['1  …  5', 'The pages'],
  ['?', 'This help'],
] as const

const CHART = [
  ['←  →', 'Move over the bars'],
  ['Shift ←  Shift →', 'Select bars'],
  ['Enter', 'Zoom into them'],
] as const

const QUERIES = [
  ['timeout', 'the word, anywhere in a line'],
  ['"connection reset"', 'these words, in this order'],
  ['level:error service:api', 'both must hold'],
  ['status:>=500', 'compare numbers'],
  ['host:web-*', 'any ending'],
  ['(a OR b) NOT c', 'combine'],
] as const

export function Help({ open, onClose }: { open: boolean; onClose: () => void }) {
  const dialog = useRef<HTMLDialogElement>(null)

  useEffect(() => {
    if (open) dialog.current?.showModal()
    else dialog.current?.close()
  }, [open])

  return (
    <dialog
      ref={dialog}
      className="help"
      aria-labelledby="help-title"
      onClose={onClose}
      onClick={(event) => event.target === event.currentTarget && onClose()}
    >
      <div className="help-body">
        <button type="button" className="tool close" aria-label="Close" onClick={onClose}>
          <Icon name="cross" />
        </button>
        <h2 id="help-title">Keyboard</h2>
        <Keys keys={KEYS} />
        <h2>In the chart</h2>
        <Keys keys={CHART} />
        <h2>Queries</h2>
        <dl className="queries">
          {QUERIES.map(([query, what]) => (
            <div key={query}>
              <dt>
                <code>{query}</code>
              </dt>
              <dd>{what}</dd>
            </div>
          ))}
        </dl>
      </div>
    </dialog>
  )
}

function Keys({ keys: entries }: { keys: readonly (readonly [string, string])[] }) {
  return (
    <dl>
      {entries.map(([keys, what]) => (
        <Entry key={keys} what={what}>
          {keys.split('  ')}
        </Entry>
      ))}
    </dl>
  )
}

function Entry({ children, what }: { children: readonly string[]; what: string }) {
  return (
    <div>
      <dt>
        {children.map((key) => (
          <kbd key={key}>{key}</kbd>
        ))}
      </dt>
      <dd>{what}</dd>
    </div>
  )
}
