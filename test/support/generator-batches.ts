import { createHash } from 'node:crypto'
import { readFileSync, readdirSync, statSync } from 'node:fs'
import { basename, join } from 'node:path'
import { setImmediate as yieldNow } from 'node:timers/promises'
import { enrichBatch } from '../../aggregator/enrich/enrich.ts'
import type { StoredBatch } from '../../core/ports.ts'
import type { DecodedBatch } from '../../core/wire.ts'
import { createWriters, type Written } from './generator.ts'
import { HOSTS, type HostFacts } from './generator-ink.ts'

/** A batch lasts as long as so many batches take to come: so far those of different hosts overlap. */
const OVERLAP = 4
const HOUR_MS = 3_600_000
/** From the last line of a batch until the aggregator has it. */
const DELIVERY_MS = 800
/** The event loop goes on after making so many lines. */
const LINES_AT_ONCE = 200
/** More real lines than this are not read; they are repeated then. */
const BODY_BYTES_MAX = 256 << 20
const NO_DIGEST = '0'.repeat(64)

/** A batch as a store takes it, and how many bytes its lines were, newlines included. */
export interface GeneratedBatch extends StoredBatch {
  readonly rawBytes: number
}

export interface BatchOptions {
  readonly seed: number
  /** In all; the last batch may be shorter. */
  readonly records: number
  /** Records in a batch. */
  readonly batch: number
  /** Lines are from [fromMs, fromMs + hours). */
  readonly fromMs: number
  readonly hours: number
  /** File or folder of real log lines to take instead of generated ones, with fresh times. */
  readonly bodies?: string | undefined
}

/**
 * Batches as 40 collectors deliver them, through the real enrichment: each of one host and time span, in order of time, the ones
 * after each other overlapping a little. A seed replays them. Keeps the event loop going.
 */
export async function* generateBatches(options: BatchOptions): AsyncGenerator<GeneratedBatch> {
  const { seed, records, batch, fromMs, hours } = options
  const collectors = createCollectors(seed)
  const lines = options.bodies === undefined ? programLines(seed) : realLines(options.bodies)
  const count = Math.ceil(records / batch)
  const stepMs = (hours * HOUR_MS) / count
  for (let n = 0; n < count; n++) {
    const size = Math.min(batch, records - n * batch)
    const startMs = fromMs + Math.min(n, Math.max(0, count - OVERLAP)) * stepMs
    const spanMs = Math.min(OVERLAP, count) * stepMs
    const timesMs = Array.from({ length: size }, (_, i) => Math.floor(startMs + ((i + 0.5) * spanMs) / size))
    const collector = collectors.next()
    yield await enriched(collector, await lines.take(collector.host, timesMs), timesMs, lines.areReal)
  }
}

/** One host's collector: it numbers its batches and knows where in each file it is. */
interface Collector {
  readonly host: HostFacts
  readonly epoch: string
  seq: number
  readonly offsets: Map<string, number>
}

/** Whose batch is next: busy hosts more often, but none twice within the time that batches overlap. */
function createCollectors(seed: number) {
  const { host } = createWriters(seed + 1)
  const collectors = new Map(HOSTS.map((facts) => [facts, collectorOf(facts, seed)]))
  const latest: HostFacts[] = []
  return {
    next(): Collector {
      let facts = host()
      while (latest.includes(facts)) facts = host()
      latest.push(facts)
      if (latest.length > OVERLAP) latest.shift()
      const collector = collectors.get(facts) as Collector
      collector.seq += 1
      return collector
    },
  }
}

function collectorOf(host: HostFacts, seed: number): Collector {
  const epoch = createHash('sha256').update(`${seed} ${host.name}`).digest('hex').slice(0, 32)
  return { host, epoch, seq: 0, offsets: new Map() }
}

/** Where lines come from: as many as there are times, or a few more of a stack trace that are left out. */
interface LineSource {
  /** Real lines have times of their own, which must not be kept. */
  readonly areReal: boolean
  take(host: HostFacts, timesMs: readonly number[]): Promise<readonly Written[]>
}

