import { expect, test } from 'vitest'
import { crashRun } from '../support/crash-run.ts'
import { createWorkspace } from '../support/workspace.ts'

test('kill -9 at 50 random moments under load: every line is found exactly once', async () => {
  using workspace = createWorkspace(
    'collector: { files: [{ paths: ["{logs}/*.log"] }] }\nstore: { segmentRecords: 50000 }\n',
  )
  const { difference } = await crashRun(workspace, { kills: 50, seed: 50 })
  expect(difference).toEqual({ missing: [], twice: [], foreign: [] })
})
