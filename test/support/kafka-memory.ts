import type { Logger, Quarantine, QuarantineEntry } from '../../core/ports.ts'

export const never = (): AbortSignal => new AbortController().signal

export function createMemoryQuarantine(): Quarantine & { readonly entries: QuarantineEntry[] } {
  const entries: QuarantineEntry[] = []
  return {
    entries,
    async put(added) {
      for (const entry of added) entries.push({ id: String(entries.length + 1), atMs: 0, ...entry })
    },
    list: async (limit) => ({ total: entries.length, entries: entries.slice(-limit).toReversed() }),
    replay: async () => ({ stored: 0, refused: 0 }),
  }
}

/** Keeps the lines of warnings and errors. */
export function createLineLog(): Logger & { readonly lines: string[] } {
  const lines: string[] = []
  const keep = (fields: object, message: string) => void lines.push(`${message} ${JSON.stringify(fields)}`)
  const log = { lines, debug() {}, info() {}, warn: keep, error: keep, child: () => log }
  return log
}
