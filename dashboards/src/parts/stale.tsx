import { moment } from '../model/format.ts'
import { Icon } from './icons.tsx'

/** Above what is old: since when. Nothing while it is not. */
export function StaleBanner({ sinceMs }: { sinceMs: number | null }) {
  return (
    <div role="alert">
      {sinceMs !== null && (
        <p className="stale-banner">
          <Icon name="alert" />
          <span>
            <strong>No answer since {moment(sinceMs, Date.now())}: what stands here is old.</strong> It is
            renewed as soon as Noctule answers again.
          </span>
        </p>
      )}
    </div>
  )
}
