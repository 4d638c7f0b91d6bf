import type { QueryNode, QueryPlan } from '../core/query/plan.ts'

/** The plan, of only the records that the node finds too. */
export function narrowed({ text, root }: QueryPlan, node: QueryNode): QueryPlan {
  return { text, root: root.type === 'all' ? node : { type: 'and', nodes: [root, node] } }
}

/** Records whose keyword field is exactly this; '' is absent. */
export function whole(field: string, value: string): QueryNode {
  return value === '' ? { type: 'not', node: { type: 'exists', field } } : { type: 'equals', field, value }
}
