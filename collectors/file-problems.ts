import { messageOf } from '../core/errors.ts'
import type { Logger } from '../core/ports.ts'
import type { SourceProblem } from './source.ts'

/** Which configured files and patterns give nothing, and why. Each is logged once, when it starts and when it ends. */
export interface FileProblems {
  /** `listing`: which expansion of the patterns listed the path. */
  found(path: string, cause: unknown, listing: number): void
  recovered(path: string): void
  /** Forgets what is not `kept`: what nobody lists is no problem. */
  keep(kept: (path: string) => boolean): void
  /** Patterns that give nothing at this expansion. */
  patterns(problems: readonly SourceProblem[]): void
  list(): readonly SourceProblem[]
}

interface Problem {
  readonly reason: string
  readonly told: boolean
  readonly listing: number
}

export function createFileProblems(log: Logger): FileProblems {
  const problems = new Map<string, Problem>()
  let patterns: readonly SourceProblem[] = []

  return {
    /** A name that was listed and is gone a moment later is no problem; one that is listed again is. */
    found(path, cause, listing) {
      const reason = typeof cause === 'string' ? cause : messageOf(cause)
      const known = problems.get(path)
      const lasting = known !== undefined && (known.told || known.listing !== listing)
      const told = lasting || codeOf(cause) !== 'ENOENT'
      if (told && known?.told !== true) log.warn({ path, reason }, 'file cannot be read')
      problems.set(path, { reason, told, listing: known?.listing ?? listing })
    },
    recovered(path) {
      const known = problems.get(path)
      problems.delete(path)
      if (known?.told === true) log.info({ path }, 'file can be read again')
    },
    keep(kept) {
      for (const path of problems.keys()) if (!kept(path)) problems.delete(path)
    },
    patterns(found) {
      for (const { path, reason } of found) {
        const isNew = !patterns.some((known) => known.path === path && known.reason === reason)
        if (isNew) log.info({ pattern: path, reason }, 'pattern gives nothing to follow')
      }
      patterns = found
    },
    list: () => [
      ...patterns,
      ...[...problems].filter(([, { told }]) => told).map(([path, { reason }]) => ({ path, reason })),
    ],
  }
}

export function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined
}
