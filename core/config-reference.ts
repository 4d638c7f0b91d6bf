import { z } from 'zod'
import { ENVIRONMENT, configSchema } from './config.ts'

type JsonSchema = Readonly<Record<string, unknown>>

interface KeyRow {
  readonly path: string
  readonly type: string
  readonly fallback: string
  readonly meaning: string
}

/** Values that differ from machine to machine and must not be written down as defaults. */
const MACHINE_DEFAULTS: Readonly<Record<string, string>> = { 'collector.host': "the machine's host name" }

/** The configuration reference as Markdown: every key with its type, default and meaning. */
export function configReference(): string {
  const rows = keyRows('', z.toJSONSchema(configSchema, { io: 'input' }))
  const variables = Object.entries(ENVIRONMENT).map(
    ([name, path]) => `| \`${name}\` | \`${path.join('.')}\` |`,
  )
  return [
    '# Configuration reference',
    '',
    'Generated from the schema in `core/config.ts` by `npm run docs`. One YAML file (`--config FILE`, by default `./noctule.yaml`',
    'when it is there), then the variables below. `noctule config check` names every wrong key or value;',
    '`noctule config print` shows what is in force.',
    '',
    '| key | type | default | meaning |',
    '| --- | --- | --- | --- |',
    ...rows.map(
      ({ path, type, fallback, meaning }) => `| \`${path}\` | ${type} | ${fallback} | ${meaning} |`,
    ),
    '',
    '| variable | sets |',
    '| --- | --- |',
    ...variables,
    '',
  ].join('\n')
}

function keyRows(prefix: string, schema: JsonSchema): KeyRow[] {
  const properties = (schema['properties'] ?? {}) as Readonly<Record<string, JsonSchema>>
  const required = (schema['required'] ?? []) as readonly string[]
  return Object.entries(properties).flatMap(([key, property]) => {
    const path = prefix === '' ? key : `${prefix}.${key}`
    const items = property['items'] as JsonSchema | undefined
    const below = items === undefined ? keyRows(path, property) : keyRows(`${path}[]`, items)
    const isLeaf = below.length === 0 || items !== undefined
    const own = {
      path,
      type: typeOf(property),
      fallback: fallbackOf(path, property, required.includes(key)),
      meaning: meaningOf(property),
    }
    return isLeaf || own.meaning !== ''
      ? [isLeaf ? own : { ...own, type: 'section', fallback: '' }, ...below]
      : below
  })
}

function typeOf(schema: JsonSchema): string {
  if (Array.isArray(schema['enum'])) return schema['enum'].map((value) => `\`${String(value)}\``).join(', ')
  if (schema['type'] === 'array') return `list of ${typeOf((schema['items'] ?? {}) as JsonSchema)}`
  if (
    schema['type'] === 'object' &&
    schema['additionalProperties'] !== undefined &&
    schema['properties'] === undefined
  )
    return 'mapping'
  const { minimum, exclusiveMinimum, maximum } = schema as Readonly<Record<string, number | undefined>>
  const low = minimum ?? (exclusiveMinimum === undefined ? undefined : exclusiveMinimum + 1)
  const bounded = maximum !== undefined && maximum < Number.MAX_SAFE_INTEGER
  if (schema['type'] === 'integer')
    return bounded ? `whole number ${low}–${maximum}` : `whole number from ${low}`
  return typeof schema['type'] === 'string' ? schema['type'] : 'any'
}

function fallbackOf(path: string, schema: JsonSchema, required: boolean): string {
  const machine = MACHINE_DEFAULTS[path]
  if (machine !== undefined) return machine
  if (schema['default'] === undefined) return required ? 'required' : '–'
  return `\`${JSON.stringify(schema['default'])}\``
}

const meaningOf = (schema: JsonSchema) =>
  typeof schema['description'] === 'string' ? schema['description'].replaceAll('|', '\\|') : ''
