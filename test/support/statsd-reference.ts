import { compareCodePoints, encodeMetricLine } from '../../core/metrics/wire.ts'
import type { MetricKind } from '../../core/metrics/types.ts'
import { createDistribution } from '../../core/sketch/distribution.ts'
import { createMembers } from '../../core/sketch/members.ts'

/** The statsd aggregation again, slow and obvious: every value is kept, and points are made of all values of a series at the end. */
export interface StatsdReference {
  take(datagram: Buffer): void
  /** Lines of core/metrics/wire.ts, sorted, without those of losses. */
  flush(boundaryMs: number): string[]
  readonly lost: { malformed: number; late: number }
}

interface Value {
  readonly value: number
  readonly weight: number
  readonly member: Buffer
}

const LINE = /^([^:]+):([^|]+)\|(c|g|ms|h|d|s)((?:\|.*)?)$/s
const DECIMAL = /^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/
const KINDS: Record<string, MetricKind> = { c: 'counter', g: 'gauge', s: 'set' }
const RESERVED = ['site', 'host', 'tier']

/** `a:1|c:2|ms` → `a:1|c`, `a:2|ms`; [] for what is no chain. */
function chainOf(raw: string): string[] {
  const [name = '', ...bits] = raw.split(':')
  const areBits = bits.every((bit) => /^[^|\r]+\|(c|g|s|ms|h|d)(\|@[^|\r]+)?\r?$/.test(bit))
  return name === '' || !areBits ? [] : bits.map((bit) => `${name}:${bit}`)
}

