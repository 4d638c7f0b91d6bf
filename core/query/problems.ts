import { ServiceError } from '../errors.ts'

/** A query that cannot be parsed. `column` counts UTF-16 units from 1. */
export function syntaxError(column: number, found: string, expected: string): ServiceError {
  return new ServiceError('QUERY_SYNTAX', `column ${column}: found ${found}; expected ${expected}`, {
    column,
    expected,
  })
}

/** A query that passes one of the bounds. */
export function tooBroad(column: number, what: string, max: number): ServiceError {
  return new ServiceError('QUERY_TOO_BROAD', `column ${column}: ${what}; at most ${max} are allowed`, {
    column,
    max,
  })
}

/** A query that is well formed, but that no store answers. */
export function unsupported(column: number, what: string, instead: string): ServiceError {
  return new ServiceError('UNSUPPORTED', `column ${column}: ${what} is not supported; ${instead}`, {
    column,
    expected: instead,
  })
}

/** Text in a message: quoted, and cut where it is long. */
export function quoted(text: string): string {
  return JSON.stringify(text.length > 40 ? `${text.slice(0, 40)}…` : text)
}
