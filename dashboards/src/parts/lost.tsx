import type { ApiLost } from '../api/metrics.ts'
import { count } from '../model/format.ts'
import { visible } from '../model/visible.ts'
import { Icon } from './icons.tsx'

const REASONS: Readonly<Record<string, string>> = {
  kernel: 'kernel: the socket was full',
  packet: 'packet: it was cut off',
  malformed: 'malformed: it could not be read',
  series: 'series: too many at once',
  name_series: 'name_series: too many of one name',
  late: 'late: too old',
  spool: 'spool: it was full',
}

/** What never reached the store, whatever its name was: values of the chart may be too low. Nothing when nothing is known to be lost. */
export function Lost({ lost }: { lost: ApiLost }) {
  if (lost.total <= 0) return null
  const reasons = Object.entries(lost.byReason).toSorted(([, one], [, other]) => other - one)
  const hosts = Object.entries(lost.byHost ?? {})
  return (
    <p className="lost" role="status">
      <Icon name="alert" />
      <span>
        <strong>at least {count(lost.total)} lost</strong> (
        {reasons.map(([reason, of], at) => (
          <span key={reason} title={REASONS[reason]}>
            {at > 0 && ', '}
            {visible(reason)} {count(of)}
          </span>
        ))}
        ) before they could be counted, of all metrics in this range
        {hosts.length > 0 &&
          `, from ${hosts
            .slice(0, 3)
            .map(([host, of]) => `${visible(host)} ${count(of)}`)
            .join(', ')}`}
        {hosts.length > 3 && ` and ${hosts.length - 3} more hosts`}
      </span>
    </p>
  )
}