export function createStatsdReference(options: {
  flushMs: number
  lateMaxMs: number
  tags: Record<string, string>
  nowMs: () => number
}): StatsdReference {
  const { flushMs, lateMaxMs, tags, nowMs } = options
  const levels = new Map<string, number>()
  const lost = { malformed: 0, late: 0 }
  let openMs = Math.floor(nowMs() / flushMs) * flushMs
  let values = new Map<string, Value[]>()

  function keep(series: string, startMs: number, value: Value): void {
    const key = JSON.stringify([series, startMs])
    values.set(key, [...(values.get(key) ?? []), value])
  }

  function takeLine(raw: string): void {
    const match = LINE.exec(raw.endsWith('\r') ? raw.slice(0, -1) : raw)
    const [, name = '', given = '', type = '', rest = ''] = match ?? []
    const sections = rest.split('|').slice(1)
    const kind = KINDS[type] ?? 'distribution'
    const numbers = kind === 'set' ? ['0'] : given.split(':')
    const rates = sections.filter((one) => one.startsWith('@')).map((one) => decimal(one.slice(1)))
    const times = sections.filter((one) => one.startsWith('T')).map((one) => decimal(one.slice(1)))
    const list = sections.findLast((one) => one.startsWith('#'))?.slice(1) ?? ''
    const series = nameSeries(utf8(name), utf8(list), kind)
    const isGood =
      match !== null &&
      series !== null &&
      numbers.every((one) => Math.abs(decimal(one)) <= 1e200) &&
      rates.every((rate) => rate >= 1e-9 && rate <= 1) &&
      times.every((time) => time >= 0 && time <= 253_402_300_799)
    if (!isGood) {
      const chain = chainOf(raw)
      if (chain.length < 2) lost.malformed++
      else chain.forEach(takeLine)
      return
    }
    const canBeTimed = kind === 'counter' || kind === 'gauge'
    const time = times.at(-1)
    const atMs = canBeTimed && time !== undefined ? Math.floor(time * 1000) : openMs
    if (atMs !== openMs && (atMs >= openMs + 2 * flushMs || nowMs() - atMs > lateMaxMs)) {
      lost.late += numbers.length
      return
    }
    const startMs = Math.floor(atMs / flushMs) * flushMs
    const weight = kind === 'gauge' || kind === 'set' ? 1 : 1 / (rates.at(-1) ?? 1)
    for (const one of numbers) {
      const isDelta = kind === 'gauge' && /^[+-]/.test(one)
      const value = decimal(one) + (isDelta ? (levels.get(series) ?? 0) : 0)
      if (isDelta || startMs >= openMs) levels.set(series, value)
      keep(series, startMs, { value, weight, member: Buffer.from(given, 'latin1') })
    }
  }

  function nameSeries(rawName: string, list: string, kind: MetricKind): string | null {
    const all = new Map<string, Set<string>>()
    const add = (tag: string, separator: string) => {
      if (tag === '') return
      const [head = '', ...tail] = tag.split(separator)
      const own = cut([...RESERVED, ...Object.keys(tags)].includes(head) ? `exported_${head}` : head || '_')
      all.set(own, new Set([...(all.get(own) ?? []), tail.join(separator)]))
    }
    const brackets = /^([^[]*)\[([^\]]*)\](.*)$/s.exec(rawName)
    const [, before = '', inside = '', behind = ''] = brackets ?? ['', rawName]
    for (const tag of inside.split(',')) add(tag, '=')
    const [name = '', ...influx] = (before + behind).split(',')
    for (const tag of influx) add(tag, '=')
    for (const tag of list.split(',')) add(tag, ':')
    if (name === '') return null
    const own = [...all]
      .toSorted(([a], [b]) => compareCodePoints(a, b))
      .slice(0, 32 - Object.keys(tags).length)
    const named = own.map(([tag, set]) => [tag, cut([...set].toSorted(compareCodePoints).join(','))])
    return JSON.stringify({ name: cut(name), kind, tags: [...named, ...Object.entries(tags)] })
  }

  function flush(boundaryMs: number): string[] {
    const lines = [...values].map(([key, all]) => {
      const [series, startMs] = JSON.parse(key) as [string, number]
      return lineOf(series, startMs === openMs ? boundaryMs - flushMs : startMs, all)
    })
    values = new Map()
    openMs = boundaryMs
    return lines.toSorted()
  }

  function lineOf(series: string, startMs: number, all: readonly Value[]): string {
    const {
      name,
      kind,
      tags: pairs,
    } = JSON.parse(series) as {
      name: string
      kind: MetricKind
      tags: [string, string][]
    }
    const numbers = all.map(({ value }) => value)
    return encodeMetricLine({
      series: { name, kind, tags: Object.fromEntries(pairs) },
      startMs,
      stepMs: flushMs,
      count: all.reduce((sum, { weight }) => sum + weight, 0),
      sum: all.reduce((sum, { value, weight }) => sum + value * weight, 0),
      min: Math.min(...numbers) + 0,
      max: Math.max(...numbers) + 0,
      last: (numbers.at(-1) ?? 0) + 0,
      sketch: sketchOf(kind, all),
    })
  }

  return {
    take(datagram) {
      for (const line of datagram.toString('latin1').split('\n')) if (line !== '') takeLine(line)
    },
    flush,
    lost,
  }
}

function sketchOf(kind: MetricKind, all: readonly Value[]): Uint8Array | null {
  if (kind === 'set') {
    const members = createMembers()
    for (const { member } of all) members.addBytes(member, 0, member.length)
    return members.encode()
  }
  if (kind !== 'distribution') return null
  const distribution = createDistribution()
  for (const { value, weight } of all) distribution.add(value, weight)
  return distribution.encode()
}

function decimal(text: string): number {
  return DECIMAL.test(text) ? Number(text) : Number.NaN
}

/** Names and tags are text; everything else of a line is kept as bytes. */
function utf8(latin1: string): string {
  return Buffer.from(latin1, 'latin1')
    .toString('utf8')
    .replaceAll(/[\p{Cc}\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu, '_')
}

function cut(text: string): string {
  return text.slice(0, 200).isWellFormed() ? text.slice(0, 200) : text.slice(0, 199)
}
