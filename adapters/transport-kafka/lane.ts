import type { KafkaMessage } from './types.ts'

/** Batches of a partition that are stored at the same time: an append that waits a second for its refresh must not stop the next. */
const LANE_RUNNING_MAX = 128
/** What a message costs beside its value. */
const MESSAGE_OVERHEAD_BYTES = 256

/**
 * The messages of one partition between being read and being done.
 * - Frames are begun in order, many at a time. A mark is begun once every frame before it is done and every mark before it was begun.
 * - `done` never passes a message that is not done.
 */
export interface Lane {
  /** Takes messages in the order of their offsets; those below `next` are known already and left out. */
  accept(messages: readonly KafkaMessage[]): void
  /** The offset that is expected next. */
  readonly next: number
  /** Everything below is done: what may be committed. */
  readonly done: number
  /** Of messages that were taken and are not passed by `done`. */
  readonly bytes: number
  /** Expects this offset next: nothing is there before it. */
  skipTo(offset: number): void
  /** Begins nothing more. What was begun may still become done. */
  close(): void
}

export interface LaneOptions {
  /** The first offset that is expected. */
  readonly from: number
  /** Resolves when the message is done; rejects when it was given up, and then `done` never passes it. */
  readonly deliver: (message: KafkaMessage) => Promise<void>
  /** A message became done. */
  readonly onDone: () => void
  readonly runningMax?: number
}

interface Entry {
  readonly message: KafkaMessage
  done: boolean
}

export function createLane({ from, deliver, onDone, runningMax = LANE_RUNNING_MAX }: LaneOptions): Lane {
  /** In order of offset; those before `head` are done and only wait to be cut off. */
  let entries: Entry[] = []
  let head = 0
  /** No entry before it is a frame that was not begun. */
  let begun = 0
  /** Every frame before it is done, every mark before it was begun. */
  let passed = 0
  let running = 0
  let next = from
  let bytes = 0
  let closed = false

  async function run(entry: Entry): Promise<void> {
    try {
      await deliver(entry.message)
    } catch {
      return // It stays in the way: nothing behind it is ever committed.
    }
    entry.done = true
  }

  async function runFrame(entry: Entry): Promise<void> {
    running++
    await run(entry)
    running--
    settled()
  }

  async function runMark(entry: Entry): Promise<void> {
    await run(entry)
    settled()
  }

  function settled() {
    beginMarks()
    beginFrames()
    for (let entry = entries[head]; entry?.done === true; entry = entries[head]) {
      bytes -= costOf(entry.message)
      head++
    }
    if (head * 2 > entries.length) cutOff()
    onDone()
  }

  function cutOff() {
    entries = entries.slice(head)
    begun -= head
    passed -= head
    head = 0
  }

  function beginFrames() {
    while (!closed && running < runningMax && begun < entries.length) {
      const entry = entries[begun++]
      if (entry !== undefined && !isMark(entry)) void runFrame(entry)
    }
  }

  function beginMarks() {
    while (!closed && passed < entries.length) {
      const entry = entries[passed]
      if (entry === undefined || (!isMark(entry) && !entry.done)) return
      passed++
      if (isMark(entry)) void runMark(entry)
    }
  }

  return {
    accept(messages) {
      for (const message of messages) {
        if (message.offset < next) continue
        entries.push({ message, done: false })
        bytes += costOf(message)
        next = message.offset + 1
      }
      beginMarks()
      beginFrames()
    },
    get next() {
      return next
    },
    get done() {
      return entries[head]?.message.offset ?? next
    },
    get bytes() {
      return bytes
    },
    skipTo(offset) {
      next = Math.max(next, offset)
    },
    close() {
      closed = true
    },
  }
}

function isMark({ message }: Entry): boolean {
  return message.type === 'mark'
}

function costOf({ value }: KafkaMessage): number {
  return (value?.length ?? 0) + MESSAGE_OVERHEAD_BYTES
}
