import { useLayoutEffect } from 'react'
import { TIME_ZONES, writeTimesIn, type TimeZone } from '../model/format.ts'
import { useStored } from './use-stored.ts'

/** The zone that times are written in; `toggle` takes the other. Whoever holds it draws the page anew on a change. */
export function useTimeZone(): { readonly zone: TimeZone; readonly toggle: () => void } {
  const [zone, setZone] = useStored('zone', TIME_ZONES)
  // Before anything below is drawn with it.
  writeTimesIn(zone)
  useLayoutEffect(() => () => writeTimesIn('local'), [])
  return { zone, toggle: () => setZone(zone === 'utc' ? 'local' : 'utc') }
}
