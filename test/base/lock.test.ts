import { fork, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readdirSync, readFileSync, utimesSync, writeFileSync } from 'node:fs'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { describe, expect, it } from 'vitest'
import { lockOutput } from '../../src/base/lock.js'
import { ROOT } from '../support/paths.js'
import { makeTempFolder } from '../support/temp-folder.js'

const NAME = '.model.layerprune-lock'

/** A program that holds the lock of its first argument until it is killed. */
const HOLDER = `import { lockOutput } from ${JSON.stringify(pathToFileURL(join(ROOT, 'dist/base/lock.js')))}
await lockOutput(process.argv[2])
process.send?.('locked')
setInterval(() => {}, 1000)`

function makeHolder(): { folder: string; output: string; program: string } {
  const folder = makeTempFolder()
  const program = join(folder, 'holder.mjs')
  writeFileSync(program, HOLDER)
  return { folder, output: join(folder, 'model'), program }
}

describe('a lock', () => {
  it('refuses a second process with the pid, host and time of the first, and is taken over once that is killed', async () => {
    const { output, program } = makeHolder()
    const holder = fork(program, [output])
    await once(holder, 'message')
    const busy = `${output} is being written by another layerprune process: pid ${holder.pid} on ${hostname()}, since 2`
    await expect(lockOutput(output)).rejects.toThrow(busy)
    holder.kill('SIGKILL')
    await once(holder, 'exit')
    const lock = await lockOutput(output)
    lock.release()
  })

  it('refuses a second call in the same process, until it is released', async () => {
    const folder = makeTempFolder()
    const lock = await lockOutput(join(folder, 'model'))
    await expect(lockOutput(join(folder, 'model'))).rejects.toThrow(`pid ${process.pid} on`)
    const other = await lockOutput(join(folder, 'other'))
    for (const { release } of [lock, other]) release()
    expect(readdirSync(folder)).toEqual([])
  })

  it('is removed when its process ends without releasing it', () => {
    const { folder, output, program } = makeHolder()
    writeFileSync(program, `${HOLDER}\nprocess.exit(3)`)
    expect(spawnSync(process.execPath, [program, output]).status).toBe(3)
    expect(existsSync(join(folder, NAME))).toBe(false)
  })

  it('of another process with the same pid is taken over', async () => {
    const folder = makeTempFolder()
    const holder = { pid: process.ppid, startedTicks: '1', host: hostname(), since: '2026-01-01T00:00:00Z', work: '' }
    const take = async (written: object) => {
      writeFileSync(join(folder, NAME), JSON.stringify({ ...holder, ...written }))
      const lock = await lockOutput(join(folder, 'model'))
      lock.release()
    }
    if (existsSync('/proc/self/stat')) await take({})
    await take({ pid: process.pid })
    await expect(take({ host: 'elsewhere' })).rejects.toMatchObject({
      hint: expect.stringContaining(`if it was killed, remove ${join(folder, NAME)}`),
    })
  })

  it('that is empty is waited for: its process was killed, or says who it is in a moment', async () => {
    const folder = makeTempFolder()
    const file = join(folder, NAME)
    writeFileSync(file, '')
    const fourSecondsAgo = Date.now() / 1000 - 4
    utimesSync(file, fourSecondsAgo, fourSecondsAgo)
    const lock = await lockOutput(join(folder, 'model'))
    lock.release()
    writeFileSync(file, '')
    const taken = lockOutput(join(folder, 'model'))
    const holder = { pid: process.ppid, host: hostname(), since: '2026-01-01T00:00:00Z', work: '' }
    const startedTicks = existsSync('/proc/self/stat')
      ? readFileSync(`/proc/${process.ppid}/stat`, 'utf8').split(') ').at(-1)!.split(' ')[19]
      : null
    writeFileSync(file, JSON.stringify({ ...holder, startedTicks }))
    await expect(taken).rejects.toThrow(`pid ${process.ppid}`)
  })

  it('of a part is shared with the other parts of the same work alone', async () => {
    const folder = makeTempFolder()
    const part = (name: string, work: string) => lockOutput(join(folder, name), { work, wholeFolder: true })
    const [one, two] = [await part('one', 'a'), await part('two', 'a')]
    await expect(part('three', 'b')).rejects.toThrow(`${folder} is being written by another layerprune process`)
    expect(readFileSync(join(folder, '.one.layerprune-lock'), 'utf8')).toContain('"work":"a"')
    for (const { release } of [one, two]) release()
    expect(readdirSync(folder)).toEqual([])
  })
})
