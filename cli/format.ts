import { harmless } from './terminal.ts'

/** Heights of a sparkline; nothing at all is a dot, so that it differs from little. */
const SPARKS = '▁▂▃▄▅▆▇█'
const NO_SPARK = '·'
/** Longer examples and values are cut in a table for people. */
const VALUE_CHARS_MAX = 60
/** Characters that take two columns of a terminal: East Asian wide ones and emoji. */
const WIDE =
  /[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\ua960-\ua97f\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6]|\p{Emoji_Presentation}/u
/** Characters that take none: marks on the letter before them, joiners. */
const WITHOUT_WIDTH = /[\p{M}\u200b-\u200d\ufeff]/u

/** 1024 → `1,024`; at most three digits behind the point. */
export function grouped(count: number): string {
  return count.toLocaleString('en-US')
}

/** `1 record`, `1,024 records` */
export function counted(count: number, noun: string): string {
  return `${grouped(count)} ${noun}${count === 1 ? '' : 's'}`
}

/** A share between 0 and 1 → `81.3 %`; what is there is never `0.0 %`. */
export function percent(share: number): string {
  if (share > 0 && share < 0.0005) return '<0.1 %'
  const shown = share < 1 ? Math.min(share * 100, 99.9) : 100 * share
  return `${shown.toFixed(1)} %`
}

export function mebibytes(bytes: number): string {
  return `${(bytes / 2 ** 20).toLocaleString('en-US', { minimumFractionDigits: 1, maximumFractionDigits: 1 })} MiB`
}

/** 12345 → `12.3 s`, 950 → `950 ms` */
export function elapsed(ms: number): string {
  return ms < 1_000 ? `${Math.round(ms)} ms` : `${(ms / 1_000).toFixed(1)} s`
}

/** hh:mm:ss of an RFC 3339 time in UTC, after its day when that is another one than today. */
export function clockTime(time: string, nowMs: number): string {
  const day = time.slice(0, 10)
  const ofDay = time.slice(11, 19)
  return day === new Date(nowMs).toISOString().slice(0, 10) ? ofDay : `${day} ${ofDay}`
}

/** One character per number, relative to the largest; longer rows are summed up to at most `charsMax` characters. */
export function sparkline(counts: readonly number[], charsMax: number): string {
  const perChar = Math.max(1, Math.ceil(counts.length / charsMax))
  const sums = Array.from({ length: Math.ceil(counts.length / perChar) }, (_, at) =>
    counts.slice(at * perChar, (at + 1) * perChar).reduce((sum, count) => sum + count, 0),
  )
  const most = Math.max(1, ...sums)
  return sums
    .map((sum) => (sum <= 0 ? NO_SPARK : (SPARKS[Math.ceil((sum / most) * SPARKS.length) - 1] ?? NO_SPARK)))
    .join('')
}

/**
 * One character per step, between 0 (or the least of all, where some are below 0) and the most of all. A step without a value is a
 * blank; longer rows show the largest of the steps that share a character.
 */
export function valueLine(values: readonly (number | null)[], charsMax: number): string {
  const perChar = Math.max(1, Math.ceil(values.length / charsMax))
  const shown = Array.from({ length: Math.ceil(values.length / perChar) }, (_, at) => {
    const known = values.slice(at * perChar, (at + 1) * perChar).filter((value) => value !== null)
    return known.length === 0 ? null : Math.max(...known)
  })
  const known = shown.filter((value) => value !== null)
  const least = Math.min(0, ...known)
  const most = Math.max(...known)
  const height = (value: number) => (value === least ? 0 : (value - least) / (most - least))
  return shown
    .map((value) => {
      if (value === null) return ' '
      return value === 0 && least === 0
        ? NO_SPARK
        : SPARKS[Math.max(0, Math.ceil(height(value) * SPARKS.length) - 1)]
    })
    .join('')
}

/** A measured number in as many digits as a person compares: 12,345 · 12.35 · 0.0123. */
export function measured(value: number): string {
  const size = Math.abs(value)
  if (size >= 1 || size === 0) {
    return value.toLocaleString('en-US', { maximumFractionDigits: size >= 1_000 ? 0 : 2 })
  }
  return value.toLocaleString('en-US', { maximumSignificantDigits: 3 })
}

/** 30000 → `30 s`, 300000 → `5 min` */
export function stepName(ms: number): string {
  for (const [unit, unitMs] of STEP_UNITS) if (ms % unitMs === 0) return `${grouped(ms / unitMs)} ${unit}`
  return `${grouped(ms)} ms`
}

const STEP_UNITS = [
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['min', 60_000],
  ['s', 1_000],
] as const

/** A value of a log as one piece of a line: harmless, quoted when it is empty or has blanks, cut when it is long. */
export function shownValue(value: unknown): string {
  const plain = typeof value === 'string' ? value : JSON.stringify(value)
  const quoted = /^[^\s",]+$/.test(plain) ? plain : JSON.stringify(plain)
  return cut(harmless(quoted), VALUE_CHARS_MAX)
}

/** Columns that a text takes on a terminal. */
export function widthOf(text: string): number {
  let width = 0
  for (const char of text) if (!WITHOUT_WIDTH.test(char)) width += WIDE.test(char) ? 2 : 1
  return width
}

/** The text, or as much of it as fits with `…` behind it. */
export function cut(text: string, widthMax: number): string {
  if (widthOf(text) <= widthMax) return text
  let kept = ''
  let width = 1
  for (const char of text) {
    width += widthOf(char)
    if (width > widthMax) break
    kept += char
  }
  return `${kept}…`
}
