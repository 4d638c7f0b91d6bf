import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, test } from 'vitest'
import { isDiskFull, nodeFs } from '../../../core/fs.ts'
import { fsContract } from '../../contracts/fs.ts'
import { PowerLoss, createPowerLossFs } from '../../support/power-loss-fs.ts'
import { seededRandom } from '../../support/random.ts'
import type { PowerLossFs } from '../../support/power-loss-fs.ts'

const folders: string[] = []

async function makeFolder(): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), 'noctule-fs-'))
  folders.push(dir)
  return dir
}

afterEach(async () => {
  for (const dir of folders.splice(0)) await rm(dir, { recursive: true })
})

fsContract('node', async () => ({ fs: nodeFs, dir: await makeFolder() }))

fsContract('power loss', async () => {
  const fs = createPowerLossFs()
  await fs.mkdir('/data')
  return { fs, dir: '/data' }
})

test('node fs: replaceFile gives the mode that was asked for, also over a leftover', async () => {
  const dir = await makeFolder()
  const leftover = await nodeFs.openAppend(join(dir, 'secret.tmp'))
  await leftover.close()
  await nodeFs.replaceFile(join(dir, 'secret'), Buffer.from('x'), { mode: 0o600 })
  expect((await stat(join(dir, 'secret'))).mode & 0o777).toBe(0o600)
})

test('node fs: kill -9 frees the lock', async () => {
  const dir = await makeFolder()
  const script = `
    const { nodeFs } = await import(${JSON.stringify(new URL('../../../core/fs.ts', import.meta.url).href)})
    await nodeFs.lock(${JSON.stringify(dir)})
    process.stdout.write('locked')
    setInterval(() => {}, 1000)`
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  await once(child.stdout, 'data')
  await expect(nodeFs.lock(dir)).rejects.toMatchObject({ code: 'DATA_DIR_IN_USE' })
  child.kill('SIGKILL')
  await once(child, 'exit')
  await (await nodeFs.lock(dir)).release()
})

test.each([
  { name: 'no space', error: Object.assign(new Error('x'), { code: 'ENOSPC' }), full: true },
  { name: 'quota', error: Object.assign(new Error('x'), { code: 'EDQUOT' }), full: true },
  { name: 'another error', error: Object.assign(new Error('x'), { code: 'EIO' }), full: false },
  { name: 'not an error', error: 'ENOSPC', full: false },
])('isDiskFull: $name', ({ error, full }) => {
  expect(isDiskFull(error)).toBe(full)
})

describe('power-loss fs', () => {
  async function withFile(text: string): Promise<PowerLossFs> {
    const fs = createPowerLossFs()
    await fs.mkdir('/d')
    const file = await fs.openAppend('/d/a')
    await file.write(Buffer.from(text))
    await file.sync()
    await fs.syncDir('/d')
    return fs
  }

  const content = async (fs: PowerLossFs, path: string) => (await fs.readFile(path)).toString()

  test('forgets bytes that were not synced, and keeps the others', async () => {
    const fs = await withFile('safe')
    const file = await fs.openAppend('/d/a')
    await file.write(Buffer.from(' loose'))
    expect(await content(fs.crash(), '/d/a')).toBe('safe')
  })

  test('forgets names that were not synced', async () => {
    const fs = await withFile('safe')
    const file = await fs.openAppend('/d/b')
    await file.write(Buffer.from('x'))
    await file.sync()
    await fs.rename('/d/a', '/d/c')
    expect(await fs.list('/d')).toEqual(['b', 'c'])
    const next = fs.crash()
    expect(await next.list('/d')).toEqual(['a'])
    expect(await content(next, '/d/a')).toBe('safe')
  })

  test('forgets a truncation that was not synced, whatever was written over it', async () => {
    const fs = await withFile('0123456789')
    await fs.truncate('/d/a', 4)
    const file = await fs.openAppend('/d/a')
    await file.write(Buffer.from('xxxx'))
    expect(await content(fs, '/d/a')).toBe('0123xxxx')
    expect(await content(fs.crash(), '/d/a')).toBe('0123456789')
  })

  test('kill keeps every byte and frees the locks', async () => {
    const fs = await withFile('safe')
    await fs.lock('/d')
    const file = await fs.openAppend('/d/a')
    await file.write(Buffer.from(' loose'))
    const next = fs.kill()
    expect(await content(next, '/d/a')).toBe('safe loose')
    await next.lock('/d')
    await expect(fs.list('/d')).rejects.toBeInstanceOf(PowerLoss)
  })

  test('a random crash keeps what was synced, and sometimes a part of the rest', async () => {
    const seen = new Set<string>()
    for (let seed = 0; seed < 50; seed += 1) {
      const fs = await withFile('safe')
      const file = await fs.openAppend('/d/a')
      await file.write(Buffer.from('-loose'))
      const found = await content(fs.crash(seededRandom(seed)), '/d/a')
      expect(found.startsWith('safe')).toBe(true)
      seen.add(found)
    }
    expect(seen.size).toBeGreaterThan(4)
  })

  test('cuts at the chosen operation and stays dead', async () => {
    const fs = await withFile('safe')
    fs.crashAt(fs.operations + 2)
    const file = await fs.openAppend('/d/a')
    await file.write(Buffer.from('1'))
    await expect(file.sync()).rejects.toBeInstanceOf(PowerLoss)
    await expect(file.write(Buffer.from('2'))).rejects.toBeInstanceOf(PowerLoss)
    await expect(fs.readFile('/d/a')).rejects.toBeInstanceOf(PowerLoss)
    expect(await content(fs.crash(), '/d/a')).toBe('safe')
  })

  test('a replaced file is old or new at every boundary', async () => {
    for (let cut = 1; cut <= 5; cut += 1) {
      const fs = await withFile('old')
      fs.crashAt(fs.operations + cut)
      await expect(fs.replaceFile('/d/a', Buffer.from('new'))).rejects.toBeInstanceOf(PowerLoss)
      expect(['old', 'new']).toContain(await content(fs.crash(seededRandom(cut)), '/d/a'))
    }
  })

  test('a full disk takes what fits, says ENOSPC, and recovers when there is room', async () => {
    const fs = await withFile('1234')
    fs.diskBytesMax = 6
    const file = await fs.openAppend('/d/a')
    const error: unknown = await file.write(Buffer.from('5678')).catch((thrown: unknown) => thrown)
    expect(isDiskFull(error)).toBe(true)
    expect(file.size).toBe(6)
    fs.diskBytesMax = 100
    await file.write(Buffer.from('x'))
    expect(await content(fs, '/d/a')).toBe('123456x')
  })

  test('a fault makes one operation fail without effect', async () => {
    const fs = await withFile('safe')
    fs.fault = (operation) => (operation === 'write' ? new Error('EIO') : undefined)
    const file = await fs.openAppend('/d/a')
    await expect(file.write(Buffer.from('x'))).rejects.toThrow('EIO')
    fs.fault = undefined
    expect(await content(fs, '/d/a')).toBe('safe')
  })
})
