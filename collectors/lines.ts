const NEWLINE = 10

export interface LineBounds {
  /** Longer lines are cut here. */
  readonly lineBytesMax: number
  /** A run holds at most this many bytes (one line may be longer) … */
  readonly runBytesMax: number
  /** … and at most this many lines. */
  readonly runLinesMax: number
}

/** Whole lines that stand next to each other in a chunk, at [start, end). */
export interface LineRun {
  readonly start: number
  readonly end: number
  /** Where the line after the run starts; behind `end` when the run is one cut line. */
  readonly next: number
  readonly lines: number
  /** Set when the run is one line that was cut: its full length without the newline. */
  readonly cutFrom?: number
}

/** Splits the whole lines of a chunk into runs, in order. The unfinished line behind the last newline is in none. */
export function lineRuns(chunk: Buffer, { lineBytesMax, runBytesMax, runLinesMax }: LineBounds): LineRun[] {
  const runs: LineRun[] = []
  let start = 0
  let lines = 0
  let at = 0
  const close = () => {
    if (lines > 0) runs.push({ start, end: at, next: at, lines })
    start = at
    lines = 0
  }
  for (let newline = chunk.indexOf(NEWLINE); newline !== -1; newline = chunk.indexOf(NEWLINE, at)) {
    const next = newline + 1
    const bytes = newline - at
    if (bytes > lineBytesMax) {
      close()
      runs.push({ start: at, end: at + lineBytesMax, next, lines: 1, cutFrom: bytes })
      start = next
    } else {
      if (lines === runLinesMax || next - start > runBytesMax) close()
      lines++
    }
    at = next
  }
  close()
  return runs
}
