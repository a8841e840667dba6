import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, rmSync, statSync, watch } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { InterruptedError } from '../../../src/base/errors.js'
import { createRandom } from '../../../src/base/random.js'
import { pruneModel } from '../../../src/jobs/prune/prune.js'
import { LONG_TESTS } from '../../support/long-tests.js'
import { PROGRAM } from '../../support/paths.js'
import { type Outcome, startProgram } from '../../support/run-program.js'
import { makeTempFolder } from '../../support/temp-folder.js'
import { makeLargeModel } from './large-model.js'

const KILLS = LONG_TESTS ? 20 : 4
const root = makeTempFolder()
const model = join(root, 'model')
const place = join(root, 'place')
const plan = { strategy: 'explicit', removed: [{ start: 1, end: 2 }] }
const args = ['prune', '--model', model, '--drop', '1:2', '-o', 'pruned', '--quiet']

beforeAll(() => makeLargeModel(model))
beforeEach(() => {
  rmSync(place, { recursive: true, force: true })
  mkdirSync(place)
})

const listSizes = (folder: string) =>
  Object.fromEntries(readdirSync(folder).map((name) => [name, statSync(join(folder, name)).size]))

/** Starts the program and does something to it so many milliseconds after it began to write. */
async function disturb(
  after: number,
  action: (child: ReturnType<typeof startProgram>['child']) => void,
): Promise<Outcome> {
  const { child, outcome } = startProgram(args, { cwd: place })
  const watcher = watch(place, () => {
    watcher.close()
    setTimeout(() => action(child), after)
  })
  const result = await outcome
  watcher.close()
  return result
}

describe('a process that is killed', () => {
  it(`${KILLS} times at random points never leaves a folder that looks complete`, async () => {
    const complete = join(root, 'complete')
    await pruneModel({ model, output: complete, plan })
    const expected = listSizes(complete)
    const random = createRandom(1)
    let unfinished = 0
    // on a busy machine the first few may come before a file or after the last
    for (let turn = 0; turn < KILLS || (unfinished === 0 && turn < 20); turn++) {
      await disturb(random.below(60), (child) => child.kill('SIGKILL'))
      if (existsSync(join(place, 'pruned'))) expect(listSizes(join(place, 'pruned'))).toEqual(expected)
      // the lock of a process that is dead is taken over
      const left = readdirSync(place).filter((name) => !['pruned', '.pruned.layerprune-lock'].includes(name))
      for (const name of left) expect(name).toMatch(/^\.pruned\.layerprune-partial-[0-9a-f]{8}$/)
      unfinished += left.length
      for (const name of readdirSync(place)) rmSync(join(place, name), { recursive: true })
    }
    expect(unfinished).toBeGreaterThan(0)
  })
})

describe('a process that is asked to stop', () => {
  it.each(['SIGINT', 'SIGTERM'] as const)('by %s ends with 130 and leaves nothing', async (signal) => {
    let outcome = await disturb(0, (child) => child.kill(signal))
    for (let tries = 1; tries < 10 && existsSync(join(place, 'pruned')); tries++) {
      // The copy was faster than the signal
      rmSync(join(place, 'pruned'), { recursive: true })
      outcome = await disturb(0, (child) => child.kill(signal))
    }
    expect(outcome).toMatchObject({ exitCode: 130, stdout: '' })
    expect(outcome.stderr).toContain('error: interrupted before the pruned model was complete')
    expect(readdirSync(place)).toEqual([])
  })

  it('keeps the model that it would have replaced', async () => {
    const output = join(place, 'pruned')
    await pruneModel({ model, output, plan })
    const before = listSizes(output)
    const controller = new AbortController()
    const replaced = pruneModel({
      model,
      output,
      plan: { strategy: 'explicit', removed: [{ start: 0, end: 4 }] },
      force: true,
      signal: controller.signal,
      onProgress: () => controller.abort(),
    })
    await expect(replaced).rejects.toThrow(InterruptedError)
    expect(readdirSync(place)).toEqual(['pruned'])
    expect(listSizes(output)).toEqual(before)
  })
})

describe('a disk that is full', () => {
  it('while files are written gives one error and leaves nothing', () => {
    const command = `ulimit -f 20000 && exec "${process.execPath}" "${PROGRAM}" ${args.join(' ')}`
    const { status, stdout, stderr } = spawnSync('bash', ['-c', command], { cwd: place, encoding: 'utf8' })
    expect(status).toBe(1)
    expect(stdout).toBe('')
    expect(stderr).toMatch(/^error: cannot write pruned\/model\.safetensors: the file is larger than allowed here\n$/)
    expect(readdirSync(place)).toEqual([])
  })

  const mounts = (options: string) =>
    spawnSync(
      'unshare',
      [
        '-rm',
        'bash',
        '-c',
        `mount -t tmpfs -o ${options} none . && cd "$PWD" && "$@"; status=$?; ls -A >&2; exit $status`,
        'bash',
      ].concat(process.execPath, PROGRAM, args),
      { cwd: place, encoding: 'utf8' },
    )
  const canMount = spawnSync('unshare', ['-rm', 'mount', '-t', 'tmpfs', 'none', root]).status === 0
  if (!canMount) console.log('full disk tests skipped: this system lets nobody mount a disk of their own')

  it.skipIf(!canMount)('from the start is refused before anything is written', () => {
    const { status, stderr } = mounts('size=20m')
    expect(status).toBe(1)
    expect(stderr).toMatch(/^error: not enough room for .*: \d+ bytes will be written, \d+ are free\nhint: .*\n$/)
  })

  it.skipIf(!canMount)('in the middle gives one error and leaves nothing', () => {
    const { status, stderr } = mounts('size=200m,nr_inodes=4')
    expect(status).toBe(1)
    expect(stderr).toMatch(/^error: cannot write pruned\/.*: no space left on the disk\nhint: .*\n$/)
  })
})
