import type { z } from 'zod'
import { parseAnswer } from './answers.ts'
import type { ShownMeta } from './answers.ts'
import type { Client, Parameters } from './client.ts'
import { completenessRemark } from './completeness.ts'
import { pointingAt } from './questions.ts'
import { EXIT } from './terminal.ts'
import type { ExitCode, Terminal } from './terminal.ts'

export interface Question<T> {
  readonly path: string
  readonly parameters: Parameters
  readonly schema: z.ZodType<T>
}

/** The answer of the node. A refused query is shown with a mark under the place; an answer of another shape is UNREACHABLE. */
export async function ask<T>(
  client: Client,
  { path, parameters, schema }: Question<T>,
  signal: AbortSignal,
): Promise<T> {
  const asked = client.get(path, parameters, signal).catch((error: unknown) => {
    throw pointingAt(parameters['q'] ?? '', error)
  })
  return parseAnswer(schema, await asked, client.url)
}

/** The last word of every answer: what is missing from it, on standard error and as exit code. */
export function conclude({ stderr, clock }: Terminal, { sites, complete }: ShownMeta): ExitCode {
  stderr.write(`${completenessRemark(sites, clock.nowMs())}\n`)
  return complete ? EXIT.complete : EXIT.incomplete
}
