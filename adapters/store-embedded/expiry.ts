import type { Clock } from '../../core/ports.ts'
import type { LogRecord } from '../../core/record.ts'
import { createClassifier, isExpired, slotMsOf } from '../../core/retention.ts'
import type { Retention } from '../../core/retention.ts'
import { createPurgedCount } from '../store-purged.ts'
import type { Purged, PurgedCount } from '../store-purged.ts'

/** Tells what is to be kept from what came too late for that. */
export interface Expiry {
  /** `kept` is an array of its own; `expired` has one range for each class. */
  sort(records: readonly LogRecord[]): { readonly kept: LogRecord[]; readonly expired: readonly Purged[] }
}

export function createExpiry(retention: Retention, clock: Clock): Expiry {
  const { classes } = retention
  const classOf = createClassifier(retention)
  /** What is younger than this is expired in no class. */
  const surelyKeptMs = Math.min(...classes.map((one) => one.maxAgeMs - slotMsOf(one)))

  return {
    sort(records) {
      const nowMs = clock.nowMs()
      const late = new Map<string, PurgedCount>()
      const kept = records.filter((record) => {
        if (Math.min(record.timeMs, record.ingestedMs) > nowMs - surelyKeptMs) return true
        const its = classes[classOf(record)]
        if (its === undefined || !isExpired(record, its, nowMs)) return true
        const count = late.get(its.name) ?? createPurgedCount()
        count.add(record)
        late.set(its.name, count)
        return false
      })
      const expired = [...late].flatMap(
        ([name, count]) => count.purged({ class: name, reason: 'expired', atMs: nowMs }) ?? [],
      )
      return { kept, expired }
    },
  }
}
