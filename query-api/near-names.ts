/** Names less alike than this help nobody. */
const LIKENESS_MIN = 0.35

/** The names most like `name`, best first: by the pairs of letters that they share. */
export function nearNames(name: string, names: readonly string[], count: number): readonly string[] {
  const wanted = pairsOf(name)
  return names
    .map((candidate) => ({ candidate, likeness: likenessOf(wanted, pairsOf(candidate)) }))
    .filter(({ likeness }) => likeness >= LIKENESS_MIN)
    .toSorted((left, right) => right.likeness - left.likeness)
    .slice(0, count)
    .map(({ candidate }) => candidate)
}

function pairsOf(text: string): ReadonlySet<string> {
  // The edges count, so that a name of one letter has pairs, too.
  const letters = `^${text.toLowerCase()}$`
  return new Set(Array.from({ length: letters.length - 1 }, (_, at) => letters.slice(at, at + 2)))
}

/** 0: nothing in common; 1: the same pairs. */
function likenessOf(left: ReadonlySet<string>, right: ReadonlySet<string>): number {
  const shared = [...left].filter((pair) => right.has(pair)).length
  return (2 * shared) / (left.size + right.size)
}
