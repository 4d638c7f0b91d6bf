import { termState } from '../model/fields.ts'
import { visible } from '../model/visible.ts'
import type { RecordActions } from '../hooks/use-record-actions.ts'
import { Icon } from './icons.tsx'

interface FilterButtonsProps {
  readonly term: string
  readonly q: string
  readonly onFilter: RecordActions['onFilter']
}

/** Only this, and all but this. What the query asks for already is pressed, and a press takes it back. */
export function FilterButtons({ term, q, onFilter }: FilterButtonsProps) {
  const state = termState(q, term)
  const shown = visible(term)
  return (
    <>
      <button
        type="button"
        className="tool"
        aria-label={`Only ${shown}`}
        aria-pressed={state === 'only'}
        title={`Only ${shown}`}
        onClick={() => onFilter(term, { exclude: false })}
      >
        <Icon name="plus" />
      </button>
      <button
        type="button"
        className="tool"
        aria-label={`Without ${shown}`}
        aria-pressed={state === 'without'}
        title={`Without ${shown}`}
        onClick={() => onFilter(term, { exclude: true })}
      >
        <Icon name="minus" />
      </button>
    </>
  )
}
