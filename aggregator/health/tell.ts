import { orAborted } from '../../core/abort.ts'
import { messageOf } from '../../core/errors.ts'
import type { Clock, Logger, RecordImport } from '../../core/ports.ts'
import type { HostChange } from './board.ts'

/** Changes that wait for the store; of more the oldest are dropped, and that is logged. */
export const TOLD_WAITING_MAX = 10_000
const TELL_WITHIN_MS = 10_000
const RETRY_AFTER_MS = 5_000
/** Longer than it takes until another process does what one that died cannot do any more. */
const OTHERS_TELL_WITHIN_MS = 30_000
const SERVICE = 'noctule'

export interface TellerOptions {
  readonly recordImport: RecordImport
  /** False: another process, which hears the same, keeps the changes of this site. */
  readonly tells: (site: string) => boolean
  readonly clock: Clock
  readonly log: Logger
}

/** Keeps changes of hosts as records. A store that fails gets them again; nothing waits for it. */
export interface Teller {
  tell(changes: readonly HostChange[]): void
  /** Waits until everything is told, or the signal aborts. */
  stop(signal: AbortSignal): Promise<void>
}

export function createTeller({ recordImport, tells, clock, log }: TellerOptions): Teller {
  let waiting: HostChange[] = []
  let running: Promise<void> | null = null
  let notBeforeMs = -Infinity

  function enqueue(changes: readonly HostChange[]) {
    waiting.push(...changes)
    const tooMany = waiting.length - TOLD_WAITING_MAX
    if (tooMany <= 0) return
    waiting = waiting.slice(tooMany)
    log.error({ dropped: tooMany }, 'changes of hosts are not kept as records: the store does not take them')
  }

  /** What another process tells waits here for a while, in case that this process takes its place. */
  function forgetOthers() {
    const told = (change: HostChange) => clock.nowMs() - change.atMs > OTHERS_TELL_WITHIN_MS
    waiting = waiting.filter((change) => tells(change.site) || !told(change))
  }

  const ours = () => waiting.find(({ site }) => tells(site))

  /** A site at a time, oldest change first. */
  async function run() {
    for (let first = ours(); first !== undefined; first = ours()) {
      const { site } = first
      const told = waiting.filter((change) => change.site === site)
      await keep(site, told)
      const done = new Set(told)
      waiting = waiting.filter((change) => !done.has(change))
    }
  }

  async function keep(site: string, changes: readonly HostChange[]) {
    const deadline = new AbortController()
    const cancel = clock.after(TELL_WITHIN_MS, () => deadline.abort(new Error('the store takes too long')))
    const ndjson = Buffer.from(changes.map((change) => `${JSON.stringify(recordOf(change))}\n`).join(''))
    try {
      const work = recordImport.import(only(ndjson), { site, sender: SERVICE }, deadline.signal)
      await orAborted(work, deadline.signal)
    } finally {
      cancel()
    }
  }

  function begin() {
    forgetOthers()
    if (running !== null || ours() === undefined || clock.monotonicMs() < notBeforeMs) return
    running = run()
      .catch((error: unknown) => {
        notBeforeMs = clock.monotonicMs() + RETRY_AFTER_MS
        log.warn(
          { waiting: waiting.length, error: messageOf(error) },
          'changes of hosts could not be kept as records; they are tried again',
        )
      })
      .finally(() => {
        running = null
      })
  }

  return {
    tell(changes) {
      if (changes.length > 0) enqueue(changes)
      begin()
    },
    async stop(signal) {
      notBeforeMs = -Infinity
      begin()
      await orAborted(running ?? Promise.resolve(), signal).catch(() => undefined)
    },
  }
}

async function* only(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes
}

/** The record of a change, found by `event.kind:state`. */
function recordOf({ host, tier, state, before, atMs, unheardMs }: HostChange): object {
  const lost = state === 'silent' || state === 'missing'
  const event = { kind: 'state', what: 'host', name: host, state, before, tier }
  return {
    time: new Date(atMs).toISOString(),
    level: lost ? 'error' : 'info',
    service: SERVICE,
    host,
    tier,
    message: sentence(host, state, unheardMs),
    attrs: { event },
  }
}

function sentence(host: string, state: HostChange['state'], unheardMs: number | null): string {
  if (state === 'missing') return `host ${host} is missing: it is expected and was never heard`
  const seconds = unheardMs === null ? '' : ` for ${(unheardMs / 1_000).toFixed(1)} s`
  if (state === 'silent') return `host ${host} is silent: nothing heard${seconds}`
  return `host ${host} is back${unheardMs === null ? '' : `: it was not heard${seconds}`}, its checks are ${state}`
}
