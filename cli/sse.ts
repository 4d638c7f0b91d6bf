import { ServiceError } from '../core/errors.ts'

/** One server-sent event. */
export interface ServerEvent {
  readonly event: string
  readonly data: string
  /** The last id that the stream gave; '' before the first. */
  readonly id: string
}

/** A longer event is no event of ours: a record has at most 8 MiB. */
const EVENT_CHARS_MAX = 64 << 20
const LINE_END = /\r\n|\n|\r(?!$)/

/** The events of a text/event-stream, as the standard reads them. An event that is cut off is not given. */
export async function* serverEvents(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<ServerEvent> {
  const decoder = new TextDecoder()
  let rest = ''
  let id = ''
  let fields = { event: '', data: [] as string[] }
  for await (const chunk of chunks) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split(LINE_END)
    rest = lines.pop() ?? ''
    if (rest.length > EVENT_CHARS_MAX) throw new ServiceError('UNREACHABLE', 'the stream has no events')
    for (const line of lines) {
      if (line !== '') {
        const { name, value } = fieldOf(line)
        if (name === 'id') id = value
        else if (name === 'event') fields.event = value
        else if (name === 'data') fields.data.push(value)
        continue
      }
      if (fields.data.length > 0) yield { event: fields.event || 'message', data: fields.data.join('\n'), id }
      fields = { event: '', data: [] }
    }
  }
}

/** A line that starts with ":" is a comment: a field without a name. */
function fieldOf(line: string): { name: string; value: string } {
  const colon = line.indexOf(':')
  if (colon < 0) return { name: line, value: '' }
  return { name: line.slice(0, colon), value: line.slice(colon + 1).replace(/^ /, '') }
}
