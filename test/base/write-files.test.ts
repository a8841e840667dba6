import { execFileSync, spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import fs, { chmod, lstat, mkdir, readdir, readFile, symlink, utimes, writeFile } from 'node:fs/promises'
import { syncBuiltinESMExports } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { LayerpruneError } from '../../src/base/errors.js'
import { writeFileAtomically, writeFilesAtomically } from '../../src/base/write-files.js'
import { makeTempFolder } from '../support/temp-folder.js'

/** Lets renames fail after so many, as far as the disk is concerned like a kill. */
function failAfter(renames: number): void {
  const { rename } = fs
  let left = renames
  vi.spyOn(fs, 'rename').mockImplementation(async (from, to) => {
    if (left-- <= 0) throw Object.assign(new Error(), { code: 'EROFS' })
    return rename(from, to)
  })
  syncBuiltinESMExports()
}

let folder: string
beforeEach(async () => {
  folder = makeTempFolder()
})
afterEach(() => {
  vi.restoreAllMocks()
  syncBuiltinESMExports()
})

const failureOf = async (action: Promise<unknown>) => {
  const error = await action.then(
    () => null,
    (thrown) => thrown,
  )
  expect(error).toBeInstanceOf(LayerpruneError)
  return error as LayerpruneError
}

describe('writeFilesAtomically', () => {
  it('makes the folder and its parents and leaves nothing but the files', async () => {
    const out = join(folder, 'a', 'b')
    await writeFilesAtomically(out, { 'x.txt': 'text é', 'y.bin': new Uint8Array([0, 255]) })
    expect((await readdir(out)).sort()).toEqual(['x.txt', 'y.bin'])
    expect(await readFile(join(out, 'x.txt'), 'utf8')).toBe('text é')
    expect([...(await readFile(join(out, 'y.bin')))]).toEqual([0, 255])
  })

  it('replaces files of an earlier run', async () => {
    await writeFilesAtomically(folder, { x: 'a longer first content' })
    await writeFilesAtomically(folder, { x: 'second' })
    expect(await readFile(join(folder, 'x'), 'utf8')).toBe('second')
  })

  it('changes no file when a later one cannot be written', async () => {
    await writeFilesAtomically(folder, { first: 'old' })
    await mkdir(join(folder, 'second'))
    const error = await failureOf(writeFilesAtomically(folder, { first: 'new', second: 'new' }))
    expect(error.message).toBe(`cannot write ${join(folder, 'second')}: is a folder, expected a file`)
    expect(await readFile(join(folder, 'first'), 'utf8')).toBe('old')
    expect((await readdir(folder)).sort()).toEqual(['first', 'second'])
  })

  it('says so if the folder is a file', async () => {
    const path = join(folder, 'file')
    await writeFile(path, 'kept')
    expect((await failureOf(writeFilesAtomically(path, { x: '' }))).message).toBe(
      `cannot write ${path}: is a file, expected a folder`,
    )
    const below = join(path, 'below')
    expect((await failureOf(writeFilesAtomically(below, { x: '' }))).message).toBe(
      `cannot write ${below}: a part of the path is a file, expected a folder`,
    )
    expect(await readFile(path, 'utf8')).toBe('kept')
  })

  it.skipIf(!existsSync('/proc/self'))('ends where no folder can be made', async () => {
    const error = await failureOf(writeFilesAtomically('/proc/layerprune/below', { x: '' }))
    expect(error.message).toBe('cannot write /proc/layerprune/below: permission denied')
  })

  const canMount = spawnSync('unshare', ['-rm', 'mount', '-t', 'tmpfs', 'none', tmpdir()]).status === 0
  if (!canMount) console.log('read-only disk test skipped: this system lets nobody mount a disk of their own')
  it.skipIf(!canMount)('says so if the disk is read-only', () => {
    const url = new URL('../../dist/base/write-files.js', import.meta.url).href
    const script = `
      import { writeFilesAtomically } from '${url}'
      for (const folder of ['.', 'a/b']) await writeFilesAtomically(folder, { x: '' }).catch(({ message }) => console.log(message))`
    const mount = 'mount -t tmpfs -o ro none . && cd "$PWD" && exec "$@"'
    const args = ['-rm', 'bash', '-c', mount, 'bash', process.execPath, '--input-type=module', '--eval', script]
    const { stdout } = spawnSync('unshare', args, { cwd: folder, encoding: 'utf8' })
    expect(stdout).toBe(
      'cannot write .: the file system is read-only\ncannot write a/b: the file system is read-only\n',
    )
  })

  it.skipIf(process.platform === 'win32')('says so if the folder is read-only', async () => {
    await chmod(folder, 0o500)
    // no folder is read-only to root, which the tests may run as
    const script = `
      import { writeFilesAtomically } from '${new URL('../../dist/base/write-files.js', import.meta.url).href}'
      if (process.getuid() === 0) process.setuid(65534)
      await writeFilesAtomically(process.argv[1], { x: '' }).catch(({ message, hint }) =>
        console.log(JSON.stringify({ message, hint })))`
    const args = ['--input-type=module', '--eval', script, folder]
    const error = JSON.parse(execFileSync(process.execPath, args, { encoding: 'utf8' }))
    expect(error.message).toBe(`cannot write ${folder}: permission denied`)
    expect(error.hint).toBe('name a place you may write to')
  })
})

describe('a process that is killed while it replaces a set of files', () => {
  it.each([0, 1, 2])('after %d renames leaves no file of the old set beside one of the new', async (renames) => {
    const names = ['result.json', 'slice.yaml', 'plan.json']
    const setOf = (content: string) => Object.fromEntries(names.map((name) => [name, content]))
    await writeFilesAtomically(folder, setOf('old'))
    failAfter(renames)
    await expect(writeFilesAtomically(folder, setOf('new'))).rejects.toThrow('cannot write')
    const left = await Promise.all((await readdir(folder)).map((name) => readFile(join(folder, name), 'utf8')))
    expect(new Set(left).size).toBe(1)
    expect(left).toEqual(renames === 0 ? ['old'] : Array(renames).fill('new'))
  })

  it('leaves temporary files, which later runs remove once they are old', async () => {
    const [old, young] = ['.x.0123456789ab.tmp', '.x.ba9876543210.tmp']
    const others = ['.x.notes.tmp', '.y.0123456789ab.tmp', 'x.0123456789ab.tmp']
    for (const name of [old, young, ...others]) await writeFile(join(folder, name), '')
    for (const name of [old, ...others]) await utimes(join(folder, name), 0, 0)
    await writeFilesAtomically(folder, { x: '' })
    expect((await readdir(folder)).sort()).toEqual([...others, young, 'x'].sort())
  })
})

describe('writeFileAtomically', () => {
  it('takes names as long as the disk allows, in any script', async () => {
    const name = `${'模'.repeat(80)}.yaml`
    await writeFileAtomically(join(folder, name), 'x')
    expect(await readdir(folder)).toEqual([name])
  })

  it('needs the parent folder', async () => {
    const path = join(folder, 'missing', 'slice.yaml')
    const error = await failureOf(writeFileAtomically(path, 'x'))
    expect(error.message).toBe(`cannot write ${path}: its folder does not exist`)
    expect(error.hint).toBe('create the folder first')
    expect(existsSync(join(folder, 'missing'))).toBe(false)
  })

  it('refuses a folder', async () => {
    expect((await failureOf(writeFileAtomically(folder, 'x'))).message).toBe(
      `cannot write ${folder}: is a folder, expected a file`,
    )
  })

  it('writes through a symbolic link and keeps it', async () => {
    await writeFile(join(folder, 'real'), 'old')
    await symlink('real', join(folder, 'link'))
    await writeFileAtomically(join(folder, 'link'), 'new')
    expect((await lstat(join(folder, 'link'))).isSymbolicLink()).toBe(true)
    expect(await readFile(join(folder, 'real'), 'utf8')).toBe('new')
    expect((await readdir(folder)).sort()).toEqual(['link', 'real'])
  })

  it.skipIf(!existsSync('/dev/full'))('reports a full disk', async () => {
    const error = await failureOf(writeFileAtomically('/dev/full', 'x'))
    expect(error.message).toBe('cannot write /dev/full: no space left on the disk')
    expect(error.hint).toBe('free some space, or write to another disk')
    expect((await lstat('/dev/full')).isCharacterDevice()).toBe(true)
  })

  it.skipIf(process.platform === 'win32')('writes into a pipe', async () => {
    const pipe = join(folder, 'pipe')
    execFileSync('mkfifo', [pipe])
    const [text] = await Promise.all([readFile(pipe, 'utf8'), writeFileAtomically(pipe, 'through')])
    expect(text).toBe('through')
    expect((await lstat(pipe)).isFIFO()).toBe(true)
  })
})
