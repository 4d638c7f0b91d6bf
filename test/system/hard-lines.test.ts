import { appendFileSync, renameSync, rmSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { search, untilFound } from '../support/answers.ts'
import { startProgram, until } from '../support/program.ts'
import { createWorkspace } from '../support/workspace.ts'

test('binary, NUL-filled, over-long and half-written lines are kept once each, and their neighbours too', async () => {
  using workspace = createWorkspace()
  const program = await startProgram(workspace)
  const file = join(workspace.logs, 'app.log')
  appendFileSync(file, 'hardline before\r\n')
  appendFileSync(
    file,
    Buffer.concat([Buffer.from('hardline binary '), Buffer.from([0xff, 0xfe, 0x80, 0x00, 0x07, 0x0a])]),
  )
  appendFileSync(file, Buffer.concat([Buffer.alloc(100_000), Buffer.from('hardline behind a hole\n')]))
  appendFileSync(file, `hardline long ${'x'.repeat(10 << 20)}\n`)
  appendFileSync(file, 'hardline half ')
  await untilFound(program, 'hardline', 4)
  appendFileSync(file, 'and half\nhardline after\n')
  await untilFound(program, 'hardline', 6)

  const { records } = await search(program, 'hardline')
  const starts = records.map(({ message }) => message.slice(0, 22)).toSorted()
  expect(starts).toEqual([
    'hardline after',
    'hardline before',
    'hardline behind a hole',
    'hardline binary ���\ufffd\x07',
    'hardline half and half',
    'hardline long xxxxxxxx',
  ])
  const long = records.find(({ message }) => message.startsWith('hardline long'))
  expect(long).toMatchObject({ attrs: { cut_from_bytes: 14 + (10 << 20) } })
  const hole = records.find(({ message }) => message === 'hardline behind a hole')
  expect(hole).toMatchObject({ attrs: { nul_bytes: 100_000 } })
  await program.stop()
})

test('files that come late, rotate, vanish or cannot be read do not disturb the others', async () => {
  using workspace = createWorkspace()
  symlinkSync(join(workspace.dir, 'nowhere'), join(workspace.logs, 'broken.log'))
  const program = await startProgram(workspace)
  const at = (name: string) => join(workspace.logs, name)
  appendFileSync(at('one.log'), 'rotated first\n')
  appendFileSync(at('two.log'), 'rotated second\n')
  await untilFound(program, 'rotated', 2)
  renameSync(at('one.log'), at('one.log.1'))
  appendFileSync(at('one.log.1'), 'rotated third, into the renamed file\n')
  appendFileSync(at('one.log'), 'rotated fourth, into the new file\n')
  rmSync(at('two.log'))
  appendFileSync(at('three.log'), 'rotated fifth, in a file that came late\n')
  await untilFound(program, 'rotated', 5)
  expect((await search(program, 'rotated')).records).toHaveLength(5)
  // It is told once it was missing for long enough not to be a file on its way.
  await until(
    () => program.output().includes('broken.log') || undefined,
    20_000,
    () => program.output(),
  )
  await program.stop()
})
