import { z } from 'zod'
import { failureTable } from '../core/errors.ts'
import type { RouteRole } from './access/roles.ts'
import { problemSchema } from './problem.ts'

/** A route as it was registered: what the document is built from. */
export interface RouteFacts {
  readonly method: string
  /** As Fastify writes it: `/v1/collectors/:collector/retire`. */
  readonly url: string
  /** Undefined is a mistake: such a route is open to nobody. */
  readonly role: RouteRole | undefined
  readonly summary: string
  readonly description?: string | undefined
  readonly produces?: readonly string[] | undefined
  readonly consumes?: string | undefined
  readonly params?: z.ZodType | undefined
  readonly query?: z.ZodType | undefined
  readonly body?: z.ZodType | undefined
  readonly responses: Readonly<Record<string, z.ZodType>>
}

type Json = Readonly<Record<string, unknown>>

/** The OpenAPI 3.1 document of the routes; `x-role` of an operation is the role that it asks for. */
export function openApiDocument(routes: readonly RouteFacts[], version: string) {
  const paths: Record<string, Record<string, Json>> = {}
  for (const route of routes) {
    const path = route.url.replaceAll(/:(\w+)/g, '{$1}').replace('*', '{file}')
    paths[path] = { ...paths[path], [route.method.toLowerCase()]: operation(route) }
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'Noctule',
      version,
      description: 'Logs of many data centres; every answer says what is missing from it.',
    },
    paths,
    components: {
      schemas: { Problem: jsonSchema(problemSchema) },
      responses: {
        Problem: {
          description: `RFC 9457 problem. Codes: ${failureTable()
            .map(({ code }) => code)
            .join(', ')}.`,
          content: { 'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } } },
        },
      },
      securitySchemes: {
        token: { type: 'http', scheme: 'bearer' },
        session: { type: 'apiKey', in: 'cookie', name: 'noctule_session' },
      },
    },
  }
}

export type OpenApiDocument = ReturnType<typeof openApiDocument>

function operation(route: RouteFacts): Json {
  const parameters = [...parametersOf('path', route.params), ...parametersOf('query', route.query)]
  return {
    summary: route.summary,
    ...(route.description === undefined ? {} : { description: route.description }),
    'x-role': route.role,
    security: route.role === 'public' ? [] : [{ token: [] }, { session: [] }],
    ...(parameters.length > 0 ? { parameters } : {}),
    ...(route.body === undefined
      ? {}
      : {
          requestBody: {
            required: true,
            content: { [route.consumes ?? 'application/json']: { schema: jsonSchema(route.body) } },
          },
        }),
    responses: {
      ...Object.fromEntries(
        Object.entries(route.responses).map(([status, schema]) => [status, response(route, status, schema)]),
      ),
      default: { $ref: '#/components/responses/Problem' },
    },
  }
}

function response({ produces = ['application/json'] }: RouteFacts, status: string, schema: z.ZodType): Json {
  const description = schema.description ?? (status === '204' ? 'Done.' : 'The answer.')
  if (status === '204') return { description }
  const content = produces.map((type) => [
    type,
    type === 'application/json' ? { schema: jsonSchema(schema) } : {},
  ])
  return { description, content: Object.fromEntries(content) }
}

function parametersOf(where: 'path' | 'query', schema: z.ZodType | undefined): readonly Json[] {
  if (schema === undefined) return []
  const { properties = {}, required = [] } = jsonSchema(schema) as {
    properties?: Record<string, Json>
    required?: readonly string[]
  }
  return Object.entries(properties).map(([name, { description, ...rest }]) => ({
    name,
    in: where,
    required: required.includes(name),
    ...(description === undefined ? {} : { description }),
    schema: rest,
  }))
}

function jsonSchema(schema: z.ZodType): Json {
  const { $schema: _, ...rest } = z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' })
  return rest
}
