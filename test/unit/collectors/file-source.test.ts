import {
  appendFile,
  copyFile,
  link,
  mkdir,
  open,
  rename,
  rm,
  symlink,
  truncate,
  writeFile,
} from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test, vi } from 'vitest'
import { ServiceError } from '../../../core/errors.ts'
import { startTailing } from '../../support/tailing.ts'

const at = (tailing: { dir: string }, name: string) => join(tailing.dir, name)

describe('discovery', () => {
  test('every file that a pattern matches is read from its start, with its path and offsets', async () => {
    await using t = await startTailing({ paths: ['*.log', 'deep/**/*.txt'] })
    await mkdir(at(t, 'deep/er'), { recursive: true })
    await writeFile(at(t, 'a.log'), 'a1\na2\n')
    await writeFile(at(t, 'deep/er/b.txt'), 'b1\n')
    await writeFile(at(t, 'c.other'), 'c1\n')
    await t.sweep()
    // Which file comes first is nobody's promise.
    const byPath = t.spool
      .lines()
      .toSorted((one, other) => (one.path < other.path ? -1 : Number(one.path > other.path)))
    expect(byPath).toEqual([
      { path: at(t, 'a.log'), offset: 0, text: 'a1' },
      { path: at(t, 'a.log'), offset: 3, text: 'a2' },
      { path: at(t, 'deep/er/b.txt'), offset: 0, text: 'b1' },
    ])
  })

  test('excluded and compressed files are not read', async () => {
    await using t = await startTailing({ paths: ['**/*'], exclude: ['debug*', '**/tmp/*.log'] })
    await mkdir(at(t, 'tmp'))
    for (const name of ['debug.log', 'tmp/x.log', 'a.log.1.gz', 'a.log'])
      await writeFile(at(t, name), `${name}\n`)
    await t.sweep()
    expect(t.texts()).toEqual(['a.log'])
  })

  test('a file with two names is read once', async () => {
    await using t = await startTailing()
    await writeFile(at(t, 'a.log'), 'a1\n')
    await link(at(t, 'a.log'), at(t, 'b.log'))
    await symlink(at(t, 'a.log'), at(t, 'c.log'))
    await t.sweep()
    await appendFile(at(t, 'a.log'), 'a2\n')
    await t.sweep()
    expect(t.texts()).toEqual(['a1', 'a2'])
  })

  test('the fields of the configuration ride with the batch', async () => {
    await using t = await startTailing()
    await writeFile(at(t, 'a.log'), 'a1\n')
    await t.sweep()
    expect(t.spool.headers[0]).toMatchObject({
      host: 'h1',
      kind: 'lines',
      records: 1,
      sources: [{ path: at(t, 'a.log') }],
    })
  })
})

