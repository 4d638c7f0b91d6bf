import type {
  FastifyBaseLogger,
  FastifyInstance,
  FastifySchemaCompiler,
  FastifySerializerCompiler,
  FastifyTypeProvider,
  RawReplyDefaultExpression,
  RawRequestDefaultExpression,
  RawServerDefault,
} from 'fastify'
import { z } from 'zod'
import { ServiceError } from '../core/errors.ts'
import type { Principal } from './access/access.ts'
import type { RouteRole } from './access/roles.ts'

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Who may use the route. */
    role?: RouteRole
    /** Media types that it answers with, when not JSON alone. */
    produces?: readonly string[]
    /** Media type of its body, when not JSON. */
    consumes?: string
  }
  interface FastifySchema {
    summary?: string
    description?: string
  }
  interface FastifyRequest {
    /** Who asks; null on public routes. */
    principal: Principal | null
  }
}

/** Types of requests and answers come from the zod schemas of the route. */
export interface ZodTypeProvider extends FastifyTypeProvider {
  validator: this['schema'] extends z.ZodType ? z.output<this['schema']> : unknown
  serializer: this['schema'] extends z.ZodType ? z.input<this['schema']> : unknown
}

/** Fastify, typed by zod. Routes are functions that add themselves to one. */
export type App = FastifyInstance<
  RawServerDefault,
  RawRequestDefaultExpression,
  RawReplyDefaultExpression,
  FastifyBaseLogger,
  ZodTypeProvider
>

/** Checks what comes in: a wrong value is a BAD_REQUEST that names its parameter. */
export const validatorCompiler: FastifySchemaCompiler<unknown> = ({ schema, httpPart }) => {
  if (!(schema instanceof z.ZodType)) throw new TypeError(`the ${httpPart} schema of a route is not zod`)
  return (data: unknown) => {
    const parsed = schema.safeParse(data)
    return parsed.success ? { value: parsed.data } : { error: badRequest(parsed.error) }
  }
}

/** What goes out was typed by the compiler and comes from inside, so it is written as it is. */
export const serializerCompiler: FastifySerializerCompiler<unknown> = () => (data) => JSON.stringify(data)

function badRequest(error: z.ZodError): ServiceError {
  const problems = error.issues.map((issue) => {
    const at = issue.path.map(String).join('.')
    return at === '' ? issue.message : `${at}: ${issue.message}`
  })
  return new ServiceError('BAD_REQUEST', problems.join('; '), {}, error)
}
