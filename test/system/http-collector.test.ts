import { createHash, randomBytes } from 'node:crypto'
import { appendFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { allMessages, compareOnce, search, untilFound } from '../support/answers.ts'
import { startProgram, until } from '../support/program.ts'
import { createWorkspace } from '../support/workspace.ts'

test('a collector delivers over HTTP; while the node is away it spools; the site is the credential’s', async () => {
  using here = createWorkspace()
  using there = createWorkspace()
  const token = randomBytes(32).toString('base64url')
  const sha256 = createHash('sha256').update(token).digest('hex')
  writeFileSync(
    there.configFile,
    `site: eu\ncollector: { files: [] }\naccess: { tokens: [{ name: web-1, role: collector, sha256: "${sha256}" }] }\n`,
  )
  const node = await startProgram({ ...there, role: 'site' })
  const port = Number(new URL(node.url).port)
  writeFileSync(
    here.configFile,
    `site: elsewhere\ncollector:\n  host: web-1\n  files: [{ paths: ["${here.logs}/*.log"] }]\n` +
      `  destinations: [{ name: eu, url: "${node.url}", token: "${token}" }]\n`,
  )
  const collector = await startProgram({ ...here, role: 'collector' })
  const file = join(here.logs, 'app.log')
  const lines = Array.from({ length: 3_000 }, (_, i) => `shipped line ${i}`)
  appendFileSync(file, `${lines.slice(0, 1000).join('\n')}\n`)
  await untilFound(node, 'shipped', 1000)
  expect((await search(node, 'shipped', { limit: '1' })).records[0]).toMatchObject({
    site: 'eu',
    host: 'web-1',
  })

  await node.kill()
  appendFileSync(file, `${lines.slice(1000, 2000).join('\n')}\n`)
  await collector.kill()
  const restarted = await startProgram({ ...here, role: 'collector' })
  appendFileSync(file, `${lines.slice(2000).join('\n')}\n`)
  const back = await startProgram({ ...there, role: 'site', port })
  await untilFound(back, 'shipped', 3000)
  expect(compareOnce(lines, await allMessages(back, 'shipped'))).toEqual({
    missing: [],
    twice: [],
    foreign: [],
  })
  await until(
    async () => ((await search(back, '', { from: 'now-15m', to: 'now' })).meta.complete ? true : undefined),
    20_000,
    () => back.output().slice(-2000),
    100,
  )
  expect(await restarted.stop()).toBe(0)
  expect(await back.stop()).toBe(0)
})
