/** A large buffer that is read into again once nobody needs what is in it. */
export interface ReadBuffer {
  readonly bytes: Buffer
  /** One more needs it; whoever took it is the first. */
  readonly hold: () => void
  /** One less. Nobody may look at the bytes after the last one. */
  readonly release: () => void
}

/** With more of them at rest, memory would be kept that only a burst needed. */
const IDLE_MAX = 8

/** Buffers of `length` bytes. To allocate one for each read would cost more in garbage collection than the reading itself. */
export function createReadBuffers(length: number): { take(): ReadBuffer } {
  const idle: Buffer[] = []
  return {
    take() {
      const bytes = idle.pop() ?? Buffer.allocUnsafeSlow(length)
      let holders = 1
      return {
        bytes,
        hold() {
          holders++
        },
        release() {
          if (--holders === 0 && idle.length < IDLE_MAX) idle.push(bytes)
        },
      }
    },
  }
}
