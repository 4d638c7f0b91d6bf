import { asServiceError, ServiceError } from '../../core/errors.ts'
import { batchIdPrefix, eventId, streamId } from '../../core/event-id.ts'
import { patternId } from '../../core/patterns/pattern.ts'
import type { LogRecord } from '../../core/record.ts'
import type { BatchHeader, BatchRun, BatchSource, DecodedBatch } from '../../core/wire.ts'
import { attrsOf, setAttr } from './draft.ts'
import { enrichImported } from './imported.ts'
import { readLine, type LineContext } from './line.ts'
import { serviceOfPath } from './service-name.ts'

/** The event loop is let go after so much work; half of what it may be held, so that one slow line more does no harm. */
const BUSY_MS_MAX = 4
/** The clock is looked at after so many bytes of lines. */
const CLOCK_EVERY_BYTES = 8 << 10
/** The shortest line costs as much as so many bytes. */
const LINE_COST_BYTES = 128

export { enrichImported }

const NEWLINE = 0x0a
const RETURN = 0x0d

export interface BatchContext {
  /** Of the sender's credential or source cluster. */
  readonly site: string
  readonly ingestedMs: number
  /** Resolves after the event loop went on with other things. */
  readonly yieldNow: () => Promise<void>
}

/**
 * The records of a batch, one for each line, in order. Never throws for what a line holds and never leaves one out;
 * BATCH_MALFORMED when the lines are not as many as the header says.
 */
export async function enrichBatch(batch: DecodedBatch, context: BatchContext): Promise<LogRecord[]> {
  const { header, body } = batch
  const { site, ingestedMs } = context
  const prefix = batchIdPrefix(streamId({ ...header, site }), header.seq)
  const breathe = createBreather(context.yieldNow)
  const records: LogRecord[] = []
  let at = 0
  for (const run of header.runs) {
    const shared = sharedOf(header, run, at, site, ingestedMs)
    const runEnd = at + run.bytes
    const recordsEnd = records.length + run.lines
    while (at < runEnd && records.length < recordsEnd) {
      const newline = body.indexOf(NEWLINE, at)
      const end = newline < 0 || newline >= runEnd ? runEnd : newline
      records.push(recordOf(body, at, end, shared, eventId(prefix, records.length)))
      if (breathe.isDue(end - at)) await breathe.now()
      at = end + 1
    }
    if (at < runEnd || records.length !== recordsEnd) throw wrongLines(header)
    at = runEnd
  }
  return records
}

/** Says when the event loop was held long enough. */
function createBreather(yieldNow: () => Promise<void>) {
  let busySinceMs = performance.now()
  let work = 0
  return {
    /** To be called after each line. */
    isDue(lineBytes: number): boolean {
      work += LINE_COST_BYTES + lineBytes
      if (work < CLOCK_EVERY_BYTES) return false
      work = 0
      return performance.now() - busySinceMs >= BUSY_MS_MAX
    },
    async now() {
      await yieldNow()
      busySinceMs = performance.now()
    },
  }
}

function wrongLines({ records }: BatchHeader): ServiceError {
  return new ServiceError('BATCH_MALFORMED', 'batch has other lines than its header says', { records })
}

/** What all lines of a run have in common. */
interface Shared {
  readonly header: BatchHeader
  readonly run: BatchRun
  /** Where the run starts in the body. */
  readonly bodyAt: number
  readonly source: BatchSource
  readonly line: LineContext
  readonly site: string
  readonly ingestedMs: number
  readonly tier: string
  readonly pathService: string
  readonly labels: readonly (readonly [string, string])[]
}

function sharedOf(
  header: BatchHeader,
  run: BatchRun,
  bodyAt: number,
  site: string,
  ingestedMs: number,
): Shared {
  const source = header.sources[run.source] ?? { path: '' }
  const { utcOffsetMin, host } = header
  return {
    header,
    run,
    bodyAt,
    source,
    line: { utcOffsetMin, readAtMs: run.readAtMs, host },
    site: site.toLowerCase(),
    ingestedMs,
    tier: (source.tier ?? '').toLowerCase(),
    pathService: serviceOfPath(source.path),
    labels: Object.entries(source.labels ?? {}).map(([name, value]) => [`labels.${name}`, value] as const),
  }
}

function recordOf(body: Buffer, from: number, to: number, shared: Shared, id: string): LogRecord {
  const { header, run, site, ingestedMs } = shared
  if (header.kind === 'records') {
    const record = importedOrNull(body.toString('utf8', from, to), { site, ingestedMs, id })
    if (record !== null) return record.host === '' ? { ...record, host: header.host } : record
  }
  const end = to > from && body[to - 1] === RETURN ? to - 1 : to
  let start = from
  // A file that was truncated while its writer went on has a hole of NULs there.
  while (start < end && body[start] === 0) start++
  const raw = body.toString('utf8', start, end)
  const text = raw.includes('\0') ? raw.replaceAll('\0', '\uFFFD') : raw
  const draft = readLine(text, shared.line)
  const { source } = shared
  for (const [key, value] of shared.labels) setAttr(draft, key, value)
  if (start > from) setAttr(draft, 'nul_bytes', start - from)
  if (run.cutFrom !== undefined) setAttr(draft, 'cut_from_bytes', run.cutFrom)
  const service = draft.service || (source.service ?? '') || draft.program || shared.pathService
  if (draft.program !== '' && draft.program !== service) setAttr(draft, 'syslog_program', draft.program)
  return {
    id,
    timeMs: draft.timeMs ?? run.readAtMs,
    ingestedMs,
    message: draft.message,
    level: draft.level,
    service,
    version: draft.version || (source.version ?? ''),
    host: header.host,
    site,
    tier: draft.tier || shared.tier,
    path: source.path,
    offset: source.path === '' ? null : run.offset + from - shared.bodyAt,
    trace: draft.trace,
    pattern: patternId(draft.message),
    status: draft.status,
    latencyMs: draft.latencyMs,
    bytes: draft.bytes,
    attrs: attrsOf(draft, text),
  }
}

function importedOrNull(
  line: string,
  context: { site: string; ingestedMs: number; id: string },
): LogRecord | null {
  try {
    return enrichImported(line, context)
  } catch (error) {
    if (asServiceError(error)?.code !== 'BAD_REQUEST') throw error
    return null
  }
}
