import { appendFile, copyFile, readdir, rename, rm, truncate } from 'node:fs/promises'
import { join } from 'node:path'
import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { startTailing, type Tailing } from '../support/tailing.ts'

/** What a writer, a rotation or an operator may do between two looks, and how often it is chosen. */
const WEIGHTS = {
  append: 8,
  'append partly': 3,
  rename: 2,
  'copy and truncate': 2,
  truncate: 1,
  delete: 1,
  look: 6,
  kill: 2,
} as const
type Deed = keyof typeof WEIGHTS

const deeds = (Object.keys(WEIGHTS) as Deed[]).map((deed) => ({
  weight: WEIGHTS[deed],
  arbitrary: fc.constant(deed),
}))
/** `file` chooses one of three files. */
const action = fc.record({ deed: fc.oneof(...deeds), file: fc.nat(2), lines: fc.nat(20) })
type Action = { deed: Deed; file: number; lines: number }

/** Plays actions on real files and knows every line that was written. */
function createWriter(t: Tailing) {
  const written: string[] = []
  const unfinished = new Map<string, string>()
  let serial = 0

  const nameOf = (file: number) => join(t.dir, `app${'abc'[file]}.log`)
  const line = () => `${serial++} ${'padding '.repeat(serial % 40)}`

  async function append(path: string, lines: number): Promise<void> {
    const texts = Array.from({ length: lines }, line)
    const [first] = texts
    if (first === undefined) return
    const rest = unfinished.get(path) ?? ''
    unfinished.delete(path)
    written.push(`${rest}${first}`, ...texts.slice(1))
    await appendFile(path, `${texts.join('\n')}\n`)
  }

  async function appendPartly(path: string): Promise<void> {
    const text = line()
    unfinished.set(path, (unfinished.get(path) ?? '') + text)
    await appendFile(path, text)
  }

  /** Rotation renames the older ones first. An unfinished line goes with its file and is given when that is quiet. */
  async function rotate(path: string, move: (from: string, to: string) => Promise<void>): Promise<void> {
    for (const n of [3, 2, 1]) await rename(`${path}.${n}`, `${path}.${n + 1}`).catch(() => undefined)
    if (await exists(`${path}.4`)) await t.sweep()
    await rm(`${path}.4`, { force: true })
    await move(path, `${path}.1`).catch(() => undefined)
  }

  function endLine(path: string): void {
    const rest = unfinished.get(path)
    unfinished.delete(path)
    if (rest !== undefined) written.push(rest)
  }

  async function exists(path: string): Promise<boolean> {
    return (await readdir(t.dir)).some((name) => join(t.dir, name) === path)
  }

  async function play(action: Action): Promise<void> {
    const path = nameOf(action.file)
    if (action.deed === 'append') await append(path, action.lines)
    else if (action.deed === 'append partly') await appendPartly(path)
    else if (action.deed === 'look') await t.sweep()
    else if (action.deed === 'kill') await kill(action.lines > 10)
    else if (await exists(path)) await rearrange(action.deed, path)
  }

  async function kill(afterReading: boolean): Promise<void> {
    if (afterReading) await t.source.sweep() // and before it is numbered
    await t.restart()
  }

  async function rearrange(what: Deed, path: string): Promise<void> {
    if (what === 'rename') {
      await rotate(path, rename)
      // Whoever finds a rotated file finds its unfinished line too, unless its writer goes on.
      const rest = unfinished.get(path)
      if (rest !== undefined) await appendFile(`${path}.1`, '\n')
      return endLine(path)
    }
    // Without a copy, only what was read can be taken away without a loss; an unfinished line would be one.
    if (unfinished.has(path)) await append(path, 1)
    await t.sweep()
    if (what === 'copy and truncate') {
      await rotate(path, copyFile)
      await truncate(path)
    } else if (what === 'truncate') await truncate(path)
    else await rm(path)
    await t.sweep()
  }

  return {
    play,
    written,
    finish: async () => {
      for (const path of unfinished.keys()) await append(path, 1)
    },
  }
}

const settings = { numRuns: 60, interruptAfterTimeLimit: 8_000 }

test('every line is numbered exactly once, whatever writers and rotations do and whenever the collector is killed', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(action, { minLength: 10, maxLength: 60 }), async (actions) => {
      await using t = await startTailing({ openMax: 3 })
      const writer = createWriter(t)
      for (const action of actions) {
        await writer.play(action)
        await t.clock.advance(300)
      }
      await writer.finish()
      await t.sweep()
      await t.clock.advance(6_000)
      await t.sweep()
      await t.sweep()
      expect(t.texts().toSorted()).toEqual(writer.written.toSorted())
      expect(t.spool.drops().filter(({ bytes }) => bytes !== null)).toEqual([])
    }),
    settings,
  )
})
