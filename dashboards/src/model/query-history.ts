const QUERIES_MAX = 50

/** Newest first; a query that is there already comes to the front. */
export function remember(queries: readonly string[], query: string): readonly string[] {
  const asked = query.trim()
  if (asked === '') return queries
  return [asked, ...queries.filter((known) => known !== asked)].slice(0, QUERIES_MAX)
}

/**
 * The query that a step leads to from what stands in the field: back from an empty field or a remembered query, and
 * forward again to the empty field. Null where the step means nothing: the field's text is somebody's work.
 */
export function recall(queries: readonly string[], text: string, step: 1 | -1): string | null {
  const at = text === '' ? -1 : queries.indexOf(text)
  if (text !== '' && at < 0) return null
  const to = at - step
  if (to < -1 || to >= queries.length) return null
  return to === -1 ? (step === 1 ? '' : null) : (queries[to] ?? null)
}