describe('lines', () => {
  test('an unfinished last line waits for its newline', async () => {
    await using t = await startTailing()
    await writeFile(at(t, 'a.log'), 'one\ntw')
    await t.sweep()
    expect(t.texts()).toEqual(['one'])
    await appendFile(at(t, 'a.log'), 'o\nthr')
    await t.sweep()
    expect(t.texts()).toEqual(['one', 'two'])
  })

  test('bytes come through as they are: NULs, CRLF, broken UTF-8, empty lines', async () => {
    await using t = await startTailing()
    const bytes = Buffer.from('\0a\0\r\n\n\xff\xfe\xc3\n', 'latin1')
    await writeFile(at(t, 'a.log'), bytes)
    await t.sweep()
    expect(t.texts()).toEqual(['\0a\0\r', '', '\xff\xfe\xc3'])
  })

  test('a line longer than the limit is cut and says how long it was', async () => {
    await using t = await startTailing({ config: { lineBytesMax: 300 } })
    await writeFile(at(t, 'a.log'), `${'x'.repeat(300)}\n${'y'.repeat(301)}\nend\n`)
    await t.sweep()
    expect(t.spool.lines().map(({ text, cutFrom, offset }) => [text.length, cutFrom, offset])).toEqual([
      [300, undefined, 0],
      [300, 301, 301],
      [3, undefined, 603],
    ])
  })

  test('a line of many reads is cut, also when it is written in pieces', async () => {
    await using t = await startTailing()
    const piece = Buffer.alloc(700_000, 'x')
    for (let i = 0; i < 5; i++) {
      await appendFile(at(t, 'a.log'), piece)
      await t.sweep()
    }
    await appendFile(at(t, 'a.log'), '\nend\n')
    await t.sweep()
    expect(t.spool.lines().map(({ text, cutFrom, offset }) => [text.length, cutFrom, offset])).toEqual([
      [256 << 10, 3_500_000, 0],
      [3, undefined, 3_500_001],
    ])
  })

  test('a backlog of many reads comes through as it is, also while the spool refuses it', async () => {
    await using t = await startTailing()
    const lines = Array.from({ length: 40_000 }, (_, line) => `${line} ${'x'.repeat(line % 200)}`)
    await writeFile(at(t, 'a.log'), `${lines.join('\n')}\n`)
    let refusals = 0
    const refusal = () => (refusals++ < 5 ? new ServiceError('OVERLOADED', 'the spool is full') : null)
    Object.defineProperty(t.spool, 'refusal', { get: refusal })
    await t.sweep()
    expect(t.texts()).toEqual(lines)
    expect(refusals).toBeGreaterThan(5)
  })

  test('a line longer than one read but within the limit is whole', async () => {
    await using t = await startTailing({ config: { lineBytesMax: 2 << 20 } })
    await writeFile(at(t, 'a.log'), `${'x'.repeat(1_500_000)}\nend\n`)
    await t.sweep()
    expect(t.spool.lines().map(({ text }) => text.length)).toEqual([1_500_000, 3])
  })
})

describe('rotation', () => {
  test('a renamed file is read to its end and the new one from its start', async () => {
    await using t = await startTailing({ paths: ['*.log'] })
    await writeFile(at(t, 'a.log'), 'old1\n')
    await t.sweep()
    await appendFile(at(t, 'a.log'), 'old2\n')
    await rename(at(t, 'a.log'), at(t, 'a.log.1'))
    await writeFile(at(t, 'a.log'), 'new1\n')
    await t.sweep()
    await appendFile(at(t, 'a.log.1'), 'old3\n')
    await t.sweep()
    expect(t.texts().toSorted()).toEqual(['new1', 'old1', 'old2', 'old3'])
    expect(new Set(t.spool.lines().map(({ path }) => path))).toEqual(new Set([at(t, 'a.log')]))
    expect(t.spool.drops()).toEqual([])
  })

  test('renamed files that the pattern matches too are not read again', async () => {
    await using t = await startTailing()
    await writeFile(at(t, 'a.log'), 'one\n')
    await t.sweep()
    for (const text of ['two', 'three']) {
      await rename(at(t, 'a.log.1'), at(t, 'a.log.2')).catch(() => undefined)
      await rename(at(t, 'a.log'), at(t, 'a.log.1'))
      await writeFile(at(t, 'a.log'), `${text}\n`)
      await t.sweep()
    }
    await t.restart()
    await t.sweep()
    expect(t.texts()).toEqual(['one', 'two', 'three'])
  })

  test('a deleted file is read to its end, and its last line without a newline is given', async () => {
    await using t = await startTailing()
    await writeFile(at(t, 'a.log'), 'one\n')
    await t.sweep()
    await appendFile(at(t, 'a.log'), 'two\nlast')
    await rm(at(t, 'a.log'))
    await t.sweep()
    expect(t.texts()).toEqual(['one', 'two'])
    await t.clock.advance(6_000)
    await t.sweep()
    await t.sweep()
    expect(t.texts()).toEqual(['one', 'two', 'last'])
    expect(t.source.status()).toMatchObject({ files: 0, open: 0 })
    expect(t.spool.positions()).toEqual({})
    expect(t.spool.drops()).toEqual([])
  })

  test('an inode that is used again is a new file', async () => {
    await using t = await startTailing()
    await writeFile(at(t, 'a.log'), 'first file\n')
    await t.sweep()
    const before = t.spool.positions()
    await t.restart()
    // The file system decides about inodes, so the position is what is made to look re-used.
    await rm(at(t, 'a.log'))
    await writeFile(at(t, 'b.log'), 'second file, longer\n')
    const { ino, dev } = await open(at(t, 'b.log')).then(async (handle) => {
      const stats = await handle.stat({ bigint: true })
      await handle.close()
      return stats
    })
    const [position] = Object.values(before)
    await t.spool.append(
      { header: { sources: [], runs: [], drops: [] }, body: Buffer.alloc(0) },
      { [`${dev}:${ino}`]: { ...position, dev: `${dev}`, ino: `${ino}` } },
    )
    await t.restart()
    await t.sweep()
    expect(t.texts()).toEqual(['first file', 'second file, longer'])
  })
})

