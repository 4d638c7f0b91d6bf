import { statfs } from 'node:fs/promises'
import { createGate, type Gate } from '../../core/gate.ts'
import { problemOf, stateAbove, unknown, type CheckOf, type Outcome, type Probe } from './probe.ts'

/**
 * A file system of a network may not answer for hours, and every question holds a thread of the program meanwhile, of which there are
 * four: one question at a time.
 */
export function createDiskGate(): Gate {
  return createGate(1)
}

type Disk = CheckOf<'disk'>
interface Blocks {
  readonly blocks: number
  readonly bfree: number
  readonly bavail: number
  readonly files: number
  readonly ffree: number
}

/** How full the file system is that the path lies on, of bytes as `df` counts them, or of inodes. */
export function diskProbe(
  config: Disk,
  { gate, ask = statfs }: { gate: Gate; ask?: (path: string) => Promise<Blocks> },
): Probe {
  return async (signal) => {
    const leave = await gate.enter(1, signal)
    try {
      return judgeDisk(config, await ask(config.path))
    } catch (error) {
      return unknown(problemOf(error))
    } finally {
      leave()
    }
  }
}

function judgeDisk(config: Disk, { blocks, bfree, bavail, files, ffree }: Blocks): Outcome {
  const used = blocks - bfree
  const bytes = percentOf(used, used + bavail)
  const inodes = percentOf(files - ffree, files)
  const value = Math.max(bytes, inodes)
  const message = `${round(bytes)} % of the bytes and ${round(inodes)} % of the inodes are used`
  return { state: stateAbove(value, config), message, value: round(value) }
}

/** Some file systems have no inodes to run out of. */
function percentOf(part: number, whole: number): number {
  return whole > 0 ? (100 * part) / whole : 0
}

const round = (value: number) => Math.round(value * 10) / 10
