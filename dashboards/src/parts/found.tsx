import { useRef, useState } from 'react'
import type { Question } from '../api.ts'
import { useKeptFocus } from '../hooks/use-kept-focus.ts'
import { useShortcuts } from '../hooks/use-shortcuts.ts'
import { useMedia } from '../hooks/use-media.ts'
import { useStored } from '../hooks/use-stored.ts'
import { plural } from '../model/format.ts'
import { type Tab } from '../model/url-state.ts'
import { ExportDialog } from './export-dialog.tsx'
import { Facets } from './facets.tsx'
import { Icon } from './icons.tsx'
import { Lines, type LinesProps } from './lines.tsx'
import { LiveState } from './live-bar.tsx'
import { Patterns } from './patterns.tsx'
import { PANEL_ID, Tabs, tabId } from './tabs.tsx'
import { Top } from './top.tsx'

interface FoundProps extends Omit<LinesProps, 'wrap'> {
  /** The question at fixed times; null before the first answer. */
  readonly question: Question | null
  readonly paused: boolean
  /** Somebody paused the live tail. */
  readonly held: boolean
  readonly onHold: (hold: boolean) => void
  readonly onTab: (tab: Tab) => void
}

/** The lower part of the page: fields beside lines, patterns or values. */
export function Found(props: FoundProps) {
  const { question, view, nowMs, actions, found } = props
  const narrow = useMedia('(max-width: 900px)')
  const [kept, keep] = useStored('fields', ['shown', 'hidden'])
  const [over, setOver] = useState(false)
  const [wrap, setWrap] = useStored('wrap', ['off', 'on'])
  const [exporting, setExporting] = useState(false)
  const panel = useRef<HTMLDivElement>(null)
  const focusHandlers = useKeptFocus(panel)
  // Where there is no room for both, the fields lie over the lines and go away again.
  const shown = narrow ? over : kept === 'shown'
  const show = (next: boolean) => (narrow ? setOver(next) : keep(next ? 'shown' : 'hidden'))
  useShortcuts({ f: () => show(!shown) })
  const { answer, fresh } = found.counts
  const stale = answer !== null && !fresh
  const expected =
    answer === null || !fresh ? null : answer.counts.bars.reduce((sum, bar) => sum + bar.total, 0)
  return (
    <div className="found">
      {shown && <Facets {...{ question, actions, stale }} onClose={() => show(false)} />}
      <section className="lines" aria-label="Found">
        <LinesBar
          {...props}
          wrap={wrap === 'on'}
          fieldsShown={shown}
          onFields={() => show(!shown)}
          onWrap={() => setWrap(wrap === 'on' ? 'off' : 'on')}
          onExport={() => setExporting(true)}
        />
        <div
          ref={panel}
          id={PANEL_ID}
          className="panel-frame"
          role="tabpanel"
          aria-labelledby={tabId(view.tab)}
          tabIndex={-1}
          {...focusHandlers}
        >
          {view.tab === 'lines' && <Lines {...props} wrap={wrap === 'on'} />}
          {view.tab === 'patterns' && <Patterns {...{ question, stale, nowMs, actions }} />}
          {view.tab === 'top' && <Top {...{ question, stale, nowMs, actions }} field={view.field} />}
        </div>
      </section>
      <ExportDialog {...{ question, expected, nowMs }} open={exporting} onClose={() => setExporting(false)} />
    </div>
  )
}

interface LinesBarProps extends FoundProps {
  readonly wrap: boolean
  readonly fieldsShown: boolean
  readonly onFields: () => void
  readonly onWrap: () => void
  readonly onExport: () => void
}

function LinesBar(props: LinesBarProps) {
  const { found, view, paused, nowMs, wrap, fieldsShown, onFields, onWrap, onExport, onTab } = props
  const { rows, tail } = found
  const lines = view.tab === 'lines'
  return (
    <div className="lines-bar">
      <button
        type="button"
        className="button small toggle"
        aria-pressed={fieldsShown}
        title="Fields and their values (f)"
        onClick={onFields}
      >
        <Icon name="fields" />
        <span className="label">Fields</span>
      </button>
      <Tabs tab={view.tab} onTab={onTab} />
      {view.live ? (
        <LiveState {...{ tail, paused, nowMs }} held={props.held} onHold={props.onHold} />
      ) : (
        <p className="hint loaded">
          {lines && rows.length > 0 && `${plural(rows.length, 'line')} loaded, newest first`}
        </p>
      )}
      <button type="button" className="button small" title="Save all matching lines" onClick={onExport}>
        <Icon name="download" />
        <span className="label">Export</span>
      </button>
      {lines && (
        <button
          type="button"
          className="button small toggle"
          aria-pressed={wrap}
          aria-keyshortcuts="w"
          title="Wrap long lines (w)"
          onClick={onWrap}
        >
          <Icon name="wrap" />
          <span className="label">Wrap</span>
        </button>
      )}
    </div>
  )
}
