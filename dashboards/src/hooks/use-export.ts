import { useEffect, useRef, useState } from 'react'
import { asProblem, type Question } from '../api.ts'
import { openExport } from '../api/search.ts'
import { byteCount, createExportReader, type ExportEnd, type ExportReader } from '../model/export.ts'
import { HELD_BYTES_MAX, TooLarge, openSink, type Sink } from '../save-file.ts'

const SAY_EVERY_MS = 200

export type ExportState =
  | { readonly phase: 'ready' }
  | { readonly phase: 'running'; readonly lines: number; readonly bytes: number }
  | { readonly phase: 'ended'; readonly end: ExportEnd; readonly lines: number; readonly bytes: number }
  | { readonly phase: 'failed'; readonly why: string }
  | { readonly phase: 'cancelled' }

/** Writes every matching line to a file of the person. */
export function useExport(): {
  readonly state: ExportState
  readonly start: (question: Question) => void
  readonly cancel: () => void
} {
  const [state, setState] = useState<ExportState>({ phase: 'ready' })
  const underWay = useRef<AbortController | null>(null)
  useEffect(() => () => underWay.current?.abort(), [])

  async function run(question: Question) {
    const abort = new AbortController()
    underWay.current?.abort()
    underWay.current = abort
    try {
      const sink = await openSink(fileName(question), 'application/x-ndjson')
      if (sink === null) return
      setState(await receive(question, { sink, signal: abort.signal, said: setState }))
    } catch (error) {
      setState(
        abort.signal.aborted ? { phase: 'cancelled' } : { phase: 'failed', why: asProblem(error).message },
      )
    }
  }

  return {
    state,
    start: (question) => void run(question),
    cancel: () => underWay.current?.abort(),
  }
}

interface Receiving {
  readonly sink: Sink
  readonly signal: AbortSignal
  readonly said: (state: ExportState) => void
}

async function receive(question: Question, { sink, signal, said }: Receiving): Promise<ExportState> {
  const reader = createExportReader()
  try {
    said({ phase: 'running', lines: 0, bytes: 0 })
    const body = await openExport(question, signal)
    const end = await copy(body, { sink, reader, said: throttled(said, reader) })
    await sink.close()
    return { phase: 'ended', end, lines: reader.lines, bytes: reader.bytes }
  } catch (error) {
    // Who cancels wants no half a file; who is refused has none.
    await sink.discard().catch(() => undefined)
    if (!(error instanceof TooLarge)) throw error
    const why = `This browser can hold ${byteCount(HELD_BYTES_MAX)} at most, and the export is larger. Narrow the query or the time, or use noctule export.`
    return { phase: 'failed', why }
  }
}

/** Copies the stream to its end. One that breaks off is an end, too: what came stays, and is called cut. */
async function copy(
  body: ReadableStream<Uint8Array<ArrayBuffer>>,
  { sink, reader, said }: { sink: Sink; reader: ExportReader; said: () => void },
): Promise<ExportEnd> {
  const chunks = body.getReader()
  for (;;) {
    const chunk = await chunks.read().catch((error: unknown) => {
      if (error instanceof DOMException && error.name === 'AbortError') throw error
      return null
    })
    if (chunk === null || chunk.done) return reader.end()
    reader.feed(chunk.value)
    await sink.write(chunk.value)
    said()
  }
}

function throttled(said: Receiving['said'], reader: ExportReader): () => void {
  let saidAtMs = 0
  return () => {
    if (Date.now() - saidAtMs < SAY_EVERY_MS) return
    saidAtMs = Date.now()
    said({ phase: 'running', lines: reader.lines, bytes: reader.bytes })
  }
}

/** noctule-20261121T083000Z-20261121T084500Z.ndjson */
function fileName({ from, to }: Question): string {
  const plain = (time: string) => time.replace(/\.\d+Z$/u, 'Z').replaceAll(/[-:]/gu, '')
  return `noctule-${plain(from)}-${plain(to)}.ndjson`
}
