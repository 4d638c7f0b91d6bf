import type { Clock, Logger } from '../../core/ports.ts'
import type { LogRecord } from '../../core/record.ts'
import { createClassifier, isExpired, purgeAtMs, slotMsOf, slotOf } from '../../core/retention.ts'
import type { Retention, RetentionClass } from '../../core/retention.ts'
import type { Elastic } from './elastic.ts'
import { ElasticFailure } from './failures.ts'
import { OLDER_SLOT_MS } from './names.ts'
import type { SlotName, SlotNames } from './names.ts'

/** What is kept for ever has no slot of its own when it comes this late: odd times must not make an index a day. */
const OLDER_AFTER_MS = 30 * 86_400_000

/** Where records belong, and when they have to go. */
export interface Policies {
  readonly classes: readonly RetentionClass[]
  readonly bytesMax: number | null
  /** null: it is too old to be kept. */
  place(record: LogRecord, nowMs: number): { readonly class: string; readonly slotMs: number } | null
  classOf(record: LogRecord): string
  /** End of a slot. */
  slotEndMs(slot: Pick<SlotName, 'class' | 'slotMs'>): number
  /** When it has to be gone. A class that is no longer configured is kept as long as the last one. */
  purgeAtMs(slot: Pick<SlotName, 'class' | 'slotMs'>): number
}

export function createPolicies(retention: Retention): Policies {
  const { classes, bytesMax } = retention
  const slotsMs = classes.map(slotMsOf)
  const classify = createClassifier(retention)
  const last = classes.at(-1)
  if (last === undefined) throw new Error('a retention policy has at least one class')
  const named = (name: string) => classes.find((one) => one.name === name) ?? last
  return {
    classes,
    bytesMax,
    place(record, nowMs) {
      const index = classify(record)
      const its = classes[index] ?? last
      if (isExpired(record, its, nowMs)) return null
      const agedMs = Math.min(record.timeMs, record.ingestedMs)
      const older = its.maxAgeMs === Infinity && agedMs < record.ingestedMs - OLDER_AFTER_MS
      return { class: its.name, slotMs: older ? OLDER_SLOT_MS : slotOf(record, slotsMs[index] ?? 1) }
    },
    classOf: (record) => (classes[classify(record)] ?? last).name,
    slotEndMs({ class: its, slotMs }) {
      return slotMs === OLDER_SLOT_MS ? -OLDER_SLOT_MS : slotMs + slotMsOf(named(its))
    },
    purgeAtMs({ class: its, slotMs }) {
      return purgeAtMs(slotMs, named(its))
    },
  }
}

/** The indices of the store. */
export interface Slots {
  /** Makes the index of a slot unless it is there. Returns its name. */
  ensure(slot: SlotName): Promise<string>
  /** It is not there any more, or not as it should be: the next `ensure` asks again. */
  forget(index: string): void
  /** Reads which indices there are. */
  list(): Promise<readonly string[]>
  /** Those that retention says are gone already: no answer may show them. */
  hidden(): readonly string[]
  /** Deletes an index; nothing happens when it is gone. */
  remove(index: string): Promise<void>
}

interface SlotsOptions {
  readonly elastic: Elastic
  readonly names: SlotNames
  readonly policies: Pick<Policies, 'purgeAtMs'>
  readonly clock: Clock
  readonly log: Logger
}

export function createSlots({ elastic, names, policies, clock, log }: SlotsOptions): Slots {
  const known = new Map<string, SlotName>()
  const ensuring = new Map<string, Promise<void>>()

  async function make(index: string, slot: SlotName): Promise<void> {
    const body = { aliases: { [names.alias(index)]: { is_write_index: true } } }
    try {
      await elastic.request({ method: 'PUT', path: `/${encodeURIComponent(index)}`, body })
      log.info({ index }, 'made an index')
    } catch (error) {
      const exists = error instanceof ElasticFailure && error.type === 'resource_already_exists_exception'
      if (!exists) throw error
      await addAlias(index)
    }
    known.set(index, slot)
  }

  /** Somebody else made it; the alias is there unless a person took it away. */
  async function addAlias(index: string): Promise<void> {
    const alias = names.alias(index)
    const body = { actions: [{ add: { index, alias, is_write_index: true } }] }
    await elastic.request({ method: 'POST', path: '/_aliases', body })
  }

  return {
    async ensure(slot) {
      const index = names.index(slot)
      if (known.has(index)) return index
      const running = ensuring.get(index) ?? make(index, slot).finally(() => ensuring.delete(index))
      ensuring.set(index, running)
      await running
      return index
    },
    forget: (index) => known.delete(index),
    async list() {
      const query = {
        filter_path: '*.settings.index.uuid',
        flat_settings: false,
        expand_wildcards: 'open,hidden',
      }
      const path = `/${names.all}/_settings/index.uuid`
      const found = await elastic.request<object>({ method: 'GET', path, query })
      const indices = Object.keys(found).filter((index) => names.parse(index) !== null)
      for (const index of known.keys()) if (!indices.includes(index)) known.delete(index)
      for (const index of indices) {
        const slot = names.parse(index)
        if (slot !== null) known.set(index, slot)
      }
      return indices
    },
    hidden() {
      const nowMs = clock.nowMs()
      return [...known].flatMap(([index, slot]) => (policies.purgeAtMs(slot) <= nowMs ? index : []))
    },
    async remove(index) {
      const query = { ignore_unavailable: true }
      await elastic.request({ method: 'DELETE', path: `/${encodeURIComponent(index)}`, query })
      known.delete(index)
    },
  }
}