function programLines(seed: number): LineSource {
  const writers = createWriters(seed)
  return {
    areReal: false,
    async take(host, timesMs) {
      const written: Written[] = []
      for (let at = 0; at < timesMs.length;) {
        if (written.length % LINES_AT_ONCE === 0) await yieldNow()
        const next = writers.write(timesMs[at] ?? 0, host)
        const lines = next.lines.slice(0, timesMs.length - at)
        written.push({ ...next, lines })
        at += lines.length
      }
      return written
    },
  }
}

/** The lines of a file, or of all files below a folder, again and again; a batch is of one file. Throws when there are none. */
function realLines(path: string): LineSource {
  const bodies = readBodies(path)
  let file = 0
  let line = 0
  return {
    areReal: true,
    take(_host, timesMs) {
      const body = bodies[file] as Written
      const lines = timesMs.map((_, i) => body.lines[(line + i) % body.lines.length] as string)
      line += lines.length
      if (line >= body.lines.length) {
        line = 0
        file = (file + 1) % bodies.length
      }
      return Promise.resolve([{ ...body, lines }])
    },
  }
}

function readBodies(path: string): readonly Written[] {
  const files = statSync(path).isDirectory()
    ? readdirSync(path, { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile())
        .map((entry) => join(entry.parentPath, entry.name))
        .toSorted()
    : [path]
  let bytesLeft = BODY_BYTES_MAX
  const bodies = files.flatMap((file) => {
    const text = readFileSync(file).subarray(0, bytesLeft).toString('utf8')
    bytesLeft -= Buffer.byteLength(text)
    const lines = text.split('\n').filter((line) => line !== '')
    return lines.length === 0 ? [] : [{ lines, service: '', path: `/var/log/${basename(file)}` }]
  })
  if (bodies.length === 0) throw new Error(`${path} holds no lines`)
  return bodies
}

async function enriched(
  collector: Collector,
  written: readonly Written[],
  timesMs: readonly number[],
  freshTimes: boolean,
): Promise<GeneratedBatch> {
  const decoded = decodedOf(collector, written, timesMs)
  const { header, digest } = decoded
  const { site } = collector.host
  const records = await enrichBatch(decoded, { site, ingestedMs: header.createdAtMs + DELIVERY_MS, yieldNow })
  const { epoch, seq, kind, host, fromMs, toMs, drops, tombstones } = header
  const key = { site, collector: header.collector, epoch, seq }
  return {
    facts: {
      ...key,
      kind: kind === 'metrics' ? 'lines' : kind,
      host,
      digest,
      fromMs,
      toMs,
      records: records.length,
      drops,
      tombstones,
    },
    records: freshTimes
      ? records.map((record, i) => ({ ...record, timeMs: timesMs[i] ?? record.timeMs }))
      : records,
    rawBytes: decoded.body.length,
  }
}

/** What the collector would have sent: one run for each file, in the order in which they were read. */
function decodedOf(
  { host, epoch, seq, offsets }: Collector,
  written: readonly Written[],
  timesMs: readonly number[],
): DecodedBatch {
  const fromMs = timesMs[0] ?? 0
  const toMs = (timesMs.at(-1) ?? 0) + 1
  const texts: string[] = []
  const sources: { path: string; service?: string }[] = []
  const runs = [...Map.groupBy(written, ({ path }) => path)].map(([path, parts], source) => {
    const lines = parts.flatMap((part) => part.lines)
    const text = `${lines.join('\n')}\n`
    const bytes = Buffer.byteLength(text)
    const offset = offsets.get(path) ?? 0
    offsets.set(path, offset + bytes)
    texts.push(text)
    const service = parts[0]?.service ?? ''
    sources.push(service === '' ? { path } : { path, service })
    return { source, offset, bytes, lines: lines.length, readAtMs: toMs }
  })
  const body = Buffer.from(texts.join(''))
  const header = {
    v: 1 as const,
    kind: 'lines' as const,
    collector: host.name,
    host: host.name,
    epoch,
    seq,
    createdAtMs: toMs,
    utcOffsetMin: 0,
    fromMs,
    toMs,
    records: timesMs.length,
    bodyBytes: body.length,
    sources,
    runs,
    drops: [],
    tombstones: [],
  }
  return { header, digest: body.length === 0 ? NO_DIGEST : digestOf(body, seq), body }
}

function digestOf(body: Buffer, seq: number): string {
  return createHash('sha256').update(`${seq} `).update(body).digest('hex')
}
