/** What a number of a metric is, as far as its name and its aggregate tell. */
export type Unit = 'number' | 'bytes' | 'ms' | 's' | 'us' | 'share' | 'percent'

export interface Measure {
  readonly unit: Unit
  readonly perSecond: boolean
}

/** Ends of names, the longer ones first; names are written with dots and with underscores. */
const ENDINGS: readonly (readonly [RegExp, Measure])[] = [
  [/[._]bytes_per_(?:s|sec|second)$/iu, { unit: 'bytes', perSecond: true }],
  [/[._]per_(?:s|sec|second)$/iu, { unit: 'number', perSecond: true }],
  [/[._](?:bytes|size)(?:_total)?$/iu, { unit: 'bytes', perSecond: false }],
  [/[._](?:ms|millis|milliseconds)$/iu, { unit: 'ms', perSecond: false }],
  [/[._](?:us|micros|microseconds)$/iu, { unit: 'us', perSecond: false }],
  [/[._](?:s|secs?|seconds)$/iu, { unit: 's', perSecond: false }],
  [/[._](?:share|ratio)$|^host\.cpu\.(?:busy|iowait)$/iu, { unit: 'share', perSecond: false }],
  [/[._](?:percent|pct)$/iu, { unit: 'percent', perSecond: false }],
]

const PLAIN: Measure = { unit: 'number', perSecond: false }

/** The unit of an aggregate: bytes that are counted have a rate in bytes per second; how many measurements there were is a number. */
export function measureOf(name: string, aggregate: string, kind: string): Measure {
  const counted = kind === 'set' || aggregate === 'count'
  if (counted) return PLAIN
  if (aggregate === 'rate' && kind !== 'counter') return { unit: 'number', perSecond: true }
  const guessed = ENDINGS.find(([ending]) => ending.test(name))?.[1] ?? PLAIN
  return aggregate === 'rate' ? { ...guessed, perSecond: true } : guessed
}

const BYTES = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB']
const THOUSANDS = ['', 'k', 'M', 'G', 'T', 'P']

/** 1.2k/s, 340 ms, 1.5 s, 2.4 GiB, 93.1 %: three digits that count. */
export function writeMeasure(value: number | null, { unit, perSecond }: Measure): string {
  if (value === null || !Number.isFinite(value)) return '–'
  return writeUnit(value, unit) + (perSecond ? '/s' : '')
}

function writeUnit(value: number, unit: Unit): string {
  switch (unit) {
    case 'bytes': {
      const [scaled, at] = scale(value, 1024, BYTES.length)
      return `${digits(scaled)} ${BYTES[at]}`
    }
    case 'us':
      return writeTime(value / 1e6)
    case 'ms':
      return writeTime(value / 1e3)
    case 's':
      return writeTime(value)
    case 'share':
      return `${digits(value * 100)} %`
    case 'percent':
      return `${digits(value)} %`
    case 'number': {
      const [scaled, at] = scale(value, 1000, THOUSANDS.length)
      return `${digits(scaled)}${THOUSANDS[at]}`
    }
  }
}

function scale(value: number, base: number, sizes: number): readonly [number, number] {
  let [scaled, at] = [value, 0]
  // What would be written as 1000 of one is 1 of the next.
  while (Math.abs(scaled) >= base * 0.9995 && at < sizes - 1) [scaled, at] = [scaled / base, at + 1]
  return [scaled, at]
}

const TIMES = [
  [86_400, 'd'],
  [3600, 'h'],
  [60, 'min'],
  [1, 's'],
  [1e-3, 'ms'],
  [1e-6, 'µs'],
] as const

function writeTime(seconds: number): string {
  if (seconds === 0) return '0 s'
  const size = Math.abs(seconds)
  // Up to two minutes are told in seconds.
  const [unitS, word] =
    size >= 1 && size < 120 ? TIMES[3] : (TIMES.find(([unit]) => size >= unit) ?? [1e-9, 'ns'])
  return `${digits(seconds / unitS)} ${word}`
}

/** Three digits that count, without zeros behind them; more only before the point. */
function digits(value: number): string {
  const size = Math.abs(value)
  if (size === 0) return '0'
  if (size < 1e-4) return value.toExponential(1)
  const places = size >= 99.95 ? 0 : size >= 9.995 ? 1 : size >= 0.9995 ? 2 : 2 - Math.floor(Math.log10(size))
  return value
    .toFixed(Math.min(6, places))
    .replace(/(\.\d*?)0+$/u, '$1')
    .replace(/\.$/u, '')
}
