import { failureTable } from '../core/errors.ts'
import { escapeHtml, htmlPage } from './html.ts'
import type { OpenApiDocument } from './openapi.ts'

/** A parameter, a body or an answer of an operation. */
interface Part {
  readonly name: string
  readonly what: string
  readonly description: string
}

/** An operation as both reference pages show it. */
export interface Operation {
  readonly method: string
  readonly path: string
  readonly role: string
  readonly summary: string
  readonly description: string
  readonly parts: readonly Part[]
}

interface Schema {
  readonly type?: string
  readonly anyOf?: readonly Schema[]
  readonly enum?: readonly unknown[]
  readonly default?: string | number
  readonly minimum?: number
  readonly maximum?: number
  readonly description?: string
  readonly properties?: Readonly<Record<string, unknown>>
}

interface RawOperation {
  readonly 'x-role': string
  readonly summary: string
  readonly description?: string
  readonly parameters?: readonly { name: string; in: string; description?: string; schema: Schema }[]
  readonly requestBody?: { readonly content: Readonly<Record<string, { schema: Schema }>> }
  readonly responses: Readonly<
    Record<string, { description?: string; content?: Readonly<Record<string, { schema?: Schema }>> }>
  >
}

/** The operations of the document, in the order of the paths. */
export function operationsOf({ paths }: OpenApiDocument): readonly Operation[] {
  return Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods as unknown as Record<string, RawOperation>).map(([method, raw]) => ({
      method: method.toUpperCase(),
      path,
      role: raw['x-role'],
      summary: raw.summary,
      description: raw.description ?? '',
      parts: [...parameterParts(raw), ...bodyParts(raw), ...answerParts(raw)],
    })),
  )
}

/** The document as one page, without anything from outside. */
export function referencePage(document: OpenApiDocument): string {
  const operations = operationsOf(document)
    .map(
      ({ method, path, role, summary, description, parts }) =>
        `<h2><span class="role">${role}</span><b>${method}</b> <code>${escapeHtml(path)}</code></h2>
<p>${prose(summary)}</p>${description === '' ? '' : `\n<p>${prose(description)}</p>`}
<table>${parts.map(({ name, what, description }) => row([`<code>${escapeHtml(name)}</code>`, escapeHtml(what), prose(description)])).join('')}</table>`,
    )
    .join('\n')
  const failures = failureTable()
    .map(
      ({ code, status, retryable, meaning }) =>
        `<tr id="${code}"><td><code>${code}</code></td><td>${status}</td><td>${retryable ? 'retry later' : ''}</td><td>${prose(meaning)}</td></tr>`,
    )
    .join('\n')
  const body = `<h1>Noctule HTTP API ${escapeHtml(document.info.version)}</h1>
<p>${prose(document.info.description)} The same as a document for programs: <a href="/openapi.json">openapi.json</a>.</p>
${operations}
<h2>Errors</h2>
<table>${failures}</table>`
  return htmlPage('Noctule HTTP API', body)
}

const row = (cells: readonly string[]) => `<tr>${cells.map((cell) => `<td>${cell}</td>`).join('')}</tr>`

/** Text with its `code` marked up. */
const prose = (text: string) => escapeHtml(text).replaceAll(/`([^`]+)`/g, '<code>$1</code>')

function parameterParts({ parameters = [] }: RawOperation): Part[] {
  return parameters.map(({ name, in: where, description = '', schema }) => ({
    name,
    what: where === 'path' ? 'in the path' : typeOf(schema),
    description,
  }))
}

function typeOf({ type, anyOf, enum: values, default: byDefault, minimum, maximum }: Schema): string {
  const types = type ?? anyOf?.map((one) => one.type).join(' or ') ?? 'any'
  const kind = values === undefined ? types : values.join(', ')
  const bounds = minimum === undefined || maximum === undefined ? '' : `, ${minimum} to ${maximum}`
  return `${kind}${bounds}${byDefault === undefined || byDefault === '' ? '' : `, default ${byDefault}`}`
}

function bodyParts({ requestBody }: RawOperation): Part[] {
  return Object.entries(requestBody?.content ?? {}).map(([type, { schema }]) => ({
    name: 'body',
    what: type,
    description: schema.description ?? fieldsOf(schema),
  }))
}

function answerParts({ responses }: RawOperation): Part[] {
  return Object.entries(responses)
    .filter(([status]) => status !== 'default')
    .map(([status, { description = '', content = {} }]) => ({
      name: status,
      what: Object.keys(content).join(', '),
      description: fieldsOf(content['application/json']?.schema) || description,
    }))
}

const fieldsOf = ({ properties = {} }: Schema = {}) =>
  Object.keys(properties)
    .map((name) => `\`${name}\``)
    .join(', ')
