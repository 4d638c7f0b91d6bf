import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { loadavg } from 'node:os'
import { join } from 'node:path'

const CLOCK_TICKS_PER_S = 100 // USER_HZ of Linux on every common platform
const BASELINES = join(import.meta.dirname, 'baselines.json')

export type Figures = Readonly<Record<string, number | string>>

/** CPU seconds (user + system, all threads) that a process has used. */
export function cpuSeconds(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? []
  return (Number(fields[11]) + Number(fields[12])) / CLOCK_TICKS_PER_S
}

/** Highest resident memory of a process so far, in MiB. */
export function rssPeakMib(pid: number): number {
  return Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1024
}

/** The p-quantile (0..1) of some numbers, nearest rank. */
export function quantile(values: readonly number[], p: number): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(p * sorted.length))] ?? Number.NaN
}

function allBaselines(): Record<string, Figures> {
  return existsSync(BASELINES) ? (JSON.parse(readFileSync(BASELINES, 'utf8')) as Record<string, Figures>) : {}
}

/** The stored figures of a bench; none: {}. */
export function baselineOf(name: string): Figures {
  return allBaselines()[name] ?? {}
}

/** With `BENCH_STORE=1` the figures become the baseline. */
export function keepBaseline(name: string, figures: Figures): void {
  if (process.env['BENCH_STORE'] !== '1') return
  writeFileSync(BASELINES, `${JSON.stringify({ ...allBaselines(), [name]: figures }, null, 2)}\n`)
}

/** Prints figures beside the stored baseline; `BENCH_STORE=1` makes them the new baseline. */
export function report(name: string, figures: Figures): void {
  const before = baselineOf(name)
  console.log(`${name} (load ${loadavg()[0]?.toFixed(1)})`)
  for (const [key, value] of Object.entries(figures)) {
    const beside = besideBaseline(value, before[key])
    console.log(
      `  ${key.padEnd(36)} ${String(value).padStart(12)}${beside === '' ? '' : `  baseline ${beside}`}`,
    )
  }
  keepBaseline(name, figures)
}

/** The old figure, and how many times as large the new one is. */
export function besideBaseline(value: number | string, old: number | string | undefined): string {
  if (old === undefined) return ''
  const isRatio = typeof old === 'number' && typeof value === 'number' && old !== 0
  return isRatio ? `${old}  ×${(value / old).toFixed(2)}` : String(old)
}

export const rounded = (value: number, digits = 1) => Number(value.toFixed(digits))
