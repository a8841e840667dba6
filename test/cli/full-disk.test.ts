import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { fixtureFolder } from '../support/fixture-model.js'
import { PROGRAM, TEXTS } from '../support/paths.js'
import { makeTempFolder } from '../support/temp-folder.js'

const place = makeTempFolder()
const canMount = spawnSync('unshare', ['-rm', 'mount', '-t', 'tmpfs', 'none', place]).status === 0
if (!canMount) console.log('full disk tests skipped: this system lets nobody mount a disk of their own')

const INPUTS = ['--model', fixtureFolder('llama'), '--dataset', TEXTS, '--max-length', '16', '--quiet']

/** Runs the program where nothing more can be written, and lists the files that are there in the end. */
function runOnDisk(options: string, prepare: string, args: string[], env: Record<string, string> = {}) {
  const script = `mount -t tmpfs -o ${options} none . && cd "$PWD" && ${prepare}; "$@"; status=$?; find . -type f; exit $status`
  const { status, stdout, stderr } = spawnSync(
    'unshare',
    ['-rm', 'bash', '-c', script, 'bash', process.execPath, PROGRAM].concat(args),
    {
      cwd: place,
      encoding: 'utf8',
      env: { ...process.env, ...env },
    },
  )
  return { status, stderr, files: stdout.trim().split('\n') }
}

const FULL = 'dd if=/dev/zero of=fill bs=1k count=64 2>/dev/null'

describe.skipIf(!canMount)('on a full disk', () => {
  it.each<[string, string[]]>([
    ['out', ['similarity', ...INPUTS, '-o', 'out']],
    ['result.json', ['evaluate', ...INPUTS, '-o', 'result.json']],
  ])('%s is refused, and nothing is left', (name, args) => {
    const { status, stderr, files } = runOnDisk('size=64k', FULL, args)
    expect(status).toBe(1)
    expect(stderr).toBe(
      `error: cannot write ${name}: no space left on the disk\nhint: free some space, or write to another disk\n`,
    )
    expect(files).toEqual(['./fill'])
  })

  it('int8 weights are refused before they are made, and the hint names HF_HOME', () => {
    const args = ['evaluate', ...INPUTS, '--dtype', 'q8']
    const { status, stderr } = runOnDisk('size=64k', FULL, args, { HF_HOME: join(place, 'home') })
    expect(status).toBe(1)
    expect(stderr).toMatch(
      /^error: not enough room for int8 weights: .*\nhint: free some space, or name another place with HF_HOME\n$/,
    )
  })

  it('a cache that is read-only is named with the way to another', () => {
    const args = ['evaluate', ...INPUTS, '--dtype', 'q8']
    const { status, stderr } = runOnDisk('ro', 'true', args, { HF_HOME: join(place, 'home') })
    expect(status).toBe(1)
    expect(stderr).toMatch(/the file system is read-only\nhint: name a place you may write to with HF_HOME\n$/)
  })
})
