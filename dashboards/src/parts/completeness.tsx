import { REASON_WORDS, answered, gapsTotal, siteWords, type Coverage, type Gap } from '../model/coverage.ts'
import { count, moment, plural, span } from '../model/format.ts'
import type { Status } from '../model/status.ts'
import { Icon } from './icons.tsx'

const TONE_ICONS = { good: 'check', warn: 'alert', bad: 'alert', idle: 'clock' } as const

interface CompletenessProps {
  readonly status: Status
  readonly coverage: Coverage | null
  readonly nowMs: number
  readonly open: boolean
  readonly onToggle: (open: boolean) => void
}

/** Always there, always in the same place: whether what is shown is all there is. */
export function Completeness({ status, coverage, nowMs, open, onToggle }: CompletenessProps) {
  const gaps = coverage === null ? 0 : gapsTotal(coverage)
  const silent = coverage?.sites.filter((site) => !answered(site)).length ?? 0
  const listed = gaps + silent > 0
  return (
    <section className={`completeness ${status.tone}`} aria-label="Completeness">
      <div className="completeness-line">
        <Icon name={TONE_ICONS[status.tone]} />
        <strong title={status.text}>{status.text}</strong>
        {status.aside !== '' && <span className="hint">{status.aside}</span>}
        {listed && (
          <button
            type="button"
            className="link"
            aria-expanded={open}
            aria-controls="gaps"
            onClick={() => onToggle(!open)}
          >
            {open ? 'Hide' : 'Show'} {silent > 0 ? 'details' : plural(gaps, 'gap')}
            <Icon name="chevron" />
          </button>
        )}
      </div>
      <Announcement {...status} />
      {open && listed && coverage !== null && <GapList coverage={coverage} nowMs={nowMs} />}
    </section>
  )
}

/** For screen readers: spoken when the state changes, not every second while the times in the line move on. */
function Announcement({ tone, text }: Status) {
  const timeless = text.replace(
    / to [\d:]{8}|(?: since)? ?[\d:]{8}(?:–[\d:]{8})?|,? \d+ (?:ms|s|min|h|d) ago/gu,
    '',
  )
  return (
    <span className="visually-hidden" role="status" aria-live="polite">
      {tone === 'idle' ? '' : timeless}
    </span>
  )
}

function GapList({ coverage, nowMs }: { coverage: Coverage; nowMs: number }) {
  const gaps = coverage.sites.flatMap((site) => site.gaps)
  const unlisted = gapsTotal(coverage) - gaps.length
  return (
    <div id="gaps" className="gaps">
      {coverage.sites
        .filter((site) => !answered(site))
        .map((site) => (
          <p key={site.name}>
            <strong>{siteWords(site)}</strong> {site.error}
          </p>
        ))}
      {gaps.length > 0 && <GapTable gaps={gaps} nowMs={nowMs} />}
      {unlisted > 0 && <p className="hint">{plural(unlisted, 'more gap')} not listed here.</p>}
      {coverage.completeToMs !== null && (
        <p className="hint">Nothing is missing before {moment(coverage.completeToMs, nowMs)}.</p>
      )}
    </div>
  )
}

function GapTable({ gaps, nowMs }: { gaps: readonly Gap[]; nowMs: number }) {
  return (
    <table>
      <thead>
        <tr>
          <th>Reason</th>
          <th>Host</th>
          <th>Time</th>
          <th className="number">Records</th>
          <th>Detail</th>
        </tr>
      </thead>
      <tbody>
        {gaps.map((gap) => (
          <tr key={`${gap.site} ${gap.host} ${gap.reason} ${gap.fromMs} ${gap.toMs} ${gap.detail}`}>
            <td>
              <span className={`reason ${gap.reason}`}>{REASON_WORDS[gap.reason] ?? gap.reason}</span>
            </td>
            <td>{[gap.host, gap.site].filter((name) => name !== '').join(', ') || '–'}</td>
            <td className="time">{span(gap.fromMs, gap.toMs, nowMs)}</td>
            <td className="number">{gap.records === null ? 'unknown' : count(gap.records)}</td>
            <td>{gap.detail}</td>
          </tr>
        ))}
      </tbody>
    </table>
  )
}
