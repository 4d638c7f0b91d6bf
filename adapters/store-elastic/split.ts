/** Those that pass the test, and the others, both in their order. */
export function split<T>(all: readonly T[], isFirst: (one: T) => boolean): [T[], T[]] {
  const [first, second]: [T[], T[]] = [[], []]
  for (const one of all) (isFirst(one) ? first : second).push(one)
  return [first, second]
}
