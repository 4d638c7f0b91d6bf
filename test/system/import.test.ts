import { expect, test } from 'vitest'
import { search } from '../support/answers.ts'
import { runCli, startProgram } from '../support/program.ts'
import { createWorkspace } from '../support/workspace.ts'

test('import keeps the good lines with their own times, also fields of a newer version, and names the bad ones', async () => {
  using workspace = createWorkspace('collector: { files: [] }\n')
  const program = await startProgram({ ...workspace, role: 'site' })
  const time = new Date(Date.now() - 3_600_000).toISOString()
  const lines = [
    JSON.stringify({ time, message: 'imported one', service: 'shop', futureField: { deep: [1, 2] } }),
    '{"time": broken',
    JSON.stringify({ message: 'no time at all' }),
    JSON.stringify({ '@timestamp': time, message: 'imported two', 'log.level': 'ERROR' }),
  ]
  const { code, stdout, stderr } = await runCli(
    ['import', '-'],
    { NOCTULE_URL: program.url, NOCTULE_DATA_DIR: workspace.dataDir },
    lines.join('\n'),
  )
  expect(code).toBe(1)
  expect(stdout + stderr).toMatch(/line 2\b/)
  expect(stdout + stderr).toMatch(/line 3\b/)
  const { records } = await search(program, 'imported')
  expect(records.map((record) => record.time)).toEqual([time, time])
  expect(records).toContainEqual(
    expect.objectContaining({ service: 'shop', attrs: { 'futureField.deep': [1, 2] } }),
  )
  expect(records).toContainEqual(expect.objectContaining({ level: 'error', message: 'imported two' }))
  await program.stop()
})