describe('truncation', () => {
  test('a truncated file is read from its start', async () => {
    await using t = await startTailing()
    await writeFile(at(t, 'a.log'), 'one\ntwo\n')
    await t.sweep()
    await truncate(at(t, 'a.log'))
    await appendFile(at(t, 'a.log'), 'three\n')
    await t.sweep()
    await t.clock.advance(4_000)
    await t.sweep()
    expect(t.texts()).toEqual(['one', 'two', 'three'])
    expect(t.spool.drops()).toEqual([])
  })

  test.each([
    { name: 'longer', text: 'three, and longer than before\n' },
    { name: 'as long', text: 'ONE\nTWO\n' },
  ])(
    'a file that was emptied and refilled ($name) between two looks is read from its start',
    async ({ text }) => {
      await using t = await startTailing()
      await writeFile(at(t, 'a.log'), 'one\ntwo\n')
      await t.sweep()
      await truncate(at(t, 'a.log'))
      await appendFile(at(t, 'a.log'), text)
      await t.sweep()
      expect(t.texts()).toEqual(['one', 'two', ...text.trim().split('\n')])
    },
  )

  test('what was truncated before it was read is told', async () => {
    await using t = await startTailing()
    await writeFile(at(t, 'a.log'), 'one\nunfinished')
    await t.sweep()
    await truncate(at(t, 'a.log'))
    await t.sweep()
    expect(t.spool.drops()).toEqual([])
    await t.clock.advance(4_000)
    await t.sweep()
    expect(t.spool.drops()).toMatchObject([
      { reason: 'truncated before it was read', records: null, bytes: 10 },
    ])
  })

  test('a copy made before the truncation is read only where the original was not', async () => {
    await using t = await startTailing()
    await writeFile(at(t, 'a.log'), 'one\ntwo\n')
    await t.sweep()
    await appendFile(at(t, 'a.log'), 'three\n')
    await copyFile(at(t, 'a.log'), at(t, 'a.log.1'))
    await truncate(at(t, 'a.log'))
    await appendFile(at(t, 'a.log'), 'four\n')
    await t.sweep()
    await t.sweep()
    expect(t.texts().toSorted()).toEqual(['four', 'one', 'three', 'two'])
    await t.restart()
    await t.sweep()
    expect(t.texts()).toHaveLength(4)
    expect(t.spool.drops()).toEqual([])
  })

  test('a copy that is seen while it is made waits for the truncation', async () => {
    await using t = await startTailing()
    await writeFile(at(t, 'a.log'), 'one\ntwo\n')
    await t.sweep()
    await copyFile(at(t, 'a.log'), at(t, 'a.log.1'))
    await t.sweep()
    expect(t.source.readThroughMs()).toBe(0)
    await t.clock.advance(1_000)
    await truncate(at(t, 'a.log'))
    await t.sweep()
    await t.sweep()
    expect(t.texts()).toEqual(['one', 'two'])
    expect(t.source.readThroughMs()).toBe(1_000)
  })

  test('two files that start alike are two files', async () => {
    await using t = await startTailing()
    await writeFile(at(t, 'a.log'), 'listening\n')
    await t.sweep()
    await writeFile(at(t, 'a.log.1'), 'listening\n')
    await writeFile(at(t, 'b.log'), 'listening\n')
    await t.sweep()
    await t.clock.advance(6_000)
    await t.sweep()
    expect(t.texts()).toEqual(['listening', 'listening', 'listening'])
  })

  test('the hole that a writer without O_APPEND leaves is skipped', async () => {
    await using t = await startTailing()
    const writer = await open(at(t, 'a.log'), 'w')
    await writer.write('x'.repeat(1_200_000))
    await writer.write('\n')
    await t.sweep()
    await truncate(at(t, 'a.log'))
    await writer.write('after\n')
    await writer.close()
    await t.sweep()
    await t.sweep()
    expect(t.spool.lines().map(({ text, offset }) => [text.slice(0, 5), offset])).toEqual([
      ['xxxxx', 0],
      ['after', 1_200_001],
    ])
  })
})

