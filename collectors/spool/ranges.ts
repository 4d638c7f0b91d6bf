/** Of ascending whole numbers, the runs without a hole: first and last of each. */
export function rangesOf(numbers: Iterable<number>): [from: number, to: number][] {
  const ranges: [number, number][] = []
  for (const number of numbers) {
    const last = ranges.at(-1)
    if (last !== undefined && last[1] === number - 1) last[1] = number
    else ranges.push([number, number])
  }
  return ranges
}

/** The first of ascending ranges that ends at `number` or later, if it also starts there or before. */
export function rangeWith<T extends readonly [from: number, to: number, ...more: number[]]>(
  ranges: readonly T[],
  number: number,
): T | undefined {
  let low = 0
  let high = ranges.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((ranges[middle]?.[1] ?? Infinity) < number) low = middle + 1
    else high = middle
  }
  const found = ranges[low]
  return found !== undefined && found[0] <= number ? found : undefined
}
