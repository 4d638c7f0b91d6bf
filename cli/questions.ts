import { InvalidArgumentError, Option } from 'commander'
import type { Command } from 'commander'
import { ServiceError } from '../core/errors.ts'
import { parseQuery } from '../core/query/parse.ts'
import { parseDuration } from '../core/query/time.ts'
import type { ConnectionOptions, Parameters } from './client.ts'
import { DEFAULT_CONFIG_FILE } from './config.ts'
import { OUTPUTS } from './records.ts'
import type { Output } from './records.ts'

export interface FilterOptions {
  readonly site?: readonly string[]
  readonly service?: readonly string[]
  readonly level?: readonly string[]
  readonly host?: readonly string[]
}

export interface TimeoutOptions {
  readonly timeout?: string
}

export interface RangeOptions extends TimeoutOptions {
  readonly since?: string
  readonly from?: string
  readonly to?: string
}

export interface ListingOptions {
  readonly grep?: string
  readonly oldest?: boolean
}

export interface OutputOptions {
  readonly output: Output
}

const FILTERS = ['service', 'level', 'host'] as const

/** --url, --token, --config: how every command finds its node. */
export function withConnection(command: Command): Command {
  return command
    .option(
      '--url <url>',
      'node to ask (default: NOCTULE_URL, else http.host and http.port of the configuration)',
    )
    .option(
      '--token <token>',
      'token (default: NOCTULE_TOKEN, else the admin token of the local data directory)',
    )
    .option('--config <file>', `YAML file (default: ./${DEFAULT_CONFIG_FILE} if present)`)
}

export function withOutput(command: Command, defaultForm: Output = 'pretty'): Command {
  return command.addOption(
    new Option('-o, --output <form>', 'how data is written').choices(OUTPUTS).default(defaultForm),
  )
}

/** A query as last argument. */
export function withWords(command: Command): Command {
  return command.argument('[query...]', 'query; put -- before one that starts with "-"')
}

export type QueryOptions = ConnectionOptions & FilterOptions & RangeOptions & OutputOptions

/** What every command takes that asks about the records of a range: query, filters, range, output, node. */
export function withQuery(command: Command, defaultForm: Output = 'pretty'): Command {
  return withConnection(withOutput(withTimeout(withRange(withFilters(withWords(command)))), defaultForm))
}

/** Options that narrow a query; each may be given several times, and any of its values then matches. */
export function withFilters(command: Command): Command {
  const several = (value: string, before: readonly string[] = []) => [...before, value]
  return command
    .option('--site <name>', 'only this site; may be repeated, like the next three', several)
    .option('--service <name>', 'only this service', several)
    .option('--level <level>', 'only this level', several)
    .option('--host <name>', 'only this host', several)
}

/** --since, --from, --to. */
export function withRange(command: Command): Command {
  return command
    .addOption(
      new Option('--since <duration>', 'the last 15m, 2h, 1d, …')
        .conflicts('from')
        .argParser((value: string) => {
          asArgument(() => parseDuration(value))
          return value
        }),
    )
    .option('--from <time>', 'start: RFC 3339, unix seconds or ms, now-15m, now/d (default: now-15m)')
    .option('--to <time>', 'end, not included (default: now)')
}

export function withTimeout(command: Command): Command {
  return command.option(
    '--timeout <duration>',
    'how long the answer may take (default: query.timeoutMs of the node)',
  )
}

/** Options of the questions whose answer is the records themselves. */
export function withListing(command: Command): Command {
  return command
    .option(
      '--grep <regex>',
      'only records with a text that this regular expression finds; also across words',
    )
    .option('--oldest', 'the oldest records of the range first, not the newest')
}

/** -n: a positive whole number. */
export function parseCount(text: string): number {
  const count = /^\d{1,9}$/.test(text) ? Number(text) : 0
  if (count === 0) throw new InvalidArgumentError('expected a whole number, at least 1')
  return count
}

/** A refused value of an option or argument is a usage error of commander. */
function asArgument<T>(read: () => T): T {
  try {
    return read()
  } catch (error) {
    throw new InvalidArgumentError(error instanceof ServiceError ? error.message : String(error))
  }
}

/** Parameters of the API for a query with its filters. Throws QUERY_SYNTAX and the like. */
export function queryParameters(
  words: readonly string[],
  options: FilterOptions,
  nowMs: number,
): QueryParameters {
  return { q: filteredQuery(words.join(' '), options, nowMs), sites: options.site?.join(',') }
}

type QueryParameters = Parameters & { readonly q: string }

/** Parameters of the API for a query over a range. */
export function questionParameters(
  words: readonly string[],
  options: FilterOptions & RangeOptions,
  nowMs: number,
): QueryParameters {
  return { ...queryParameters(words, options, nowMs), ...rangeParameters(options) }
}

/** Parameters of the API for a range and a deadline. */
export function rangeParameters({ since, from, to, ...options }: RangeOptions): Parameters {
  return {
    from: since === undefined ? from : `now-${Math.round(parseDuration(since))}ms`,
    to,
    ...timeoutParameters(options),
  }
}

export function timeoutParameters({ timeout }: TimeoutOptions): Parameters {
  return { timeout: timeout === undefined ? undefined : String(parseDuration(timeout)) }
}

export function listingParameters({ grep, oldest }: ListingOptions): Parameters {
  return { grep, order: oldest === true ? 'oldest' : undefined }
}

/** The query AND every filter. The query must be right by itself, so that its parentheses cannot reach into the filters. */
function filteredQuery(query: string, options: FilterOptions, nowMs: number): string {
  const filters = FILTERS.flatMap((field) => {
    const values = options[field] ?? []
    return values.length === 0 ? [] : `${field}:(${values.map(quote).join(' OR ')})`
  })
  if (filters.length === 0) return query
  if (query.trim() === '') return filters.join(' AND ')
  try {
    parseQuery(query, { nowMs })
  } catch (error) {
    throw pointingAt(query, error)
  }
  return [`(${query})`, ...filters].join(' AND ')
}

function quote(value: string): string {
  return `"${value.replaceAll(/["\\]/g, String.raw`\$&`)}"`
}

/** A refused query, with a mark under the place; everything else as it is. */
export function pointingAt(query: string, error: unknown): unknown {
  if (!(error instanceof ServiceError)) return error
  const column = error.details['column']
  if (typeof column !== 'number' || query === '' || /[\n\r\t]/.test(query)) return error
  const message = `${error.message}\n  ${query}\n  ${' '.repeat(column - 1)}^`
  return new ServiceError(error.code, message, error.details, error)
}
