/** Where the bytes of a download go. */
export interface Sink {
  readonly write: (chunk: Uint8Array<ArrayBuffer>) => Promise<void>
  /** Keeps what was written. */
  readonly close: () => Promise<void>
  /** Keeps nothing. */
  readonly discard: () => Promise<void>
}

/** A browser that cannot write to a file as it comes holds all of it; more than this might end the page. */
export const HELD_BYTES_MAX = 256 << 20

export class TooLarge extends Error {
  override readonly name = 'TooLarge'
}

interface FileHandle {
  createWritable(): Promise<{
    write(chunk: Uint8Array<ArrayBuffer>): Promise<void>
    close(): Promise<void>
    abort(): Promise<void>
  }>
}

interface Picker {
  showSaveFilePicker?(options: object): Promise<FileHandle>
}

/** Asks where to save; null when the person would rather not. Throws TooLarge from write() where all must be held. */
export async function openSink(name: string, type: string): Promise<Sink | null> {
  const picker = window as Picker
  if (picker.showSaveFilePicker === undefined) return holdingSink(name, type)
  try {
    const handle = await picker.showSaveFilePicker({ suggestedName: name })
    const file = await handle.createWritable()
    return {
      write: (chunk) => file.write(chunk),
      close: () => file.close(),
      discard: () => file.abort(),
    }
  } catch (error) {
    if (error instanceof DOMException && error.name === 'AbortError') return null
    throw error
  }
}

function holdingSink(name: string, type: string): Sink {
  const chunks: Uint8Array<ArrayBuffer>[] = []
  let bytes = 0
  return {
    async write(chunk) {
      bytes += chunk.length
      if (bytes > HELD_BYTES_MAX) throw new TooLarge()
      chunks.push(chunk)
    },
    async close() {
      const url = URL.createObjectURL(new Blob(chunks, { type }))
      const link = document.createElement('a')
      link.href = url
      link.download = name
      link.click()
      // The download has begun by the next turn, but browsers differ in when they open it.
      setTimeout(() => URL.revokeObjectURL(url), 60_000)
    },
    async discard() {
      chunks.length = 0
    },
  }
}