describe('restart', () => {
  test('reading goes on exactly where numbering ended', async () => {
    await using t = await startTailing()
    await writeFile(at(t, 'a.log'), 'one\n')
    await t.sweep()
    await appendFile(at(t, 'a.log'), 'two\n')
    await t.source.sweep() // read, and killed before it was numbered
    await t.restart()
    await t.sweep()
    expect(t.texts()).toEqual(['one', 'two'])
  })

  test('a file that was renamed meanwhile is found and read to its end', async () => {
    await using t = await startTailing({ paths: ['*.log'] })
    await writeFile(at(t, 'a.log'), 'one\n')
    await t.sweep()
    await appendFile(at(t, 'a.log'), 'two\n')
    await rename(at(t, 'a.log'), at(t, 'a.log.1'))
    await writeFile(at(t, 'a.log'), 'three\n')
    await t.restart()
    await t.sweep()
    expect(t.texts().toSorted()).toEqual(['one', 'three', 'two'])
    expect(t.spool.drops()).toEqual([])
  })

  test.each([
    { name: 'deleted', reason: 'deleted before it was read', change: (path: string) => rm(path) },
    { name: 'truncated', reason: 'truncated before it was read', change: (path: string) => truncate(path) },
  ])('a file that was $name meanwhile may have lost lines: that is told', async ({ reason, change }) => {
    await using t = await startTailing()
    await writeFile(at(t, 'a.log'), 'one\n')
    await t.sweep()
    await change(at(t, 'a.log'))
    await t.restart()
    await t.sweep()
    await t.clock.advance(4_000)
    await t.sweep()
    expect(t.spool.drops()).toMatchObject([{ reason, records: null, bytes: null, path: at(t, 'a.log') }])
    await t.restart()
    await t.sweep()
    expect(t.spool.drops()).toHaveLength(1)
  })

  test('a device that was numbered anew does not make files new', async () => {
    await using t = await startTailing()
    await writeFile(at(t, 'a.log'), 'one\n')
    await t.sweep()
    const [[key, position] = ['', {}]] = Object.entries(t.spool.positions())
    await t.spool.append(
      { header: { sources: [], runs: [], drops: [] }, body: Buffer.alloc(0) },
      { [key]: null, [`77:${String(position?.['ino'])}`]: { ...position, dev: '77' } },
    )
    await t.restart()
    await t.sweep()
    expect(t.texts()).toEqual(['one'])
    expect(Object.keys(t.spool.positions())).toEqual([key])
  })
})

