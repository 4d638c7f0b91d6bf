import { ServiceError } from '../../core/errors.ts'
import { assembleFrame, packBody, type BatchHeader, type Drop, type Mark } from '../../core/wire.ts'
import type { Position, Spool, SpooledBatch } from '../../collectors/spool/types.ts'

/** A numbered line as a collector read it. */
export interface NumberedLine {
  readonly path: string
  readonly offset: number
  readonly text: string
  readonly cutFrom?: number
}

/** A spool that forgets everything but positions at `reopened`, and keeps what was numbered for the test to look at. */
export interface MemorySpool extends Spool {
  /** Refuses appends while set. */
  refusal: ServiceError | null
  readonly headers: readonly BatchHeader[]
  lines(): NumberedLine[]
  drops(): Drop[]
  /** As after a kill and a start: a new epoch, the durable positions, nothing that was on its way. */
  reopened(): MemorySpool
}

interface Kept {
  readonly header: BatchHeader
  readonly body: Buffer
  readonly unacked: Set<string>
  readonly given: Set<string>
}

interface Shared {
  readonly positions: Map<string, Position>
  readonly kept: Kept[]
  epochs: number
}

export function createMemorySpool(destinations: readonly string[] = []): MemorySpool {
  return open({ positions: new Map(), kept: [], epochs: 0 }, destinations)
}

function open(shared: Shared, destinations: readonly string[]): MemorySpool {
  let epoch = nextEpoch(shared)
  let lastSeq = 0
  let closed = false
  let wake = Promise.withResolvers<void>()
  const { kept, positions } = shared

  function woken(): void {
    wake.resolve()
    wake = Promise.withResolvers()
  }

  async function frameOf({ header, body }: Kept): Promise<Buffer> {
    return assembleFrame(header, await packBody(body))
  }

  const spool: MemorySpool = {
    collector: 'c1',
    get epoch() {
      return epoch
    },
    refusal: null,
    positions: () => Object.fromEntries(positions),
    append({ header, body }, changes) {
      if (closed) return Promise.reject(new ServiceError('SHUTTING_DOWN', 'the spool is closed'))
      if (spool.refusal !== null) return Promise.reject(spool.refusal)
      lastSeq++
      const numbered = {
        v: 1,
        collector: 'c1',
        epoch,
        seq: lastSeq,
        ...header,
        bodyBytes: body.length,
        tombstones: [],
      }
      const unacked = new Set(destinations)
      kept.push({
        header: numbered as unknown as BatchHeader,
        body: Buffer.from(body),
        unacked,
        given: new Set(),
      })
      for (const [key, position] of Object.entries(changes)) {
        if (position === null) positions.delete(key)
        else positions.set(key, position)
      }
      woken()
      return Promise.resolve()
    },
    async take(destination, signal): Promise<SpooledBatch> {
      for (;;) {
        signal.throwIfAborted()
        const ref = kept.findIndex(
          ({ unacked, given }) => unacked.has(destination) && !given.has(destination),
        )
        const batch = kept[ref]
        if (batch !== undefined) {
          batch.given.add(destination)
          const { epoch, seq } = batch.header
          return { ref, epoch, seq, frame: await frameOf(batch) }
        }
        const aborted = Promise.withResolvers<void>()
        signal.addEventListener('abort', () => aborted.resolve(), { once: true })
        await Promise.race([wake.promise, aborted.promise])
      }
    },
    ack(destination, ref) {
      kept[ref]?.unacked.delete(destination)
    },
    giveBack(destination, ref) {
      kept[ref]?.given.delete(destination)
      woken()
    },
    renumber(destination) {
      epoch = nextEpoch(shared)
      lastSeq = 0
      for (const [index, batch] of kept.entries()) {
        if (!batch.unacked.has(destination)) continue
        lastSeq++
        kept[index] = { ...batch, header: { ...batch.header, epoch, seq: lastSeq } }
      }
      woken()
      return Promise.resolve()
    },
    epochs: (destination) => epochsOf({ kept, destination, epoch, lastSeq }),
    stats: () => ({
      batches: kept.filter(({ unacked }) => unacked.size > 0).length,
      records: 0,
      bytes: 0,
      full: spool.refusal !== null,
      corrupt: 0,
    }),
    close() {
      closed = true
      return Promise.resolve()
    },
    get headers() {
      return kept.map(({ header }) => header)
    },
    lines: () => kept.flatMap(linesOf),
    drops: () => kept.flatMap(({ header }) => header.drops),
    reopened() {
      closed = true
      return open(shared, destinations)
    },
  }
  return spool
}

function nextEpoch(shared: Shared): string {
  shared.epochs++
  return String(shared.epochs).padStart(32, '0')
}

function linesOf({ header, body }: Kept): NumberedLine[] {
  let at = 0
  return header.runs.flatMap(({ source, offset, bytes, lines, cutFrom }) => {
    const run = body.subarray(at, at + bytes).toString('latin1')
    at += bytes
    const texts = run.split('\n').slice(0, -1)
    if (texts.length !== lines || !run.endsWith('\n')) throw new Error('a run does not hold its lines')
    let lineAt = offset
    return texts.map((text) => {
      const line = { path: header.sources[source]?.path ?? '?', offset: lineAt, text }
      lineAt += text.length + 1
      return cutFrom === undefined ? line : { ...line, cutFrom }
    })
  })
}

function epochsOf(state: {
  kept: readonly Kept[]
  destination: string
  epoch: string
  lastSeq: number
}): Mark['epochs'] {
  const { kept, destination, epoch, lastSeq } = state
  const pending = kept
    .filter(({ header, unacked }) => header.epoch === epoch && unacked.has(destination))
    .map(({ header: { seq, fromMs, toMs, records } }) => ({
      seqFrom: seq,
      seqTo: seq,
      timeFromMs: fromMs,
      timeToMs: toMs,
      records,
    }))
  return [{ epoch, lastSeq, spoolLow: pending[0]?.seqFrom ?? lastSeq + 1, pending }]
}
