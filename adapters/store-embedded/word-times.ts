import type { QueryNode } from '../../core/query/plan.ts'
import { tokensOf } from './plan-sql.ts'
import type { Span, WordFacts, WordIndex } from './word-index.ts'

/** Of a block, the times of all records that the words and trace ids of a plan leave; null: there are none. */
export function timesOfWords(node: QueryNode, index: WordIndex): Span | null {
  if (node.type === 'and')
    return inAll(
      node.nodes.map((part) => timesOfWords(part, index)),
      index.span,
    )
  if (node.type === 'or') return inAny(node.nodes.map((part) => timesOfWords(part, index)))
  if (node.type === 'equals' && node.field === 'trace') return index.traceTimes(node.value)
  if (node.type === 'equals' && node.field === 'pattern')
    return index.patterns.includes(node.value) ? index.span : null
  if (node.type === 'not') return index.span
  const tokens = tokensOf(node)
  return inAll(
    tokens.map((token) => timesOfWord(index.word(token), index.span)),
    index.span,
  )
}

function timesOfWord({ always, some, rare }: WordFacts, span: Span): Span | null {
  return always.length > 0 || some.length > 0 ? span : rare
}

function inAll(spans: readonly (Span | null)[], span: Span): Span | null {
  let { minMs, maxMs } = span
  for (const one of spans) {
    if (one === null) return null
    minMs = Math.max(minMs, one.minMs)
    maxMs = Math.min(maxMs, one.maxMs)
  }
  return minMs > maxMs ? null : { minMs, maxMs }
}

/** From the first to the last of them. */
function inAny(spans: readonly (Span | null)[]): Span | null {
  return spans.reduce((all, one) => {
    if (all === null || one === null) return all ?? one
    return { minMs: Math.min(all.minMs, one.minMs), maxMs: Math.max(all.maxMs, one.maxMs) }
  }, null)
}
