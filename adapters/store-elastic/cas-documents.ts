import { ServiceError } from '../../core/errors.ts'
import type { Clock, Logger } from '../../core/ports.ts'
import { pauseMs } from './backoff.ts'
import type { Elastic } from './elastic.ts'
import { ElasticFailure, isMissing, isPassing, toServiceError } from './failures.ts'
import { pack, unpack } from './ledger-content.ts'
import { split } from './split.ts'

/** Makes the next content of a document of the one it has now. May run several times: when another process was faster. */
export type Change<C, T> = (content: C) => { readonly content: C; readonly result: T }

/** Documents that several processes change, none over the other's head: compare and set. */
export interface CasDocuments<C> {
  /** What is known of each, in the order of their ids. */
  contents(): readonly C[]
  content(index: number): C
  /** Reads what others have changed. Calls share requests that begin after them. */
  sync(): Promise<void>
  /** Resolves once the change is durable. Changes that come together are written together, in the order in which they came. */
  change<T>(index: number, change: Change<C, T>): Promise<T>
  close(): void
}

interface CasOptions<C> {
  readonly elastic: Elastic
  /** Name of the index. */
  readonly index: string
  readonly ids: readonly string[]
  readonly empty: C
  /** Writes begin so far apart: each is synced to Elasticsearch's disk, and changes that come meanwhile share the next one. */
  readonly writeEveryMs?: number
  /** Makes the index again when somebody has deleted it. */
  readonly prepare: () => Promise<void>
  readonly clock: Clock
  readonly log: Logger
}

/** A write is tried again for so long before its callers hear of it. */
const TRIED_FOR_MS = 10_000

interface Known<C> {
  readonly id: string
  content: C
  /** null: it is not there. */
  version: Version | null
  /** It may have been changed: to be read before it is changed again. */
  stale: boolean
}

interface Waiting<C> {
  readonly index: number
  readonly change: Change<C, unknown>
  readonly resolve: (result: unknown) => void
  readonly reject: (error: unknown) => void
}

interface GotDocument {
  readonly _id: string
  readonly found?: boolean
  readonly error?: { readonly type: string; readonly reason: string }
  readonly _seq_no: number
  readonly _primary_term: number
  readonly _source?: { readonly packed: string }
}

interface BulkItem {
  readonly status: number
  readonly _seq_no: number
  readonly _primary_term: number
  readonly error?: { readonly type: string; readonly reason: string }
}

export function createCasDocuments<C extends object>(options: CasOptions<C>): CasDocuments<C> {
  const { elastic, index: indexName, ids, empty, writeEveryMs = 0, clock, log } = options
  const known: Known<C>[] = ids.map((id) => ({ id, content: empty, version: null, stale: true }))
  let waiting: Waiting<C>[] = []
  let writing = false
  /** When the last write began. */
  let writtenMs = -Infinity
  const closing = new AbortController()
  const exclusively = createQueue()
  const requests = createRequests(elastic, indexName, closing.signal)

  /** Reads these again. What somebody deleted is written again from memory. */
  async function load(wanted: readonly Known<C>[]): Promise<void> {
    if (wanted.length === 0) return
    let deleted = 0
    for (const [at, found] of (await requests.get(wanted, true)).entries()) {
      const one = wanted[at]
      if (one === undefined) continue
      const { _source: source } = found
      if (found.found === true && source !== undefined) {
        one.content = await unpack<C>(source)
        one.version = versionOf(found)
      } else {
        deleted += one.version === null ? 0 : 1
        one.version = null
      }
      one.stale = false
    }
    if (deleted > 0) log.warn({ index: indexName, deleted }, 'documents were deleted, they are written again')
  }

  async function readChanged(): Promise<void> {
    const found = await requests.get(known, false)
    await load(known.filter((one, at) => one.stale || isOther(one, found[at])))
    void write()
  }

  const lost = () => known.filter((one) => !one.stale && one.version === null && one.content !== empty)

  async function write(): Promise<void> {
    if (writing) return
    writing = true
    for (let ok = true; waiting.length > 0 || (ok && lost().length > 0);) {
      const waitMs = writtenMs + writeEveryMs - clock.monotonicMs()
      if (waitMs > 0) await clock.sleep(waitMs)
      writtenMs = clock.monotonicMs()
      const now = waiting
      waiting = []
      ok = await exclusively(() => writeAll(now)).then(
        () => true,
        (error: unknown) => {
          for (const { index } of now) markStale(known[index])
          for (const { reject } of now) reject(toServiceError(error))
          return false
        },
      )
    }
    writing = false
  }

  async function writeAll(all: readonly Waiting<C>[]): Promise<void> {
    const startMs = clock.monotonicMs()
    let left = all
    for (let tries = 0; ; tries++) {
      const failure = await writeOnce(left).then(
        (done) => {
          left = done.left
          return done.failure
        },
        (error: unknown) => error,
      )
      if (left.length === 0) return
      if (failure === null) continue
      for (const { index } of left) markStale(known[index])
      const late = clock.monotonicMs() - startMs > TRIED_FOR_MS
      const missing = failure instanceof ElasticFailure && isMissing(failure)
      if (late || !(missing || (failure instanceof ElasticFailure && isPassing(failure)))) throw failure
      if (missing) await options.prepare()
      await clock.sleep(pauseMs(tries), closing.signal)
    }
  }

  /** `left`: changes that have to be made again, on what another process wrote, or because of the failure. */
  async function writeOnce(all: readonly Waiting<C>[]): Promise<{ left: Waiting<C>[]; failure: unknown }> {
    const byIndex = Map.groupBy(all, ({ index }) => index)
    await load(known.filter((one, index) => one.stale && byIndex.has(index)))
    const next = known.map((one, index) => applied(one, byIndex.get(index) ?? []))
    const again = new Set(lost())
    const [written, same] = split(next, ({ one, content }) => content !== one.content || again.has(one))
    for (const { done } of same) done()
    const left: Waiting<C>[] = []
    let failure: unknown = null
    const outcomes = await requests.put(written.map(({ one, content }) => [one, content]))
    for (const [at, { changes, done }] of written.entries()) {
      const outcome = outcomes[at]
      if (outcome === 'written') done()
      else left.push(...changes)
      if (outcome instanceof ElasticFailure) failure = outcome
    }
    return { left, failure }
  }

  const sync = coalesced(() => exclusively(readChanged))

  return {
    contents: () => known.map(({ content }) => content),
    content: (index) => known[index]?.content ?? empty,
    async sync() {
      await sync().catch((error: unknown) => {
        throw toServiceError(error)
      })
    },
    change<T>(index: number, change: Change<C, T>): Promise<T> {
      const { promise, resolve, reject } = Promise.withResolvers<T>()
      waiting.push({ index, change, resolve: resolve as (result: unknown) => void, reject })
      void write()
      return promise
    },
    close() {
      closing.abort(new ServiceError('SHUTTING_DOWN', 'the store is closed'))
    },
  }
}

