import type { ApiFacts, ApiHost } from '../api/hosts.ts'
import { duration, plural } from '../model/format.ts'
import { sortChecks, tierName } from '../model/hosts.ts'
import { visible } from '../model/visible.ts'
import { StateShape, StateWord } from './state.tsx'

/** From here on a bar is drawn as a warning. */
const HIGH_SHARE = 0.9

/** Names of what HostLine() shows, above the list. */
export function HostColumns() {
  return (
    <div className="host-columns" aria-hidden="true">
      <span>State</span>
      <span>Host</span>
      <span className="host-since">Since</span>
      <span>What it says</span>
      <span className="share">CPU</span>
      <span className="share">Memory</span>
      <span className="share">Fullest disk</span>
    </div>
  )
}

/** One host in the list. */
export function HostLine(props: { host: ApiHost; facts: ApiFacts | null; now: number }) {
  const { host, now } = props
  // What a silent host said last is not how it is.
  const facts = host.state === 'silent' ? null : props.facts
  return (
    <>
      <StateWord state={host.state} />
      <span className="host-name">{visible(host.host)}</span>
      <span className="host-since">{sinceWords(host, now)}</span>
      <span className="host-why">{visible(why(host, now))}</span>
      <Share label="CPU" share={facts?.cpu.busy ?? null} />
      <Share label="memory" share={facts === null ? null : memoryShare(facts)} />
      <Share label="disk" share={facts === null ? null : diskShare(facts)} />
    </>
  )
}

export function HostTile({ host, now }: { host: ApiHost; now: number }) {
  return (
    <span className="host-tile" title={hostWords(host, now)}>
      <StateShape state={host.state} />
      <span>{visible(host.host)}</span>
      <span className="visually-hidden">, {host.state}</span>
    </span>
  )
}

/** A share of 1, as a bar and in words. */
function Share({ label, share }: { label: string; share: number | null }) {
  const high = share !== null && share >= HIGH_SHARE
  return (
    <span
      className={high ? 'share high' : 'share'}
      title={share === null ? `${label}: not known` : `${label}: ${percent(share)}`}
    >
      <span className="share-label">{label}</span>
      <i aria-hidden="true">
        {share !== null && <b style={{ width: `${100 * Math.min(1, Math.max(0, share))}%` }} />}
      </i>
      <span className="share-said">{share === null ? '–' : percent(share)}</span>
    </span>
  )
}

const percent = (share: number) => `${Math.round(share * 100)} %`

export function memoryShare({ memory }: ApiFacts): number | null {
  return memory.totalBytes > 0 ? 1 - memory.availableBytes / memory.totalBytes : null
}

/** Of the fullest disk. */
function diskShare({ disks }: ApiFacts): number | null {
  const shares = disks
    .filter(({ totalBytes }) => totalBytes > 0)
    .map((disk) => disk.usedBytes / disk.totalBytes)
  return shares.length === 0 ? null : Math.max(...shares)
}

export function sinceWords({ since }: ApiHost, now: number): string {
  return since === null ? '' : `for ${duration(now - Date.parse(since))}`
}

/** What is wrong, or that nothing is. */
export function why({ state, checks, reportedAt }: ApiHost, now: number): string {
  if (state === 'missing') return 'expected, and never heard since this node started'
  if (state === 'silent') {
    return reportedAt === null
      ? 'not heard any more'
      : `last heard ${duration(now - Date.parse(reportedAt))} ago`
  }
  if (checks.length === 0) return 'no checks'
  const bad = sortChecks(checks).filter((check) => check.state !== 'ok')
  const [first] = bad
  if (first === undefined) return `${plural(checks.length, 'check')} ok`
  const more = bad.length > 1 ? ` (and ${bad.length - 1} more)` : ''
  return `${first.name}: ${first.message}${more}`
}

/** All of it in one sentence. */
function hostWords(host: ApiHost, now: number): string {
  const words = [host.host, host.state, tierName(host.tier), sinceWords(host, now), why(host, now)]
  return visible(words.filter((word) => word !== '').join(', '))
}
