import { expect, test } from 'vitest'
import { openDuckDb } from '../../../../adapters/store-embedded/duckdb.ts'
import { createWidth } from '../../../../adapters/store-embedded/width.ts'
import { createWorkspace } from '../../../support/workspace.ts'

function watched() {
  const events: string[] = []
  let timeMs = 0
  const width = createWidth(
    async (wide) => void events.push(wide ? 'all threads' : 'one thread'),
    () => timeMs,
  )
  const said = (text: string) => async () => void events.push(text)
  return { events, width, said, pass: (ms: number) => void (timeMs += ms) }
}

test('a wide statement gets all threads, and they stay for the next ones', async () => {
  const { events, width, said, pass } = watched()
  await width.narrow(said('a'))
  await Promise.all([width.wide(said('b')), width.wide(said('c'))])
  await width.narrow(said('d'))
  pass(999)
  await width.wide(said('e'))
  expect(events).toEqual(['a', 'all threads', 'b', 'c', 'd', 'e'])
})

test('a narrow statement some time later takes them back, unless another one runs', async () => {
  const { events, width, said, pass } = watched()
  await width.wide(said('a'))
  pass(1_001)
  const long = Promise.withResolvers<void>()
  const runs = width.wide(() => long.promise)
  await width.narrow(said('b'))
  long.resolve()
  await runs
  pass(1_001)
  await width.narrow(said('c'))
  expect(events).toEqual(['all threads', 'a', 'b', 'one thread', 'c'])
})

test('when the threads cannot be changed the statement fails, and the next one tries again', async () => {
  const answers = [Promise.reject(new Error('no threads')), Promise.resolve()]
  const width = createWidth(() => answers.shift() ?? Promise.reject(new Error('asked too often')))
  await expect(width.wide(async () => 1)).rejects.toThrow('no threads')
  await expect(width.wide(async () => 2)).resolves.toBe(2)
  await expect(width.wide(async () => 3)).resolves.toBe(3)
})

test('the engine has one thread until a wide statement', async () => {
  using workspace = createWorkspace()
  const sql = await openDuckDb({ memoryMbMax: 100, threads: 2, tempDir: workspace.dir })
  const threads = "SELECT current_setting('threads')::DOUBLE"
  const answers = [await sql.run(threads), await sql.runWide(threads)]
  sql.close()
  expect(answers.map((answer) => [...answer.chunks()].map(({ columns }) => columns))).toEqual([
    [[[1]]],
    [[[2]]],
  ])
})
