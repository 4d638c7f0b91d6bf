import type { PerfValue } from './probe.ts'

/** More numbers of one command are not taken. */
export const PERF_VALUES_MAX = 32

/** `'a label'=12.5ms;warn;crit;min;max`, of Nagios plugins. */
const PERF_VALUE =
  /(?:'([^']{1,200})'|([^\s'=]{1,200}))=(-?\d{1,30}(?:\.\d{1,30})?)([a-zA-Z%]{0,10})(?=[;\s]|$)/g

/** Numbers in the text behind the `|` of a plugin's output, the first PERF_VALUES_MAX of them. */
export function parsePerfValues(text: string): PerfValue[] {
  const values: PerfValue[] = []
  for (const [, quoted, plain, number, unit = ''] of text.matchAll(PERF_VALUE)) {
    if (values.length === PERF_VALUES_MAX) break
    values.push({ label: quoted ?? plain ?? '', value: Number(number), unit })
  }
  return values
}
