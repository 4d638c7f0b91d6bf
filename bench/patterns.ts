import { patternId, patternOf } from '../core/patterns/pattern.ts'
import { generateLines } from '../test/support/generator.ts'
import { report, rounded } from './support.ts'

/** What the pattern of one line costs, µs of processor time: the median of `ROUNDS` passes over the same lines. `node bench/patterns.ts` */
const LINES = 50_000
const ROUNDS = 15

const source = generateLines({ seed: 42 })
const lines = Array.from({ length: LINES }, () => source.next().value)

function medianUs(work: (line: string) => string): number {
  const tookUs: number[] = []
  for (let round = 0; round < ROUNDS; round++) {
    const before = process.threadCpuUsage()
    for (const line of lines) work(line)
    tookUs.push(process.threadCpuUsage(before).user)
  }
  const median = tookUs.toSorted((a, b) => a - b)[ROUNDS >> 1] ?? Number.NaN
  return rounded(median / LINES, 3)
}

report('patterns', {
  charsPerLine: rounded(lines.reduce((sum, line) => sum + line.length, 0) / LINES),
  patternIdUs: medianUs(patternId),
  patternOfUs: medianUs(patternOf),
  patterns: new Set(lines.map(patternId)).size,
})
