import { ServiceError, messageOf } from '../../core/errors.ts'
import type { Details, FailureCode } from '../../core/errors.ts'
import type { Engine, EngineOptions } from './engine.ts'

/** Calls that go to the worker; `open` is made by the worker itself, from its `workerData`. */
export type Method = Exclude<keyof Engine, 'onArrival'>

/** Main thread → worker. */
export type Request =
  | { readonly type: 'call'; readonly id: number; readonly method: Method; readonly argument: unknown }
  | { readonly type: 'abort'; readonly id: number }

/** Worker → main thread. */
export type Reply =
  | { readonly type: 'opened' }
  | { readonly type: 'refused'; readonly failure: Failure }
  | { readonly type: 'done'; readonly id: number; readonly value: unknown }
  | { readonly type: 'failed'; readonly id: number; readonly failure: Failure }
  | { readonly type: 'arrival' }
  | { readonly type: 'log'; readonly level: LogLevel; readonly fields: object; readonly message: string }

export type LogLevel = 'debug' | 'info' | 'warn' | 'error'
export type WorkerData = EngineOptions

/** An error as it crosses the thread; `code` null: a bug. */
export interface Failure {
  readonly code: FailureCode | null
  readonly message: string
  readonly details: Details
  readonly cause: string
}

export function failureOf(error: unknown): Failure {
  if (error instanceof ServiceError)
    return { code: error.code, message: error.message, details: error.details, cause: causesOf(error) }
  const cause = error instanceof Error ? (error.stack ?? '') : ''
  return { code: null, message: messageOf(error), details: {}, cause }
}

export function errorOf({ code, message, details, cause }: Failure): Error {
  if (code === null) return new Error(message, { cause })
  return new ServiceError(code, message, details, cause === '' ? undefined : new Error(cause))
}

function causesOf(error: Error): string {
  const causes: string[] = []
  for (let at = error.cause; at instanceof Error; at = at.cause) causes.push(at.message)
  return causes.join(': ')
}
