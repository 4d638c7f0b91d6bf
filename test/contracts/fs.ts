import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import type { Fs } from '../../core/ports.ts'

/** Every Fs. `make` gives one with an empty folder. */
export function fsContract(name: string, make: () => Promise<{ fs: Fs; dir: string }>): void {
  describe(`fs contract: ${name}`, () => {
    bytesContract(make)
    namesContract(make)
    lockContract(make)
  })
}

type Make = () => Promise<{ fs: Fs; dir: string }>
const missing = { code: 'ENOENT' }

async function put(fs: Fs, path: string, text: string): Promise<void> {
  const file = await fs.openAppend(path)
  await file.write(Buffer.from(text))
  await file.sync()
  await file.close()
}

function bytesContract(make: Make): void {
  test('appends go to the end, also after reopening', async () => {
    const { fs, dir } = await make()
    const path = join(dir, 'a')
    const file = await fs.openAppend(path)
    expect(file.size).toBe(0)
    await file.write(Buffer.from('one '))
    await file.write(Buffer.alloc(0))
    await file.write(Buffer.from('two '))
    expect(file.size).toBe(8)
    await file.close()
    const again = await fs.openAppend(path)
    expect(again.size).toBe(8)
    await again.write(Buffer.from('three'))
    await again.sync()
    await again.close()
    expect((await fs.readFile(path)).toString()).toBe('one two three')
    expect(await fs.size(path)).toBe(13)
  })

  test('the caller may reuse its buffer once a write resolved', async () => {
    const { fs, dir } = await make()
    const file = await fs.openAppend(join(dir, 'a'))
    const bytes = Buffer.from('kept')
    await file.write(bytes)
    bytes.fill(0)
    await file.close()
    expect((await fs.readFile(join(dir, 'a'))).toString()).toBe('kept')
  })

  test('reads give what is there: whole, a part, short at the end, nothing behind it', async () => {
    const { fs, dir } = await make()
    await put(fs, join(dir, 'a'), '0123456789')
    const file = await fs.openRead(join(dir, 'a'))
    const read = async (offset: number, length: number) => (await file.read(offset, length)).toString()
    expect(await file.size()).toBe(10)
    expect([
      await read(0, 10),
      await read(3, 4),
      await read(8, 10),
      await read(10, 1),
      await read(50, 1),
    ]).toEqual(['0123456789', '3456', '89', '', ''])
    await file.close()
  })

  test('a file open for reading sees what is appended meanwhile, and outlives its name', async () => {
    const { fs, dir } = await make()
    await put(fs, join(dir, 'a'), 'one')
    const file = await fs.openRead(join(dir, 'a'))
    await put(fs, join(dir, 'a'), 'two')
    await fs.remove(join(dir, 'a'))
    expect((await file.read(0, 10)).toString()).toBe('onetwo')
    await file.close()
  })

  test('truncate cuts the end, and appends go on from there', async () => {
    const { fs, dir } = await make()
    await put(fs, join(dir, 'a'), '0123456789')
    await fs.truncate(join(dir, 'a'), 4)
    await fs.syncFile(join(dir, 'a'))
    await put(fs, join(dir, 'a'), 'x')
    expect((await fs.readFile(join(dir, 'a'))).toString()).toBe('0123x')
  })

  test('replaceFile gives a new or an old path the whole new content and leaves nothing else', async () => {
    const { fs, dir } = await make()
    await fs.replaceFile(join(dir, 'a'), Buffer.from('first, and longer'))
    await fs.replaceFile(join(dir, 'a'), Buffer.from('second'), { mode: 0o600 })
    expect((await fs.readFile(join(dir, 'a'))).toString()).toBe('second')
    expect(await fs.list(dir)).toEqual(['a'])
  })
}

function namesContract(make: Make): void {
  test('list gives every name in order, hidden ones and folders too, and nothing for a missing folder', async () => {
    const { fs, dir } = await make()
    for (const name of ['b', '.hidden', 'a.tmp']) await put(fs, join(dir, name), name)
    await fs.mkdir(join(dir, 'folder', 'inner'))
    expect(await fs.list(dir)).toEqual(['.hidden', 'a.tmp', 'b', 'folder'])
    expect(await fs.list(join(dir, 'folder'))).toEqual(['inner'])
    expect(await fs.list(join(dir, 'nowhere'))).toEqual([])
  })

  test('mkdir of a folder that is there changes nothing', async () => {
    const { fs, dir } = await make()
    await fs.mkdir(join(dir, 'x', 'y'))
    await put(fs, join(dir, 'x', 'y', 'z'), '1')
    await fs.mkdir(join(dir, 'x', 'y'))
    expect(await fs.list(join(dir, 'x', 'y'))).toEqual(['z'])
  })

  test('rename takes the place of what was there', async () => {
    const { fs, dir } = await make()
    await fs.mkdir(join(dir, 'other'))
    await put(fs, join(dir, 'a'), 'a')
    await put(fs, join(dir, 'b'), 'b')
    await fs.rename(join(dir, 'a'), join(dir, 'b'))
    await fs.rename(join(dir, 'b'), join(dir, 'other', 'c'))
    await fs.syncDir(dir)
    expect(await fs.list(dir)).toEqual(['other'])
    expect((await fs.readFile(join(dir, 'other', 'c'))).toString()).toBe('a')
  })

  test('remove removes, and a second time does nothing', async () => {
    const { fs, dir } = await make()
    await put(fs, join(dir, 'a'), 'a')
    await fs.remove(join(dir, 'a'))
    await fs.remove(join(dir, 'a'))
    expect(await fs.size(join(dir, 'a'))).toBeNull()
  })

  test('a missing file answers ENOENT', async () => {
    const { fs, dir } = await make()
    const path = join(dir, 'missing')
    await expect(fs.readFile(path)).rejects.toMatchObject(missing)
    await expect(fs.openRead(path)).rejects.toMatchObject(missing)
    await expect(fs.truncate(path, 0)).rejects.toMatchObject(missing)
    await expect(fs.rename(path, `${path}2`)).rejects.toMatchObject(missing)
    await expect(fs.syncFile(path)).rejects.toMatchObject(missing)
    await expect(fs.openAppend(join(path, 'x'))).rejects.toMatchObject(missing)
  })
}

function lockContract(make: Make): void {
  test('one owner at a time; the error names the folder', async () => {
    const { fs, dir } = await make()
    const owned = join(dir, 'owned')
    const held = await fs.lock(owned)
    const refused = {
      code: 'DATA_DIR_IN_USE',
      message: expect.stringContaining(owned),
      details: { directory: owned },
    }
    await expect(fs.lock(owned)).rejects.toMatchObject(refused)
    const other = await fs.lock(join(dir, 'other'))
    await held.release()
    await held.release()
    const next = await fs.lock(owned)
    await expect(fs.lock(owned)).rejects.toMatchObject(refused)
    await next.release()
    await other.release()
    expect(await fs.list(owned)).toEqual(['LOCK'])
  })
}
