import { expect, test } from 'vitest'
import { crashRun } from '../support/crash-run.ts'
import { createWorkspace } from '../support/workspace.ts'

test('kill -9 at random moments under load: every line is found exactly once', async () => {
  using workspace = createWorkspace(
    'collector: { files: [{ paths: ["{logs}/*.log"] }] }\nstore: { segmentRecords: 20000 }\n',
  )
  const { written, difference, exit } = await crashRun(workspace, { kills: 6, seed: 1 })
  expect(written).toBeGreaterThan(1_000)
  expect(difference).toEqual({ missing: [], twice: [], foreign: [] })
  expect(exit).toBe(0)
})
