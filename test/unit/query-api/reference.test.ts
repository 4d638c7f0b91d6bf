import { join } from 'node:path'
import { format, resolveConfig } from 'prettier'
import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { failureTable } from '../../../core/errors.ts'
import { metaSchema } from '../../../query-api/answers.ts'
import { openApiDocument } from '../../../query-api/openapi.ts'
import { operationsOf } from '../../../query-api/reference.ts'
import type { Operation } from '../../../query-api/reference.ts'
import { askable, bearer, createNode, fill } from './node.ts'

const REFERENCE = join(import.meta.dirname, '..', '..', '..', 'docs', 'reference')

/** Markdown as the formatter leaves it, so that the page is both checked and generated here. */
async function formatted(file: string, markdown: string): Promise<string> {
  const filepath = join(REFERENCE, file)
  return format(markdown, { ...(await resolveConfig(filepath)), filepath })
}

const cell = (text: string) => text.replaceAll('|', '\\|')
const row = (cells: readonly string[]) => `| ${cells.map(cell).join(' | ')} |`

function operationMarkdown({ method, path, role, summary, description, parts }: Operation): string {
  return [
    `## ${method} ${path}`,
    `${summary} ${description}`.trim(),
    `Role: ${role === 'public' ? 'none' : `\`${role}\``}.`,
    [
      '| name | what | meaning |',
      '| --- | --- | --- |',
      ...parts.map((part) => row([`\`${part.name}\``, part.what, part.description])),
    ].join('\n'),
  ].join('\n\n')
}

function httpApiMarkdown(operations: readonly Operation[]): string {
  return `# HTTP API

Made from the schemas of the routes: a test compares this page with them (\`npm run test:unit -- -u\` writes it anew). A running node
shows the same under \`/reference\`, and as an OpenAPI 3.1 document under \`/openapi.json\`.

Send \`Authorization: Bearer TOKEN\`, or the cookie of a session; a change with a cookie must come from a page of the node itself.
Roles: \`dashboard\`, \`search\` and \`admin\` each include the ones before; \`collector\` may only deliver batches and marks.
Failures are RFC 9457 problems, see [errors](errors.md). Closing the connection stops the work behind it.
Every query has an id, in \`meta.id\` and in the header \`x-query-id\`: \`DELETE /v1/queries/{id}\` cancels it.

## The envelope

Every answer to a query has a \`meta\`; a stream without it was cut off. \`sites\` says the same for each site, with \`status\`, \`holder\`,
\`gaps\` (at most 20) and \`gapsTotal\`.

| field | meaning |
| --- | --- |
${Object.entries(metaSchema.shape)
  .map(([name, schema]) => row([`\`${name}\``, schema.description ?? '']))
  .join('\n')}

${operations.map(operationMarkdown).join('\n\n')}
`
}

function errorsMarkdown(): string {
  const rows = failureTable().map(({ code, status, retryable, meaning }) =>
    row([`\`${code}\``, String(status), retryable ? 'yes' : 'no', meaning]),
  )
  return `# Errors

Made from \`core/errors.ts\`: a test compares this page with it (\`npm run test:unit -- -u\` writes it anew). Every failure is answered as a
problem (RFC 9457, \`application/problem+json\`): \`type\`, \`title\`, \`status\`, \`code\`, \`detail\`, \`retryable\`, \`details\`, and \`column\` where a
query is wrong. Decide by \`code\`. Answers with 429 and 503 carry \`Retry-After\` in seconds. Anything that is not in this table is a fault
of the program: status 500, code \`INTERNAL\`, and an \`errorId\` under which its log says more.

| code | status | retry later | meaning |
| --- | --- | --- | --- |
${rows.join('\n')}
`
}

describe('the documents', () => {
  test('docs/reference/http-api.md says what the routes say', async () => {
    const { app } = await createNode()
    const markdown = await formatted('http-api.md', httpApiMarkdown(operationsOf(app.openApi())))
    await expect(markdown).toMatchFileSnapshot(join(REFERENCE, 'http-api.md'))
  })

  test('docs/reference/errors.md says what core/errors.ts says', async () => {
    await expect(await formatted('errors.md', errorsMarkdown())).toMatchFileSnapshot(
      join(REFERENCE, 'errors.md'),
    )
  })

  test('the OpenAPI document lists every route with its role, a summary and what it answers', async () => {
    const { app, version } = await createNode()
    const document = (await app.inject({ url: '/openapi.json', headers: bearer('dashboard') })).json<
      ReturnType<typeof app.openApi>
    >()
    expect(document).toMatchObject({ openapi: '3.1.0', info: { title: 'Noctule', version: version.version } })
    const operations = operationsOf(document)
    const declared = app.routeFacts.map(({ method, url }) => `${method} ${url.replaceAll(/:(\w+)/g, '{$1}')}`)
    expect(operations.map(({ method, path }) => `${method} ${path}`).toSorted()).toEqual(declared.toSorted())
    expect(operations.filter(({ role, summary, parts }) => !role || !summary || parts.length === 0)).toEqual(
      [],
    )
  })

  test('a parameter stands in the document with its type, bounds, default and meaning', () => {
    const query = z.strictObject({
      limit: z.coerce.number().int().min(1).max(9).default(5).describe('How many.'),
    })
    const params = z.strictObject({ name: z.string() })
    const facts = {
      method: 'GET',
      url: '/x/:name',
      role: 'search',
      summary: 'X.',
      params,
      query,
      responses: {},
    } as const
    expect(openApiDocument([facts], '1').paths['/x/{name}']?.['get']).toMatchObject({
      'x-role': 'search',
      security: [{ token: [] }, { session: [] }],
      parameters: [
        { name: 'name', in: 'path', required: true, schema: { type: 'string' } },
        {
          name: 'limit',
          in: 'query',
          required: false,
          description: 'How many.',
          schema: { type: 'integer', minimum: 1, maximum: 9, default: 5 },
        },
      ],
      responses: { default: { $ref: '#/components/responses/Problem' } },
    })
  })

  test('answers are what their schemas say', async () => {
    const { app, store } = await createNode()
    const records = await fill(store, [
      { pattern: 'p1', latencyMs: 3, attrs: { a: 1, b: ['x'], time: 'noon' } },
      { level: 'error' },
    ])
    const checked: string[] = []
    for (const { method, url, responses, role } of app.routeFacts) {
      const schema = responses['200']
      if (method !== 'GET' || schema === undefined || url === '/v1/tail') continue
      const response = await app.inject({
        url: askable(url, records[0]?.id),
        ...(role === 'public' ? {} : { headers: bearer('admin') }),
      })
      const isJson = String(response.headers['content-type']).startsWith('application/json')
      const body: unknown = isJson ? response.json() : response.body
      // Parsing drops what a schema does not know: the answer holds nothing else.
      expect({ url, body: schema.parse(body) }).toEqual({ url, body })
      checked.push(url)
    }
    expect(checked.length).toBeGreaterThan(20)
  })

  test('the reference page shows every route and every code, without anything from outside', async () => {
    const { app } = await createNode()
    const page = await app.inject({ url: '/reference', headers: bearer('dashboard') })
    expect(page.headers['content-type']).toBe('text/html; charset=utf-8')
    expect(failureTable().filter(({ code }) => !page.body.includes(`id="${code}"`))).toEqual([])
    expect(
      operationsOf(app.openApi()).filter(({ path }) => !page.body.includes(`<code>${path}</code>`)),
    ).toEqual([])
    expect(page.body).not.toMatch(/<script|<link|src=|https?:/)
  })
})
