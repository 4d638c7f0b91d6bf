import { createLedger, type Ledger } from '../../core/ledger/apply.ts'
import { judge } from '../../core/ledger/judge.ts'
import type { BatchFacts, LedgerNote, SiteCompleteness } from '../../core/ledger/types.ts'
import type { TimeRange } from '../../core/ports.ts'
import { RENUMBERED, type Drop, type Mark, type Tombstone } from '../../core/wire.ts'
import { seededRandom } from '../support/random.ts'

/** What the simulation draws: the seed replays the run. */
export function createRandom(seed: number) {
  const next = seededRandom(seed)
  return {
    chance: (probability: number) => next() < probability,
    between: (from: number, to: number) => from + Math.floor(next() * (to - from + 1)),
    hex: () => Array.from({ length: 32 }, () => Math.floor(next() * 16).toString(16)).join(''),
  }
}
export type Random = ReturnType<typeof createRandom>

/** How often things go wrong, each per collector and second unless said otherwise. */
export interface Faults {
  readonly crash: number
  readonly stop: number
  /** A partition of one collector. */
  readonly partition: number
  /** Reading stands still for some seconds. */
  readonly stall: number
  /** Nothing is written for some seconds. */
  readonly quiet: number
  readonly clockStep: number
  /** Batches leave the spool: with a tombstone, or set aside as corrupt. */
  readonly shed: number
  readonly corrupt: number
  /** The newest batches in the spool are found corrupt, at each start. */
  readonly corruptTail: number
  /** Of each batch that arrives: another one is stored under its number, and its sender has to take new numbers. */
  readonly conflict: number
  /** Lines vanish before they are read. */
  readonly skip: number
  /** Of each message. */
  readonly lose: number
  readonly repeat: number
  readonly delay: number
  /** The aggregator starts again, or stands still, per second. */
  readonly restart: number
  readonly freeze: number
}

export const CALM: Faults = {
  crash: 0,
  stop: 0,
  partition: 0,
  stall: 0,
  quiet: 0,
  clockStep: 0,
  shed: 0,
  corrupt: 0,
  corruptTail: 0,
  conflict: 0,
  skip: 0,
  lose: 0,
  repeat: 0,
  delay: 0,
  restart: 0,
  freeze: 0,
}

interface Line {
  readonly writtenAtMs: number
  /** The epoch in which it got a number. */
  epoch?: string
}

interface Batch {
  facts: BatchFacts
  readonly lines: readonly Line[]
  acked: boolean
  sendAgainAtMs: number
}

const SITE = 'eu'
export const SETTLE_MS = 3_000
const STEP_MS = 50
const MARK_EVERY_MS = 1_000
const IN_FLIGHT_MAX = 12
const RETRY_MS = 700

interface Host {
  readonly name: string
  readonly lines: Line[]
  readonly spool: Batch[]
  /** Index of the next line to read; what was read, but has no number yet, is read again after a crash. */
  position: number
  numberedTo: number
  readEndAtMs: number | null
  coveredAtMs: number | null
  epoch: string
  lastSeq: number
  previous: { epoch: string; lastSeq: number } | undefined
  drops: Drop[]
  tombstones: Tombstone[]
  /** Highest number of the epochs before. */
  readonly lastSeqs: Map<string, number>
  /** Epochs whose end no acknowledged batch has told. */
  readonly untold: Set<string>
  /** Lines of batches that were refused for their number → the epoch in which they got a new one. */
  readonly taken: Map<Line, string | null>
  /** The last renumbering; the last of its batches carries what became of the old numbers. */
  moved: { epoch: string; lastSeq: number; teller: Batch; tombstones: readonly Tombstone[] } | undefined
  up: boolean
  startAtMs: number
  partitionedToMs: number
  stalledToMs: number
  quietToMs: number
  offsetMs: number
  nextMarkAtMs: number
  transitMs: number
}

