/** Something that lines come from. It hands them to the batcher and never waits inside while it could be stopped. */
export interface Source {
  start(): Promise<void>
  /** Stops reading; what was handed over stays with the batcher. */
  stop(): Promise<void>
  /** Monotonic ms: every line written before then was handed to the batcher. Null: not yet since the start. */
  readThroughMs(): number | null
}

/** A file or pattern that is configured but gives nothing, and why. */
export interface SourceProblem {
  readonly path: string
  readonly reason: string
}
