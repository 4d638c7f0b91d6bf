/** Where records lie: one index for each site, retention class and time slot. */
export interface SlotName {
  readonly site: string
  readonly class: string
  /** Start of the slot, ms since 1970; OLDER_SLOT_MS: everything that is too old for a slot of its own. */
  readonly slotMs: number
}

/** Start of the slot of what is older than any other slot. */
export const OLDER_SLOT_MS = -8.64e15

/** Names of indices that hold a slot each. */
export interface SlotNames {
  /** Pattern of all of them, to search in. */
  readonly all: string
  /** Name of an index; at most 255 bytes. */
  index(slot: SlotName): string
  /** The alias that it is written through: nothing but ensureSlot makes an index. */
  alias(index: string): string
  /** What an index holds; null: it is none of ours. */
  parse(index: string): SlotName | null
}

/** Every name that a store of records uses inside Elasticsearch. */
export interface Names extends SlotNames {
  /** Index of the ledger documents. */
  readonly ledger: string
  /** Names of the index templates. */
  readonly logsTemplate: string
  readonly ledgerTemplate: string
}

/** Elasticsearch takes no longer names; the prefix, the slot and `-write` need some of it. */
const PART_BYTES_MAX = 100
const OLDER = 'older'

export function createNames(prefix: string): Names {
  return {
    ...createSlotNames(`${prefix}-logs-`),
    ledger: `${prefix}-ledger`,
    logsTemplate: `${prefix}-logs`,
    ledgerTemplate: `${prefix}-ledger`,
  }
}

/** `start`: what every name begins with. */
export function createSlotNames(start: string): SlotNames {
  return {
    all: `${start}*`,
    // The class has no hyphen after escaping, so that site and class are told apart.
    index: (slot) => `${start}${escaped(slot.site)}-${escaped(slot.class, '-')}-${slotText(slot.slotMs)}`,
    alias: (index) => `${index}-write`,
    parse(index) {
      if (!index.startsWith(start)) return null
      const found = /^(.*)-([^-]+)-([^-]+)$/.exec(index.slice(start.length))
      const [, site, its, slot] = found ?? []
      if (site === undefined || its === undefined || slot === undefined) return null
      const slotMs = parseSlot(slot)
      return slotMs === null ? null : { site: unescaped(site), class: unescaped(its), slotMs }
    },
  }
}

/** Letters that an index name cannot have, or that would be ambiguous, as `~` and the hex digits of their UTF-8. */
function escaped(text: string, also = ''): string {
  let out = ''
  for (const char of text) out += /[a-z0-9_.-]/.test(char) && !also.includes(char) ? char : hexOf(char)
  if (out.length > PART_BYTES_MAX) throw new Error(`a name is too long for an index: ${text.slice(0, 80)}`)
  return out
}

function hexOf(char: string): string {
  return [...Buffer.from(char)].map((byte) => `~${byte.toString(16).padStart(2, '0')}`).join('')
}

function unescaped(text: string): string {
  const bytes = text.replaceAll(/~([0-9a-f]{2})/g, (_, hex: string) =>
    String.fromCharCode(Number.parseInt(hex, 16)),
  )
  return Buffer.from(bytes, 'latin1').toString('utf8')
}

/** `20261121t0300z`, with seconds where it starts between two minutes. */
function slotText(slotMs: number): string {
  if (slotMs === OLDER_SLOT_MS) return OLDER
  const iso = new Date(slotMs).toISOString()
  const time = iso
    .replace(/\.\d+Z$/, '')
    .replaceAll(/[:+]|(?<=\d)-/g, '')
    .toLowerCase()
  return `${time.endsWith('00') ? time.slice(0, -2) : time}z`.replace(/^-/, 'bc')
}

function parseSlot(text: string): number | null {
  if (text === OLDER) return OLDER_SLOT_MS
  const found = /^(bc)?(\d{4,6})(\d{2})(\d{2})t(\d{2})(\d{2})(\d{2})?z$/.exec(text)
  if (found === null) return null
  const [, before, year = '', month, day, hour, minute, second = '00'] = found
  const years =
    before === undefined && year.length === 4 ? year : `${before ? '-' : '+'}${year.padStart(6, '0')}`
  const slotMs = Date.parse(`${years}-${month}-${day}T${hour}:${minute}:${second}Z`)
  return Number.isNaN(slotMs) ? null : slotMs
}