/**
 * Collectors, a network and one aggregator's ledger, with everything that may go wrong between them, in steps of 50 ms.
 * `nowMs` is the true time and the aggregator's clock.
 */
export interface World {
  run(forMs: number, faults: Faults): void
  judge(range: TimeRange): SiteCompleteness
  /** Lines written in the range that are not stored and that the ledger could have known of. */
  missing(range: TimeRange): number
  readonly nowMs: number
  readonly ledger: Ledger
}

export function createWorld(random: Random, hosts: number): World {
  let nowMs = 1_000_000_000
  let startedAtMs = nowMs
  let frozenToMs = 0
  let ledger = createLedger()
  const kept = createLedger()
  const unnoted = new Map<string, LedgerNote>()
  const stored = new Set<Line>()
  let wire: { atMs: number; host: Host; run: () => void }[] = []
  const all = Array.from({ length: hosts }, (_, index) => createHost(`web-${index}`, random, nowMs))

  const collectorClock = (host: Host) => nowMs + host.offsetMs

  function transmit(host: Host, faults: Faults, run: () => void) {
    if (nowMs < host.partitionedToMs || random.chance(faults.lose)) return
    const times = random.chance(faults.repeat) ? 2 : 1
    for (let copy = 0; copy < times; copy++) {
      const extraMs = random.chance(faults.delay) ? random.between(100, 8_000) : random.between(0, 60)
      wire.push({ atMs: nowMs + host.transitMs + extraMs, host, run })
    }
  }

  function write(host: Host) {
    if (nowMs < host.quietToMs) return
    for (let count = random.between(-3, 2); count > 0; count--) host.lines.push({ writtenAtMs: nowMs })
  }

  function readAndNumber(host: Host, faults: Faults) {
    if (nowMs < host.stalledToMs) return
    if (random.chance((faults.skip * STEP_MS) / 1_000) && host.position < host.lines.length) skip(host)
    const upTo = Math.min(host.lines.length, host.position + random.between(1, 40))
    host.position = upTo
    if (upTo === host.lines.length) host.readEndAtMs = nowMs
    if (random.chance(0.6)) number(host)
  }

  function skip(host: Host) {
    number(host)
    const to = Math.min(host.lines.length, host.position + random.between(1, 3))
    const gone = host.lines.slice(host.position, to)
    host.position = to
    const atMs = collectorClock(host)
    host.drops.push({ reason: 'rotated away', records: gone.length, bytes: null, fromMs: atMs, toMs: atMs })
    number(host)
  }

  /** What was read so far gets a number and is durable, in one step with the position. */
  function number(host: Host) {
    const lines = host.lines.slice(host.numberedTo, host.position)
    const skipped = host.drops.reduce((sum, { records }) => sum + (records ?? 0), 0)
    const kept = skipped > 0 ? [] : lines
    if (lines.length > 0 || host.drops.length > 0 || host.tombstones.length > 0) append(host, kept)
    for (const line of lines) line.epoch = host.epoch
    host.numberedTo = host.position
    host.coveredAtMs = host.readEndAtMs
  }

  function append(host: Host, lines: readonly Line[]) {
    host.lastSeq += 1
    const written = lines.map(({ writtenAtMs }) => writtenAtMs + host.offsetMs)
    const facts: BatchFacts = {
      site: SITE,
      collector: host.name,
      host: host.name,
      kind: 'lines',
      epoch: host.epoch,
      seq: host.lastSeq,
      digest: digestOf(host.epoch, host.lastSeq),
      ...(host.lastSeq === 1 && host.previous !== undefined ? { previous: host.previous } : {}),
      fromMs: Math.min(collectorClock(host), ...written),
      toMs: Math.max(collectorClock(host), ...written),
      records: lines.length,
      drops: host.drops,
      tombstones: host.tombstones,
    }
    host.drops = []
    host.tombstones = []
    host.spool.push({ facts, lines, acked: false, sendAgainAtMs: 0 })
  }

  function send(host: Host, faults: Faults) {
    for (const batch of host.spool.slice(0, IN_FLIGHT_MAX)) {
      if (nowMs < batch.sendAgainAtMs) continue
      batch.sendAgainAtMs = nowMs + random.between(RETRY_MS, 3 * RETRY_MS)
      const { facts } = batch
      transmit(host, faults, () => store(host, batch, facts, faults))
    }
  }

  function store(host: Host, batch: Batch, facts: BatchFacts, faults: Faults) {
    if (ledger.find(facts, facts.digest) === 'new' && random.chance(faults.conflict)) {
      keep({ ...facts, digest: 'f'.repeat(64), records: 0, drops: [], tombstones: [], previous: undefined })
    }
    const fate = ledger.find(facts, facts.digest)
    if (fate === 'new') {
      keep(facts)
      for (const line of batch.lines) stored.add(line)
    }
    if (fate === 'conflict') {
      for (const each of [ledger, kept])
        each.applyNote({ type: 'conflict', site: SITE, collector: host.name, atMs: nowMs })
      if (batch.facts === facts) for (const line of batch.lines) host.taken.set(line, null)
    }
    transmit(host, faults, () => {
      if (!host.up || batch.facts !== facts) return
      if (fate === 'conflict') renumber(host)
      else acknowledge(host, batch)
    })
  }

  function keep(facts: BatchFacts) {
    ledger.applyBatch(facts)
    kept.applyBatch(facts)
  }

  function acknowledge(host: Host, batch: Batch) {
    batch.acked = true
    if (batch.facts.previous !== undefined) host.untold.delete(batch.facts.previous.epoch)
    free(host)
  }

  /** The live epoch gets no more numbers; one without any is passed over. */
  function endEpoch(host: Host) {
    if (host.lastSeq === 0) return
    host.previous = { epoch: host.epoch, lastSeq: host.lastSeq }
    host.lastSeqs.set(host.epoch, host.lastSeq)
    host.untold.add(host.epoch)
  }

  function renumber(host: Host) {
    const tombstones = host.spool.map(({ facts: { epoch, seq, records, fromMs, toMs } }) => {
      return { epoch, seqFrom: seq, seqTo: seq, records, bytes: 0, fromMs, toMs, reason: RENUMBERED }
    })
    tombstones.push(...movedOf(host))
    endEpoch(host)
    const epoch = random.hex()
    const lastSeq = host.spool.length
    host.spool.forEach((batch, index) => {
      const seq = index + 1
      const own = batch.facts.tombstones.filter(({ reason }) => reason !== RENUMBERED)
      const told = seq === lastSeq ? [...own, ...tombstones] : own
      batch.facts = { ...batch.facts, epoch, seq, digest: digestOf(epoch, seq), tombstones: told }
      batch.sendAgainAtMs = 0
    })
    for (const line of host.taken.keys()) host.taken.set(line, epoch)
    const teller = host.spool.at(-1)
    if (teller !== undefined) host.moved = { epoch, lastSeq, teller, tombstones }
    host.epoch = random.hex()
    host.lastSeq = 0
  }

  /** What was renumbered and is not known to have been told. */
  function movedOf({ spool, moved }: Host): readonly Tombstone[] {
    return moved !== undefined && spool.includes(moved.teller) ? moved.tombstones : []
  }

  function free(host: Host) {
    const left = host.spool.filter(({ acked }) => !acked)
    host.spool.splice(0, host.spool.length, ...left)
  }

  function markOf(host: Host, goodbye: boolean): Mark {
    const waiting = host.spool.map(({ facts }) => facts.epoch)
    const named = new Set([...host.untold, ...movedOf(host).map(({ epoch }) => epoch), ...waiting])
    const old = [...host.lastSeqs.keys()].filter((epoch) => named.has(epoch))
    const names = [...new Set([...old, ...waiting])].filter((epoch) => epoch !== host.epoch)
    return {
      v: 1,
      collector: host.name,
      host: host.name,
      epoch: host.epoch,
      sentAtMs: collectorClock(host),
      readAgeMs: host.coveredAtMs === null ? null : nowMs - host.coveredAtMs,
      epochs: [...names, host.epoch].map((epoch) => epochState(host, epoch)),
      ...(goodbye ? { goodbye } : {}),
    }
  }

  function epochState(host: Host, epoch: string): Mark['epochs'][number] {
    const mine = host.spool.filter(({ facts }) => facts.epoch === epoch).map(({ facts }) => facts)
    const ended = host.moved?.epoch === epoch ? host.moved.lastSeq : (host.lastSeqs.get(epoch) ?? 0)
    const lastSeq = epoch === host.epoch ? host.lastSeq : ended
    const pending = mine.map(({ seq, fromMs, toMs, records }) => ({
      seqFrom: seq,
      seqTo: seq,
      timeFromMs: fromMs,
      timeToMs: toMs,
      records,
    }))
    const movedFrom = movedOf(host).filter((of) => of.epoch === epoch)
    const spoolLow = Math.min(mine[0]?.seq ?? lastSeq + 1, ...movedFrom.map(({ seqFrom }) => seqFrom))
    const renumbered = host.moved?.epoch === epoch ? { renumbered: true } : {}
    return { epoch, lastSeq, spoolLow, pending, ...renumbered }
  }

  function mark(host: Host, faults: Faults, goodbye = false) {
    const said = markOf(host, goodbye)
    transmit(host, faults, () => {
      const note: LedgerNote = { type: 'mark', site: SITE, arrivedAtMs: nowMs, mark: said }
      ledger.applyNote(note)
      unnoted.set(host.name, note)
    })
  }

  function flushNotes() {
    for (const note of unnoted.values()) kept.applyNote(note)
    unnoted.clear()
  }

  function start(host: Host, faults: Faults) {
    endEpoch(host)
    if (random.chance(faults.corruptTail)) host.spool.splice(random.between(0, host.spool.length))
    host.epoch = random.hex()
    host.lastSeq = 0
    host.position = host.numberedTo
    host.readEndAtMs = null
    host.coveredAtMs = null
    host.up = true
    host.nextMarkAtMs = nowMs + random.between(0, 300)
    for (const batch of host.spool) batch.sendAgainAtMs = 0
  }

  function disturb(host: Host, faults: Faults) {
    const happens = (perSecond: number) => random.chance((perSecond * STEP_MS) / 1_000)
    if (happens(faults.partition)) host.partitionedToMs = nowMs + random.between(500, 40_000)
    if (happens(faults.stall)) host.stalledToMs = nowMs + random.between(500, 20_000)
    if (happens(faults.quiet)) host.quietToMs = nowMs + random.between(1_000, 60_000)
    if (happens(faults.clockStep)) host.offsetMs += random.between(-3_600_000, 3_600_000)
    if (happens(faults.shed)) shed(host)
    if (happens(faults.corrupt)) {
      host.spool.splice(random.between(0, host.spool.length), random.between(1, 3))
    }
    if (happens(faults.crash)) end(host, random.between(0, 15_000))
    else if (happens(faults.stop)) {
      number(host)
      mark(host, faults, true)
      end(host, random.between(1_000, 60_000))
    }
  }

  function end(host: Host, forMs: number) {
    host.up = false
    host.startAtMs = nowMs + forMs
  }

  /** The oldest batches of one epoch leave the spool; the next batch tells. */
  function shed(host: Host) {
    const [first] = host.spool
    if (first === undefined) return
    const gone = host.spool
      .filter(({ facts }) => facts.epoch === first.facts.epoch)
      .slice(0, random.between(1, 5))
    host.spool.splice(0, gone.length)
    const last = gone.at(-1) ?? first
    host.tombstones.push({
      epoch: first.facts.epoch,
      seqFrom: first.facts.seq,
      seqTo: last.facts.seq,
      records: gone.reduce((sum, { lines }) => sum + lines.length, 0),
      bytes: 0,
      fromMs: first.facts.fromMs,
      toMs: last.facts.toMs,
      reason: 'spool full',
    })
    append(host, [])
  }

  function restart() {
    unnoted.clear()
    ledger = createLedger(JSON.parse(JSON.stringify(kept.snapshot())) as ReturnType<Ledger['snapshot']>)
    startedAtMs = nowMs
  }

  function deliver() {
    if (nowMs < frozenToMs) return
    const due = wire.filter(({ atMs }) => atMs <= nowMs).sort((left, right) => left.atMs - right.atMs)
    wire = wire.filter(({ atMs }) => atMs > nowMs)
    for (const { run } of due) run()
  }

  function step(faults: Faults) {
    nowMs += STEP_MS
    for (const host of all) {
      write(host)
      if (!host.up && nowMs >= host.startAtMs) start(host, faults)
      if (!host.up) continue
      readAndNumber(host, faults)
      send(host, faults)
      if (nowMs >= host.nextMarkAtMs) {
        host.nextMarkAtMs = nowMs + MARK_EVERY_MS
        mark(host, faults)
      }
      disturb(host, faults)
    }
    deliver()
    if (nowMs % 1_000 === 0) flushNotes()
    if (random.chance((faults.restart * STEP_MS) / 1_000)) restart()
    if (random.chance((faults.freeze * STEP_MS) / 1_000)) frozenToMs = nowMs + random.between(1_000, 30_000)
  }

  return {
    run(forMs, faults) {
      for (const endMs = nowMs + forMs; nowMs < endMs;) step(faults)
    },
    judge: (range) =>
      judge(ledger.collectors(), SITE, range, {
        nowMs,
        settleMs: SETTLE_MS,
        silentAfterMs: 5_000,
        startedAtMs,
      }),
    missing({ fromMs, toMs }) {
      let missing = 0
      for (const host of all) {
        const { markAtMs = null, leftAtMs, liveEpoch, epochs = [] } = ledger.collector(SITE, host.name) ?? {}
        if (markAtMs === null) continue
        for (const line of host.lines) {
          if (line.writtenAtMs < fromMs || line.writtenAtMs >= toMs || stored.has(line)) continue
          // A number that is taken looks stored until its sender says what became of its own batch.
          const anew = host.taken.get(line)
          if (anew !== undefined && !epochs.some(({ epoch, lastSeq }) => epoch === anew && lastSeq > 0))
            continue
          // What had no number at a goodbye is not expected until the collector is heard again.
          if (leftAtMs === null || line.epoch === liveEpoch) missing += 1
        }
      }
      return missing
    },
    get nowMs() {
      return nowMs
    },
    get ledger() {
      return ledger
    },
  }
}

function digestOf(epoch: string, seq: number): string {
  return `${epoch}${seq}`.padEnd(64, '0')
}

function createHost(name: string, random: Random, nowMs: number): Host {
  return {
    name,
    lines: [],
    spool: [],
    position: 0,
    numberedTo: 0,
    readEndAtMs: null,
    coveredAtMs: null,
    epoch: '',
    lastSeq: 0,
    previous: undefined,
    drops: [],
    tombstones: [],
    lastSeqs: new Map(),
    untold: new Set(),
    taken: new Map(),
    moved: undefined,
    up: false,
    startAtMs: nowMs + random.between(0, 3_000),
    partitionedToMs: 0,
    stalledToMs: 0,
    quietToMs: 0,
    offsetMs: random.between(-3_600_000, 3_600_000),
    nextMarkAtMs: 0,
    transitMs: random.between(1, 150),
  }
}
