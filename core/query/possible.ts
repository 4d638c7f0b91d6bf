import type { FieldName } from '../record.ts'
import type { QueryNode } from './plan.ts'

/** Values that the records in question may have in a field; a field that is not named may have any. */
export type Possible = Partial<Readonly<Record<FieldName, readonly string[]>>>

/** False when none of these records can match. */
export function mayMatch(node: QueryNode, possible: Possible): boolean {
  if (node.type === 'and') return node.nodes.every((part) => mayMatch(part, possible))
  if (node.type === 'or') return node.nodes.some((part) => mayMatch(part, possible))
  if (node.type === 'not') return !surelyMatches(node.node, possible)
  if (node.type !== 'equals') return true
  return possibleOf(node.field, possible)?.includes(node.value) ?? true
}

function surelyMatches(node: QueryNode, possible: Possible): boolean {
  if (node.type === 'all') return true
  if (node.type === 'and') return node.nodes.every((part) => surelyMatches(part, possible))
  if (node.type === 'or') return node.nodes.some((part) => surelyMatches(part, possible))
  if (node.type === 'not') return !mayMatch(node.node, possible)
  if (node.type !== 'equals' || node.value === '') return false
  const values = possibleOf(node.field, possible)
  return values !== undefined && values.every((value) => value === node.value)
}

function possibleOf(field: string, possible: Possible): readonly string[] | undefined {
  return Object.hasOwn(possible, field) ? possible[field as FieldName] : undefined
}
