import { open, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { Clock } from '../../core/ports.ts'

/** More of a command line is not looked at. */
const COMMAND_LINE_BYTES_MAX = 4 << 10
/** Checks that ask one after the other share a look at the list. */
const FRESH_MS = 500
/** A process that is new may still become another program. */
const YOUNG_LOOKS = 3
/** An older one does so rarely: one in so many is read again at each look. */
const ROUNDS = 10

/** The processes of this machine. */
export interface Processes {
  /** How many have a command line (arguments parted by a blank) like that. Zombies and threads of the kernel have none. */
  count(isWanted: (commandLine: string) => boolean): Promise<number>
}

interface Known {
  readonly commandLine: string
  readonly looks: number
}

/**
 * Reads the command lines of new processes and, each time, of those that are wanted: a dead one that is not cleared away yet has none
 * any more. Of thousands of others it only asks for their numbers.
 */
export function createProcesses({ clock, proc = '/proc' }: { clock: Clock; proc?: string }): Processes {
  let known = new Map<string, Known>()
  let looks = 0
  let lookedMs = -Infinity
  let looking: Promise<void> | null = null

  async function look(): Promise<void> {
    const atMs = clock.monotonicMs()
    const now = new Map<string, Known>()
    looks++
    for (const pid of await readdir(proc)) {
      if (!/^\d+$/.test(pid)) continue
      const before = known.get(pid)
      const read = before === undefined || before.looks < YOUNG_LOOKS || (Number(pid) + looks) % ROUNDS === 0
      const commandLine = read ? await readCommandLine(join(proc, pid, 'cmdline')) : before.commandLine
      now.set(pid, { commandLine, looks: (before?.looks ?? 0) + 1 })
    }
    known = now
    lookedMs = atMs
  }

  return {
    async count(isWanted) {
      if (clock.monotonicMs() - lookedMs >= FRESH_MS) {
        looking ??= look().finally(() => {
          looking = null
        })
        await looking
      }
      let count = 0
      for (const [pid, { commandLine }] of known) {
        if (isWanted(commandLine) && isWanted(await readCommandLine(join(proc, pid, 'cmdline')))) count++
      }
      return count
    },
  }
}

/** '' for a process that is gone. */
async function readCommandLine(path: string): Promise<string> {
  try {
    await using file = await open(path, 'r')
    const buffer = Buffer.allocUnsafe(COMMAND_LINE_BYTES_MAX)
    const { bytesRead } = await file.read(buffer, 0, buffer.length, 0)
    return buffer.toString('utf8', 0, bytesRead).replaceAll('\0', ' ').trim()
  } catch {
    return ''
  }
}
