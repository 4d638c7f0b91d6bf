import { ServiceError } from '../core/errors.ts'

/** A longer line is no record of ours: one has at most 8 MiB, and JSON may write six characters for one. */
const LINE_BYTES_MAX = 64 << 20
const LINE_END = 10
/** Records never start so: their first field is `time`. */
const CONTROL_STARTS = ['{"plan":', '{"meta":', '{"error":'].map((text) => Buffer.from(text))

/** A piece of an export: record lines as they came, their ends included, or a line about the export itself. */
export type ExportPart =
  | { readonly kind: 'records'; readonly bytes: Buffer; readonly count: number }
  | { readonly kind: 'control'; readonly line: string }

/** The parts of an NDJSON body. Records stay bytes: millions of them pass. A last line that is cut off is not given. */
export async function* exportParts(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<ExportPart> {
  let rest: Uint8Array[] = []
  let restBytes = 0
  for await (const chunk of chunks) {
    rest.push(chunk)
    restBytes += chunk.length
    if (chunk.lastIndexOf(LINE_END) < 0) {
      if (restBytes > LINE_BYTES_MAX) throw new ServiceError('UNREACHABLE', 'the answer has no lines')
      continue
    }
    const bytes = Buffer.concat(rest)
    const end = bytes.lastIndexOf(LINE_END) + 1
    yield* partsOf(bytes.subarray(0, end))
    rest = [bytes.subarray(end)]
    restBytes = bytes.length - end
  }
}

/** `bytes` are whole lines. */
function* partsOf(bytes: Buffer): Generator<ExportPart> {
  let recordsFrom = 0
  let count = 0
  for (let at = 0; at < bytes.length;) {
    const end = bytes.indexOf(LINE_END, at) + 1
    if (isControl(bytes, at)) {
      if (count > 0) yield { kind: 'records', bytes: bytes.subarray(recordsFrom, at), count }
      yield { kind: 'control', line: bytes.toString('utf8', at, end - 1) }
      recordsFrom = end
      count = 0
    } else count += 1
    at = end
  }
  if (count > 0) yield { kind: 'records', bytes: bytes.subarray(recordsFrom), count }
}

function isControl(bytes: Buffer, at: number): boolean {
  // The third character alone sorts out nearly every record.
  return CONTROL_STARTS.some(
    (start) => start[2] === bytes[at + 2] && start.equals(bytes.subarray(at, at + start.length)),
  )
}
