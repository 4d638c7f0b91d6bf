import { useEffect, useRef } from 'react'
import { Icon } from './icons.tsx'

const KEYS = [
  ['/', 'Write a query'],
  ['Enter', 'Run the query; open or close the selected line'],
  ['j  k', 'Next, previous line (also ↓ ↑)'],
  ['e  E', 'Next, previous error'],
  ['Home  End', 'First, last line'],
  ['Esc', 'Close what is open'],
  ['t', 'Time range'],
  ['l', 'Live tail on or off'],
  ['r', 'Ask again'],
  ['w', 'Wrap long lines'],
  ['?', 'This help'],
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
        <dl>
          {KEYS.map(([keys, what]) => (
            <Entry key={keys} what={what}>
              {keys.split('  ')}
            </Entry>
          ))}
        </dl>
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
