import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Writable } from 'node:stream'
import { expect, test } from 'vitest'
import { createProgram, runProgram } from '../../../cli/commands.ts'
import { addStoreCommands } from '../../../cli/store.ts'
import type { StoreInspection } from '../../../cli/store.ts'
import { processTerminal } from '../../../cli/terminal.ts'
import { ServiceError } from '../../../core/errors.ts'
import { createWorkspace } from '../../support/workspace.ts'

const HOUR_MS = 3_600_000
const WHOLE = { files: 5, bytes: 3 << 20, records: 1_234, segments: 1, problems: [] }
const TOTALS = {
  records: 1_234,
  unsealedRecords: 34,
  bytes: 3 << 20,
  partitions: [
    {
      class: 'logs',
      fromMs: 0,
      toMs: HOUR_MS,
      segments: 2,
      records: 1_200,
      bytes: 2 << 20,
      purgeAtMs: 4 * HOUR_MS,
    },
    { class: 'all', fromMs: 0, toMs: HOUR_MS, segments: 1, records: 1, bytes: 1, purgeAtMs: Infinity },
  ],
  purged: { partitions: 3, records: 900, bytes: 1 << 20 },
  setAside: [
    { file: '000000000001.parquet', problem: 'checksum is wrong', atMs: 9, fromMs: 0, toMs: 1, records: 1 },
  ],
}

/** Runs `noctule store …` over an inspection that the test makes. */
async function run(
  args: readonly string[],
  made: Partial<StoreInspection>,
): Promise<{ out: string; err: string; code: number | undefined; closed: boolean; dir: string }> {
  using workspace = createWorkspace()
  const configFile = join(workspace.dir, 'store.yaml')
  writeFileSync(configFile, `dataDir: ${workspace.dataDir}\n`)
  const seen = { out: '', err: '', code: undefined as number | undefined, closed: false, dir: '' }
  const sink = (name: 'out' | 'err') =>
    new Writable({
      write(chunk, _encoding, done) {
        seen[name] += String(chunk)
        done()
      },
    })
  const terminal = {
    ...processTerminal(),
    stdout: sink('out'),
    stderr: sink('err'),
    setExitCode: (code: number) => void (seen.code = code),
    exit(code: number): never {
      throw new Error(`ended with ${code}`)
    },
  }
  const program = createProgram('0', terminal)
  const open = async ({ dir }: { dir: string }): Promise<StoreInspection> => {
    seen.dir = dir.slice(workspace.dataDir.length + 1)
    return {
      verify: async () => WHOLE,
      stats: async () => TOTALS,
      close: async () => void (seen.closed = true),
      ...made,
    }
  }
  addStoreCommands(program, open, terminal)
  await runProgram(program, ['store', ...args, '--config', configFile], terminal)
  return seen
}

test('verify says that nothing is damaged', async () => {
  const { out, code, closed, dir } = await run(['verify'], {})
  expect(out).toBe(
    'no damage: 5 files, 3.0 MiB, 1,234 records in 1 segment and the logs\n1 file set aside before: see "noctule store stats"\n',
  )
  expect({ code, closed, dir }).toEqual({ code: 0, closed: true, dir: 'store' })
})

test('verify names what is damaged, without control characters, and ends with 1', async () => {
  const problems = [{ file: 'seg/1.parquet', problem: 'bad \u001b[31m bytes' }]
  const { out, code } = await run(['verify'], { verify: async () => ({ ...WHOLE, problems }) })
  expect(out).toContain('seg/1.parquet: bad ')
  expect(out).not.toContain('\u001b')
  expect(out).toContain('1 problem: 5 files')
  expect(code).toBe(1)
})

test('a store that is in use is an error of one line', async () => {
  const refuse = async (): Promise<never> => {
    throw new ServiceError('DATA_DIR_IN_USE', 'another process owns it')
  }
  const { err, code } = await run(['stats'], { stats: refuse })
  expect(err).toBe('noctule: another process owns it\n')
  expect(code).toBe(1)
})

test('stats shows partitions, sizes, what was purged and what was set aside', async () => {
  const { out, code } = await run(['stats'], {})
  const lines = out.split('\n').map((line) => line.replaceAll(/ +/g, ' '))
  expect(lines).toEqual([
    'class from to segments records size purged at',
    'logs 1970-01-01T00:00:00 1970-01-01T01:00:00 2 1200 2.0 MiB 1970-01-01T04:00:00',
    'all 1970-01-01T00:00:00 1970-01-01T01:00:00 1 1 0.0 MiB never',
    '1,234 records, 34 of them not sealed yet; 3.0 MiB on disk',
    'purged so far: 3 partitions, 900 records, 1.0 MiB',
    'set aside: 000000000001.parquet: checksum is wrong',
    '',
  ])
  expect(code).toBe(0)
})

test('stats --json is one object for programs', async () => {
  const { out } = await run(['stats', '--json'], {})
  expect(JSON.parse(out)).toEqual(JSON.parse(JSON.stringify(TOTALS)))
})
