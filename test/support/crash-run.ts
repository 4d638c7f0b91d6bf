import { appendFileSync, existsSync, renameSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { allMessages, compareOnce, untilFound } from './answers.ts'
import { seededRandom } from './random.ts'
import { type Program, startProgram } from './program.ts'
import type { Workspace } from './workspace.ts'

const LINES_PER_WRITE = 50
const WRITE_EVERY_MS = 10

/** Writes 50 marked lines every `everyMs` into three files until told to stop, and rotates them by rename now and then. */
export async function writeUnderLoad(
  logs: string,
  random: () => number,
  stop: AbortSignal,
  everyMs = WRITE_EVERY_MS,
): Promise<string[]> {
  const written: string[] = []
  for (let turn = 0; !stop.aborted; turn++) {
    const file = join(logs, `app-${turn % 3}.log`)
    const lines = Array.from(
      { length: LINES_PER_WRITE },
      (_, i) => `INFO crashrun line ${written.length + i} of file ${turn % 3}`,
    )
    appendFileSync(file, `${lines.join('\n')}\n`)
    written.push(...lines.map((line) => line.replace('INFO ', '')))
    if (random() < 0.02 && existsSync(file)) renameSync(file, join(logs, `app-${turn % 3}.${turn}.log`))
    await sleep(everyMs)
  }
  return written
}

/**
 * kill −9 at `kills` random moments under load, a restart each time; then every line that was in a file must be found exactly once.
 * Returns what differs.
 */
export async function crashRun(workspace: Workspace, { kills, seed }: { kills: number; seed: number }) {
  const random = seededRandom(seed)
  const stop = new AbortController()
  const start = () => startProgram({ dataDir: workspace.dataDir, configFile: workspace.configFile })
  let program: Program = await start()
  const writing = writeUnderLoad(workspace.logs, random, stop.signal)
  for (let i = 0; i < kills; i++) {
    await sleep(random() * 1_500)
    await program.kill()
    program = await start()
  }
  stop.abort()
  const written = await writing
  await untilFound(program, 'crashrun', written.length)
  const difference = compareOnce(written, await allMessages(program, 'crashrun'))
  const exit = await program.stop()
  return { written: written.length, difference, exit }
}
