import { z } from 'zod'
import { ServiceError } from '../core/errors.ts'

/** Orders of a listing, by (time, id). */
export const ORDERS = ['newest', 'oldest'] as const

const cursorSchema = z.object({
  /** The moment that `now` meant when the first page was asked for. */
  nowMs: z.number(),
  fromMs: z.number(),
  toMs: z.number(),
  order: z.enum(ORDERS),
  after: z.object({ timeMs: z.number(), id: z.string() }),
})

/** Where the next page starts, with everything that was resolved for the first one: paging does not drift with the clock. */
export type Cursor = z.infer<typeof cursorSchema>

export function encodeCursor(cursor: Cursor): string {
  return Buffer.from(JSON.stringify(cursor)).toString('base64url')
}

/** Throws BAD_REQUEST for text that is no cursor of ours. */
export function decodeCursor(text: string): Cursor {
  try {
    return cursorSchema.parse(JSON.parse(Buffer.from(text, 'base64url').toString('utf8')))
  } catch (error) {
    throw new ServiceError('BAD_REQUEST', 'cursor: not a cursor of this API', {}, error)
  }
}