type Outcome = 'written' | 'conflict' | ElasticFailure

/** What is asked of Elasticsearch for documents of one index. */
function createRequests(elastic: Elastic, index: string, signal: AbortSignal) {
  return {
    async get<C>(wanted: readonly Known<C>[], source: boolean): Promise<readonly GotDocument[]> {
      const body = { ids: wanted.map(({ id }) => id) }
      const request = { method: 'POST', path: `/${index}/_mget`, query: { _source: source }, body, signal }
      try {
        const { docs } = await elastic.request<{ docs: readonly GotDocument[] }>(request)
        const error = docs.find((one) => one.error !== undefined)?.error
        if (error !== undefined) throw new ElasticFailure(statusOf(error.type), error.type, error.reason)
        return docs
      } catch (error) {
        if (!(error instanceof ElasticFailure && isMissing(error))) throw error
        return wanted.map(({ id }) => ({ _id: id, found: false, _seq_no: 0, _primary_term: 0 }))
      }
    },

    async put<C extends object>(writes: readonly (readonly [Known<C>, C])[]): Promise<readonly Outcome[]> {
      if (writes.length === 0) return []
      const lines = await Promise.all(writes.map(async ([one, content]) => linesOf(one, await pack(content))))
      const { items } = await elastic.request<{ items: readonly Record<string, BulkItem>[] }>({
        method: 'POST',
        path: `/${index}/_bulk`,
        lines: Buffer.from(lines.join('')),
        signal,
      })
      return writes.map(([one, content], at) => outcomeOf(one, content, Object.values(items[at] ?? {})[0]))
    },
  }
}

function outcomeOf<C>(one: Known<C>, content: C, item: BulkItem | undefined): Outcome {
  if (item === undefined) return new ElasticFailure(0, 'unreadable', 'a bulk was answered without its items')
  const { status, error } = item
  one.stale = status >= 300
  if (status === 409) return 'conflict'
  if (error !== undefined) return new ElasticFailure(status, error.type, error.reason)
  one.content = content
  one.version = versionOf(item)
  return 'written'
}

interface Version {
  readonly seqNo: number
  readonly term: number
}

function versionOf({
  _seq_no: seqNo,
  _primary_term: term,
}: Pick<GotDocument, '_seq_no' | '_primary_term'>): Version {
  return { seqNo, term }
}

/** Runs one after the other. */
function createQueue(): <T>(run: () => Promise<T>) => Promise<T> {
  let last: Promise<unknown> = Promise.resolve()
  return (run) => {
    const next = last.then(run)
    last = next.catch(() => undefined)
    return next
  }
}

function applied<C>(
  one: Known<C>,
  changes: readonly Waiting<C>[],
): { one: Known<C>; content: C; changes: readonly Waiting<C>[]; done: () => void } {
  let content = one.content
  const results: unknown[] = []
  for (const { change } of changes) {
    const after = change(content)
    content = after.content
    results.push(after.result)
  }
  const done = () => {
    for (const [at, { resolve }] of changes.entries()) resolve(results[at])
  }
  return { one, content, changes, done }
}

function linesOf<C>({ id, version }: Known<C>, document: object): string {
  const meta =
    version === null
      ? { create: { _id: id } }
      : { index: { _id: id, if_seq_no: version.seqNo, if_primary_term: version.term } }
  return `${JSON.stringify(meta)}\n${JSON.stringify(document)}\n`
}

function isOther<C>({ version }: Known<C>, got: GotDocument | undefined): boolean {
  if (got?.found !== true) return version !== null
  const { seqNo, term } = versionOf(got)
  return version?.seqNo !== seqNo || version.term !== term
}

function statusOf(type: string): number {
  return type === 'index_not_found_exception' ? 404 : 503
}

function markStale<C>(one: Known<C> | undefined): void {
  if (one !== undefined) one.stale = true
}

/** A function whose calls share the next run that begins after them. */
export function coalesced(run: () => Promise<void>): () => Promise<void> {
  let running: Promise<void> | null = null
  let next: Promise<void> | null = null
  return () => {
    if (next !== null) return next
    if (running === null) {
      running = run().finally(() => (running = null))
      return running
    }
    next = running
      .catch(() => undefined)
      .then(() => {
        next = null
        running = run().finally(() => (running = null))
        return running
      })
    return next
  }
}
