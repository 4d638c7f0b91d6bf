import { execFileSync } from 'node:child_process'
import { appendFileSync, closeSync, mkdirSync, openSync, rmSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { allMessages, compareOnce, search, untilFound } from '../support/answers.ts'
import { startProgram } from '../support/program.ts'
import { createWorkspace } from '../support/workspace.ts'

const DISK = '48m'

function mountSmallDisk(path: string): boolean {
  mkdirSync(path, { recursive: true })
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${DISK}`, 'noctule-test', path], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}

function fillDisk(file: string): void {
  const fd = openSync(file, 'w')
  try {
    for (let size = 1 << 20; size >= 1;) {
      try {
        writeSync(fd, Buffer.alloc(size))
      } catch {
        size >>= 1
      }
    }
  } finally {
    closeSync(fd)
  }
}

test('a full disk: lines wait in their files, the API answers what it has, and it recovers without a restart', async ({
  skip,
}) => {
  using workspace = createWorkspace()
  skip(!mountSmallDisk(workspace.dataDir), 'mounting a small disk needs root')
  try {
    const program = await startProgram(workspace)
    const file = join(workspace.logs, 'app.log')
    appendFileSync(file, 'fulldisk line before\n')
    await untilFound(program, 'fulldisk', 1)

    const filler = join(workspace.dataDir, 'filler')
    fillDisk(filler)
    const lines = Array.from({ length: 20_000 }, (_, i) => `fulldisk line ${i} ${'x'.repeat(100)}`)
    appendFileSync(file, `${lines.join('\n')}\n`)
    await untilFound(program, 'before', 1)
    const during = await search(program, 'fulldisk', { from: 'now-15m', to: 'now' })
    expect(during.records.some((record) => record.message === 'fulldisk line before')).toBe(true)

    rmSync(filler)
    await untilFound(program, 'fulldisk', lines.length + 1)
    const found = await allMessages(program, 'fulldisk')
    expect(compareOnce(['fulldisk line before', ...lines], found)).toEqual({
      missing: [],
      twice: [],
      foreign: [],
    })
    expect(await program.stop()).toBe(0)
  } finally {
    execFileSync('umount', ['-l', workspace.dataDir])
  }
})
