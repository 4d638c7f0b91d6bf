import type { ReactNode } from 'react'
import type { Problem, Session } from '../api.ts'
import { plural } from '../model/format.ts'
import type { Search } from '../hooks/use-search.ts'
import { TAIL_ROWS_MAX } from '../model/tail-buffer.ts'
import { Link } from '../router.tsx'
import { ColumnNames } from './column-names.tsx'
import { Icon } from './icons.tsx'

const SKELETON_ROWS = 18

/** The place of the lines before the first answer, row for row as high as they will be. */
export function Skeleton() {
  return (
    <div className="results skeleton" aria-hidden="true">
      <ColumnNames />
      {Array.from({ length: SKELETON_ROWS }, (_, at) => (
        <div key={at} className="row">
          <i style={{ width: '11ch' }} />
          <i style={{ width: '5ch' }} />
          <i style={{ width: `${7 + (at % 3) * 2}ch` }} />
          <i style={{ width: `${8 + (at % 2) * 3}ch` }} />
          <i style={{ width: `${35 + ((at * 37) % 50)}%` }} />
        </div>
      ))}
    </div>
  )
}

interface NothingFoundProps {
  readonly query: string
  readonly widerLabel: string
  readonly gaps: number
  readonly live: boolean
  /** Nothing was ever stored. */
  readonly storeEmpty: boolean
  readonly onWiden: () => void
  readonly onShowGaps: () => void
  readonly onClear: () => void
}

/** No lines: what else to try. */
export function NothingFound(props: NothingFoundProps) {
  const { query, widerLabel, gaps, live, storeEmpty, onWiden, onShowGaps, onClear } = props
  if (storeEmpty) return <EmptyStore live={live} />
  return (
    <Notice title={live ? 'No lines yet' : 'No lines match'}>
      <p>
        {gaps > 0
          ? 'Lines are missing from this range, so this does not mean that nothing was written.'
          : live
            ? 'Lines show up here as they arrive.'
            : query === ''
              ? 'Nothing was written in this range.'
              : 'Nothing in this range matches the query.'}
      </p>
      <div className="notice-actions">
        {gaps > 0 && (
          <button type="button" className="button" onClick={onShowGaps}>
            See {plural(gaps, 'gap')}
          </button>
        )}
        <button type="button" className="button" onClick={onWiden}>
          Search the {widerLabel.toLowerCase()}
        </button>
        {query !== '' && (
          <button type="button" className="button" onClick={onClear}>
            Clear the query
          </button>
        )}
      </div>
    </Notice>
  )
}

/** A new installation: where lines come from. */
function EmptyStore({ live }: { live: boolean }) {
  return (
    <Notice title="Nothing is stored yet">
      <p>
        No line has arrived here so far. Collectors follow the files that <code>collector.files</code> in{' '}
        <code>noctule.yaml</code> names; the page Collectors says which of them report. A file of lines is
        taken by <code>noctule import</code>.
      </p>
      <p>{live ? 'Lines show up here as they arrive.' : 'Turn on Live to see the first lines arrive.'}</p>
      <div className="notice-actions">
        <Link href="/collectors" className="button">
          See the collectors
        </Link>
      </div>
    </Notice>
  )
}

export function Notice({ title, children }: { title: string; children: ReactNode }) {
  return (
    <div className="results notice">
      <div>
        <h2>{title}</h2>
        {children}
      </div>
    </div>
  )
}

interface ProblemBannerProps {
  readonly problem: Problem
  readonly session: Session
  /** When it is tried again by itself; null: when somebody says so. */
  readonly retryAtMs: number | null
  readonly nowMs: number
  readonly onRetry: () => void
}

/** What went wrong, in the server's words, and when it is tried again. */
export function ProblemBanner({ problem, session, retryAtMs, nowMs, onRetry }: ProblemBannerProps) {
  return (
    <div className="problem" role="alert">
      <Icon name="alert" />
      <p>
        <strong>{problem.message}</strong> <code>{problem.code}</code>
        {problem.status === 403 && (
          <span className="hint">
            {' '}
            {session.name} has the role {session.role}: ask for a token of the role that is named here.
          </span>
        )}
        {retryAtMs !== null && (
          <span className="hint" aria-live="off">
            {' '}
            Asked again in {Math.max(1, Math.ceil((retryAtMs - nowMs) / 1000))} s.
          </span>
        )}
      </p>
      <button type="button" className="button small" onClick={onRetry}>
        Try again
      </button>
    </div>
  )
}

interface EndOfListProps {
  readonly more: Search['more']
  readonly held: number
  readonly problem: Problem | null
  /** A live view holds as many lines as it may; so many older ones had to leave. Null: it does not. */
  readonly dropped: number | null
  readonly from: string
  readonly onMore: () => void
}

export function EndOfList({ more, held, problem, dropped, from, onMore }: EndOfListProps) {
  if (dropped !== null)
    return (
      <p>
        Live keeps the newest {plural(TAIL_ROWS_MAX, 'line')}
        {dropped > 0 && `; ${plural(dropped, 'older one')} left this list`}. Turn it off to search older ones.
      </p>
    )
  if (more === 'running' || more === 'ready') return <p>Loading older lines…</p>
  if (more === 'full')
    return <p>{plural(held, 'line')} loaded. Narrow the query or the time to see older ones.</p>
  if (more === 'failed') {
    return (
      <p>
        <Icon name="alert" /> {problem?.message}{' '}
        <button type="button" className="button small" onClick={onMore}>
          Load older lines
        </button>
      </p>
    )
  }
  return <p>No older lines since {from}.</p>
}
