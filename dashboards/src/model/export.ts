import type { AnswerMeta } from '../api.ts'

/** What an export came to. Only `whole` has every line that was asked for. */
export type ExportEnd =
  | { readonly kind: 'whole'; readonly meta: AnswerMeta }
  /** The stream ended early; `reason` is the server's, '' when it could say none. */
  | { readonly kind: 'cut'; readonly reason: string }

export interface ExportReader {
  readonly bytes: number
  /** Records so far. */
  readonly lines: number
  feed(chunk: Uint8Array): void
  /** Call when the stream has ended. */
  end(): ExportEnd
}

const LINE_FEED = 10
/** The last line is a meta or a problem; a longer one is a record that was cut. */
const LAST_LINE_BYTES_MAX = 1 << 20

/** Counts the records of an export while its bytes go by, and reads its last line: it alone says whether all of it came. */
export function createExportReader(): ExportReader {
  let bytes = 0
  let feeds = 0
  let last: Uint8Array = new Uint8Array()

  function feed(chunk: Uint8Array): void {
    bytes += chunk.length
    for (let at = chunk.indexOf(LINE_FEED); at >= 0; at = chunk.indexOf(LINE_FEED, at + 1)) feeds += 1
    last = lastLine(last, chunk)
  }

  return {
    get bytes() {
      return bytes
    },
    get lines() {
      // The first line is the plan.
      return Math.max(0, feeds - 1)
    },
    feed,
    end() {
      const said = parse(new TextDecoder().decode(last))
      if (said?.meta !== undefined) {
        feeds -= 1
        return { kind: 'whole', meta: said.meta }
      }
      if (said?.error !== undefined) feeds -= 1
      return { kind: 'cut', reason: said?.error?.detail ?? '' }
    },
  }
}

/** The bytes of the last line that has begun, its line feed included. */
function lastLine(before: Uint8Array, chunk: Uint8Array): Uint8Array {
  if (chunk.length === 0) return before
  const inner = chunk.at(-1) === LINE_FEED ? chunk.lastIndexOf(LINE_FEED, -2) : chunk.lastIndexOf(LINE_FEED)
  const rest = chunk.slice(inner + 1)
  // What went before belongs to it unless a line ended since.
  if (inner >= 0 || before.at(-1) === LINE_FEED) return rest
  const joined = new Uint8Array(before.length + rest.length)
  joined.set(before)
  joined.set(rest, before.length)
  return joined.length > LAST_LINE_BYTES_MAX ? new Uint8Array() : joined
}

function parse(line: string): { meta?: AnswerMeta; error?: { detail?: string } } | null {
  if (!line.endsWith('\n') || !/^\{"(?:meta|error)":/u.test(line)) return null
  try {
    return JSON.parse(line) as { meta?: AnswerMeta; error?: { detail?: string } }
  } catch {
    return null
  }
}

/** 512 B, 1.4 MB */
export function byteCount(bytes: number): string {
  if (bytes < 1000) return `${bytes} B`
  const [scaled, unit] =
    bytes < 1e6 ? [bytes / 1e3, 'kB'] : bytes < 1e9 ? [bytes / 1e6, 'MB'] : [bytes / 1e9, 'GB']
  return `${scaled < 10 ? scaled.toFixed(1) : Math.round(scaled)} ${unit}`
}