describe('bounds and faults', () => {
  test('thousands of files need only the allowed handles', async () => {
    await using t = await startTailing({ openMax: 8 })
    const names = Array.from({ length: 300 }, (_, i) => `f${i}.log`)
    await Promise.all(names.map((name) => writeFile(at(t, name), `${name}:1\n`)))
    await t.sweep()
    await Promise.all(names.map((name) => appendFile(at(t, name), `${name}:2\n`)))
    await t.sweep()
    expect(t.source.status().open).toBeLessThanOrEqual(8)
    expect(t.texts().toSorted()).toEqual(names.flatMap((name) => [`${name}:1`, `${name}:2`]).toSorted())
  })

  test('a file whose handle was closed is found after its rotation', async () => {
    await using t = await startTailing({ paths: ['*.log'], openMax: 1 })
    await writeFile(at(t, 'a.log'), 'a1\n')
    await writeFile(at(t, 'b.log'), 'b1\n')
    await writeFile(at(t, 'c.log'), 'c1\n')
    await t.sweep()
    for (const name of ['a.log', 'b.log', 'c.log']) {
      await appendFile(at(t, name), `${name} end\n`)
      await rename(at(t, name), at(t, `${name}.1`))
    }
    await t.sweep()
    expect(t.texts().toSorted()).toEqual(['a.log end', 'a1', 'b.log end', 'b1', 'c.log end', 'c1'])
    expect(t.spool.drops()).toEqual([])
  })

  test('what cannot be read is told once, stands in the status, and is read when it can be', async () => {
    await using t = await startTailing()
    await mkdir(at(t, 'folder.log'))
    await symlink(at(t, 'loop.log'), at(t, 'loop.log'))
    await symlink(at(t, 'nowhere'), at(t, 'broken.log'))
    for (let i = 0; i < 3; i++) {
      await t.sweep()
      await t.clock.advance(1_000)
    }
    const warnings = t.log.filter(({ level }) => level === 'warn').map(({ fields }) => String(fields['path']))
    expect(warnings.toSorted()).toEqual([at(t, 'broken.log'), at(t, 'folder.log'), at(t, 'loop.log')])
    expect(
      t.source
        .status()
        .problems.map(({ path }) => path)
        .toSorted(),
    ).toEqual(warnings.toSorted())
    await writeFile(at(t, 'nowhere'), 'found\n')
    await t.sweep()
    expect(t.texts()).toEqual(['found'])
    expect(t.source.status().problems).toHaveLength(2)
    expect(t.log.some(({ message }) => message === 'file can be read again')).toBe(true)
  })

  test('a pattern that matches nothing stands in the status', async () => {
    await using t = await startTailing({ paths: ['*.log', 'no/such/*.log'] })
    await t.sweep()
    expect(t.source.status().problems).toMatchObject([
      { path: at(t, '*.log'), reason: 'matches no file' },
      { path: at(t, 'no/such/*.log'), reason: expect.stringContaining('cannot be read') as string },
    ])
  })

  test('while the spool is full nothing is read on, and afterwards nothing is missing', async () => {
    await using t = await startTailing({
      config: { batch: { bytesMax: 1024, recordsMax: 10, ageMsMax: 100 } },
    })
    const lines = Array.from({ length: 5_000 }, (_, i) => `line ${i}`)
    await writeFile(at(t, 'a.log'), `${lines.join('\n')}\n`)
    t.spool.refusal = new ServiceError('DISK_FULL', 'no space left')
    const sweep = t.source.sweep()
    await vi.waitFor(async () => {
      await t.clock.advance(100)
      expect(t.held()).toBe('no space left')
    })
    await t.clock.advance(10_000)
    expect(t.texts()).toEqual([])
    t.spool.refusal = null
    await vi.waitFor(async () => {
      await t.clock.advance(1_000)
      expect(t.held()).toBe(null)
    })
    await sweep
    await t.sweep()
    expect(t.texts()).toEqual(lines)
    expect(t.log.filter(({ message }) => /held|again/.test(message)).map(({ message }) => message)).toEqual([
      'the spool takes no batches: reading is held',
      'the spool takes batches again',
    ])
  })

  test('how far everything is read is known from the last look at each file', async () => {
    await using t = await startTailing()
    expect(t.source.readThroughMs()).toBe(null)
    await writeFile(at(t, 'a.log'), 'one\n')
    await t.clock.advance(500)
    await t.sweep()
    expect(t.source.readThroughMs()).toBe(500)
    await t.clock.advance(500)
    await t.sweep()
    expect(t.source.readThroughMs()).toBe(1_000)
  })

  test('a line is not older than the last time its file was read to its end', async () => {
    await using t = await startTailing()
    await writeFile(at(t, 'a.log'), 'one\n')
    await t.sweep()
    const readAtMs = t.clock.nowMs()
    await t.clock.advance(1_000)
    await appendFile(at(t, 'a.log'), 'two\n')
    await t.clock.advance(1_000)
    await t.sweep()
    expect(t.spool.headers.map(({ fromMs, toMs }) => [fromMs, toMs])).toEqual([
      [0, readAtMs],
      [readAtMs, readAtMs + 2_000],
    ])
  })
})
