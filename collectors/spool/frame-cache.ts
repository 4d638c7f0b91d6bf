/** The newest frames in memory, so that a destination that keeps up never reads the disk. */
export interface FrameCache {
  add(ref: number, frame: Buffer): void
  get(ref: number): Buffer | undefined
  delete(ref: number): void
}

/** Holds at most `bytesMax`; the oldest leave first. */
export function createFrameCache(bytesMax: number): FrameCache {
  const frames = new Map<number, Buffer>()
  let bytes = 0
  function remove(ref: number, frame: Buffer | undefined): void {
    if (frames.delete(ref)) bytes -= frame?.length ?? 0
  }
  return {
    add(ref, frame) {
      frames.set(ref, frame)
      bytes += frame.length
      for (const [oldest, its] of frames) {
        if (bytes <= bytesMax) return
        remove(oldest, its)
      }
    },
    get: (ref) => frames.get(ref),
    delete: (ref) => remove(ref, frames.get(ref)),
  }
}
