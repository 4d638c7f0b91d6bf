export interface ServerEvent {
  readonly event: string
  readonly data: string
  /** The id of this event, or of the last one before it that had one. */
  readonly id: string | null
}

/** An event may not be longer than this; a stream that says more without a blank line is not an event stream. */
const PENDING_CHARS_MAX = 8 << 20

/**
 * Reads text/event-stream chunk by chunk: feed() gives the events that a chunk completes.
 * Follows the HTML standard's rules for fields, comments, line ends and ids.
 */
export function createEventReader(): { feed(chunk: string): readonly ServerEvent[] } {
  let pending = ''
  let name = ''
  let data: string[] = []
  let id: string | null = null

  function take(line: string): ServerEvent | null {
    if (line === '') {
      const done = data.length === 0 ? null : { event: name || 'message', data: data.join('\n'), id }
      name = ''
      data = []
      return done
    }
    const colon = line.indexOf(':')
    const field = colon < 0 ? line : line.slice(0, colon)
    const value = colon < 0 ? '' : line.slice(colon + 1).replace(/^ /, '')
    if (field === 'event') name = value
    if (field === 'data') data.push(value)
    if (field === 'id' && !value.includes('\0')) id = value
    return null
  }

  return {
    feed(chunk) {
      pending += chunk
      if (pending.length > PENDING_CHARS_MAX) throw new Error('an event of the stream is too long')
      // A "\r" at the end may be half of a "\r\n": it waits for the next chunk.
      const whole = pending.endsWith('\r') ? pending.slice(0, -1) : pending
      const lines = whole.split(/\r\n|\n|\r/u)
      const rest = lines.pop() ?? ''
      pending = rest + pending.slice(whole.length)
      return lines.map(take).filter((event) => event !== null)
    },
  }
}
