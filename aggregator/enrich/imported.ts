import { ServiceError } from '../../core/errors.ts'
import { patternId } from '../../core/patterns/pattern.ts'
import type { AttrScalar, LogRecord } from '../../core/record.ts'
import { attrsOf, createDraft, putAttr, setAttr } from './draft.ts'
import { createSink, takeField } from './fields.ts'
import { parseObject, takeContainer, takeFields } from './json.ts'

export interface ImportContext {
  readonly site: string
  readonly ingestedMs: number
  readonly id: string
}

/** Fields that a log line cannot set, but an imported record can. */
interface OwnFields {
  host: string
  tier: string
  path: string
  offset: number | null
}

const TEXT_KEYS: ReadonlyMap<string, 'host' | 'tier' | 'path'> = new Map([
  ['host', 'host'],
  ['host.name', 'host'],
  ['tier', 'tier'],
  ['path', 'path'],
  ['log.file.path', 'path'],
])
const OFFSET_KEYS = new Set(['offset', 'log.offset'])
/** Given by this node whatever the record says; what it says is kept as `<name>_claimed` when it differs. */
const GIVEN_KEYS: ReadonlyMap<string, string> = new Map([
  ['site', 'site'],
  ['id', 'id'],
  ['event.id', 'id'],
  ['ingested', 'ingested'],
  ['event.ingested', 'ingested'],
  ['pattern', 'pattern'],
  ['pattern.id', 'pattern'],
])

/**
 * A JSON object with short names (`time`, `message`, …) or those of the Elastic Common Schema, nested or dotted → its record.
 * Times without a zone are UTC. Throws BAD_REQUEST that says why it is no record.
 */
export function enrichImported(line: string, { site, ingestedMs, id }: ImportContext): LogRecord {
  const object = parseObject(line)
  if (object === null) throw refused('not a JSON object')
  const draft = createDraft('')
  const sink = createSink(draft, { utcOffsetMin: 0, readAtMs: ingestedMs })
  const own: OwnFields = { host: '', tier: '', path: '', offset: null }
  const claimed = new Map<string, AttrScalar>()
  const { attrs, ...others } = object
  takeFields(draft, '', others, 1, (key, value) => {
    const given = GIVEN_KEYS.get(key)
    if (given !== undefined) claimed.set(given, value)
    else if (!takeOwn(own, key, value)) takeField(sink, key, value)
  })
  takeContainer(draft, '', attrs, 0, (key, value) => putAttr(draft, key === '' ? 'attrs' : key, value))
  if (sink.held.time === undefined) throw refused('it has no time, or one that is not understood')
  if (draft.timeMs === null) throw refused('its time is not between 1970 and 9999')
  if (sink.held.message === undefined) throw refused('it has no message')
  const pattern = patternId(draft.message)
  const given = new Map(Object.entries({ site, id, pattern }))
  for (const [name, value] of claimed) if (value !== given.get(name)) setAttr(draft, `${name}_claimed`, value)
  const { timeMs, message, level, service, version, trace, status, latencyMs, bytes } = draft
  const said = { timeMs, message, level, service, version, trace, status, latencyMs, bytes }
  return { id, ingestedMs, site, pattern, ...own, ...said, attrs: attrsOf(draft, line) }
}

function takeOwn(own: OwnFields, key: string, value: AttrScalar): boolean {
  const name = TEXT_KEYS.get(key)
  if (name !== undefined && typeof value !== 'boolean' && own[name] === '') {
    own[name] = name === 'tier' ? String(value).toLowerCase() : String(value)
    return true
  }
  if (!OFFSET_KEYS.has(key) || typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0)
    return false
  own.offset = value
  return true
}

function refused(why: string): ServiceError {
  return new ServiceError('BAD_REQUEST', `the line is no record: ${why}`)
}
