import { TOKEN_CHARS_MAX, isTokenChar } from '../../core/query/tokenize.ts'
import { RECORD_FIELDS } from '../../core/record.ts'
import type { Names } from './names.ts'

/** Raised with every change below. Fields may be added; anything else needs another prefix, because what is indexed stays as it is. */
export const MAPPING_VERSION = 1

/** Fields of a document beside those of core/record.ts. */
export const DOCUMENT_FIELDS = {
  /** Key of the batch that brought the record. */
  batch: 'batch',
  /** Arrival position. */
  arrival: 'arrival',
  /** Values of attrs that are compared whole. */
  attrs: 'attrs',
  /** Attrs that have a value too long for that, whole; never indexed. */
  attrsLong: 'attrs_long',
  /** Numbers of attrs in hex, so that they sort as numbers; index only. */
  nums: 'nums',
  /** Values of attrs as words search them; index only. */
  search: 'search',
} as const

/** Two values of an array lie so far apart that no phrase reaches from one to the next. */
const SEARCH_GAP = 100
const ANALYZER = 'noctule'
/** Only `arrival` and `event.id` are sorted by besides time; a keyword that is too long refuses its record before it is sent. */
const KEYWORD = { type: 'keyword' }
const NUMBER = { type: 'double' }
const DATE = { type: 'date', format: 'epoch_millis' }

export interface MappingOptions {
  readonly shards: number
  readonly replicas: number
}

/** Mapping of every index with records. */
function logMappings(): object {
  return {
    dynamic: false,
    _meta: { noctule: MAPPING_VERSION },
    // What is index only follows from the rest.
    _source: { excludes: [DOCUMENT_FIELDS.search, DOCUMENT_FIELDS.nums] },
    properties: logProperties(),
  }
}

/** The fields alone: what can be added to an index that is older. */
export function logProperties(): Readonly<Record<string, object>> {
  return {
    [RECORD_FIELDS.time.ecs]: DATE,
    [RECORD_FIELDS.ingested.ecs]: DATE,
    ...Object.fromEntries(
      Object.values(RECORD_FIELDS)
        .filter(({ kind }) => kind === 'keyword')
        .map(({ ecs }) => [ecs, KEYWORD]),
    ),
    [RECORD_FIELDS.offset.ecs]: { type: 'long' },
    [RECORD_FIELDS.status.ecs]: NUMBER,
    [RECORD_FIELDS.latency_ms.ecs]: NUMBER,
    [RECORD_FIELDS.bytes.ecs]: NUMBER,
    [RECORD_FIELDS.message.ecs]: { type: 'text', analyzer: ANALYZER, norms: false },
    [DOCUMENT_FIELDS.search]: {
      type: 'text',
      analyzer: ANALYZER,
      norms: false,
      position_increment_gap: SEARCH_GAP,
    },
    [DOCUMENT_FIELDS.attrs]: { type: 'flattened' },
    [DOCUMENT_FIELDS.attrsLong]: { type: 'object', enabled: false },
    [DOCUMENT_FIELDS.nums]: { type: 'flattened' },
    [DOCUMENT_FIELDS.batch]: { type: 'keyword', doc_values: false },
    [DOCUMENT_FIELDS.arrival]: { type: 'long' },
  }
}

/** The tokens of core/query/tokenize.ts. */
function analysis(): object {
  return {
    tokenizer: {
      [ANALYZER]: {
        type: 'char_group',
        tokenize_on_chars: separators(),
        max_token_length: TOKEN_CHARS_MAX,
      },
    },
    analyzer: { [ANALYZER]: { type: 'custom', tokenizer: ANALYZER, filter: ['lowercase'] } },
  }
}

const BASIC_PLANE_END = 0xffff

/** Every character between tokens, one by one. All of them lie in the basic plane. */
function separators(): string[] {
  const found: string[] = []
  for (let code = 0; code <= BASIC_PLANE_END; code++) {
    if (code >= 0xd800 && code <= 0xdfff) continue
    const char = String.fromCharCode(code)
    if (!isTokenChar(char)) found.push(char)
  }
  return found
}

/** For every index with records, whoever makes it. Refreshes are ordered by the writer, so that it knows what is searchable. */
export function logsTemplate(names: Names, { shards, replicas }: MappingOptions): object {
  return {
    index_patterns: [names.all],
    priority: 500,
    version: MAPPING_VERSION,
    template: {
      settings: {
        number_of_shards: shards,
        number_of_replicas: replicas,
        codec: 'best_compression',
        refresh_interval: '-1',
        analysis: analysis(),
      },
      mappings: logMappings(),
    },
  }
}

/** Ledger documents are read by id only. */
export function ledgerTemplate(names: Names, { replicas }: MappingOptions): object {
  return {
    index_patterns: [names.ledger],
    priority: 500,
    version: MAPPING_VERSION,
    template: {
      settings: { number_of_shards: 1, number_of_replicas: replicas, refresh_interval: '-1' },
      mappings: {
        dynamic: false,
        _meta: { noctule: MAPPING_VERSION },
        properties: { packed: { type: 'object', enabled: false } },
      },
    },
  }
}
