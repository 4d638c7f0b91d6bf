/**
 * A parsed query, ready for any store. `matches.ts` says what each node means.
 * Text is tokenised, numbers are numbers, times are ms since 1970.
 */
export type QueryNode =
  | { readonly type: 'all' }
  | { readonly type: 'and'; readonly nodes: readonly QueryNode[] }
  | { readonly type: 'or'; readonly nodes: readonly QueryNode[] }
  | { readonly type: 'not'; readonly node: QueryNode }
  /** Adjacent tokens in order, inside one value. `field` '' = message and all leaf values of attrs; 'message' = the message only. */
  | { readonly type: 'phrase'; readonly field: '' | 'message'; readonly tokens: readonly TokenPattern[] }
  /** Whole-value comparison of a keyword field or an attr, case-sensitive. */
  | { readonly type: 'equals'; readonly field: string; readonly value: string }
  | { readonly type: 'prefix'; readonly field: string; readonly prefix: string }
  /** Wildcard or regex over a whole keyword field. `source` is a regex of the own subset, anchored by definition. */
  | { readonly type: 'keywordRegex'; readonly field: string; readonly source: string }
  | { readonly type: 'exists'; readonly field: string }
  /** Numeric or time range; null is open. */
  | {
      readonly type: 'range'
      readonly field: string
      readonly from: number | null
      readonly fromInclusive: boolean
      readonly to: number | null
      readonly toInclusive: boolean
    }

/** One token of a phrase: exactly this text, or a regex of the own subset anchored to the whole token. */
export type TokenPattern =
  { readonly type: 'token'; readonly text: string } | { readonly type: 'regex'; readonly source: string }

export interface QueryPlan {
  /** The query as it was written. */
  readonly text: string
  readonly root: QueryNode
}

/** The plan of the empty query: everything. */
export const MATCH_ALL: QueryPlan = { text: '', root: { type: 'all' } }
