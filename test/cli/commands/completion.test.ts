import { execFile, execFileSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { beforeAll, describe, expect, it } from 'vitest'
import { runProgram } from '../../support/run-program.js'
import { makeTempFolder } from '../../support/temp-folder.js'

const cwd = makeTempFolder()
const has = (shell: string) => {
  try {
    execFileSync(shell, ['-c', 'true'], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}

for (const shell of ['zsh', 'fish']) {
  if (!has(shell)) console.log(`completion test for ${shell} skipped: it is not installed`)
}

beforeAll(async () => {
  for (const shell of ['bash', 'zsh', 'fish']) {
    const { exitCode, stdout, stderr } = await runProgram(['completion', shell])
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' })
    writeFileSync(join(cwd, shell), stdout)
  }
})

/** What bash offers after the words of a line, the last of which is being typed. */
async function completeInBash(...words: string[]): Promise<string[]> {
  const script = `source ./bash; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _layerprune; printf '%s\\n' "\${COMPREPLY[@]}"`
  const { stdout } = await promisify(execFile)('bash', ['--norc', '-euc', script, 'bash', ...words], { cwd })
  return stdout.split('\n').filter((word) => word !== '')
}

describe('completion for bash', () => {
  it('offers commands, flags of the command, and values of a fixed list', async () => {
    expect(await completeInBash('layerprune', 'si')).toEqual(['similarity'])
    expect(await completeInBash('layerprune', 'p')).toEqual(['plan', 'prune', 'plot'])
    expect(await completeInBash('layerprune', 'similarity', '--layers')).toEqual(['--layers-to-skip'])
    expect(await completeInBash('layerprune', 'similarity', '--model', 'x', '--dataset-s')).toEqual([
      '--dataset-size',
      '--dataset-skip',
      '--dataset-split',
    ])
    expect(await completeInBash('layerprune', 'similarity', '--format', '')).toEqual([
      'gguf',
      'onnx',
      'pytorch',
      'safetensors',
    ])
    expect(await completeInBash('layerprune', 'plot', '--kind', 'h')).toEqual(['heatmap'])
    expect(await completeInBash('layerprune', 'completion', '')).toEqual(expect.arrayContaining(['bash', 'fish']))
  })

  it('leaves files to bash', async () => {
    expect(await completeInBash('layerprune', 'similarity', '--model', '')).toEqual([])
    expect(await completeInBash('layerprune', 'report', 'out')).toEqual([])
  })
})

it.skipIf(!has('zsh'))('the script for zsh is one', () => {
  execFileSync('zsh', ['-n', join(cwd, 'zsh')])
})

it.skipIf(!has('fish'))('fish offers the flags of a command', () => {
  const offered = execFileSync('fish', ['-c', `source ${join(cwd, 'fish')}; complete -C 'layerprune plot --ki'`])
  expect(String(offered)).toMatch(/^--kind\t/)
})

it('another shell is wrong usage', async () => {
  const { exitCode, stderr } = await runProgram(['completion', 'cmd'])
  expect(exitCode).toBe(2)
  expect(stderr).toContain('Allowed choices are bash, zsh, fish')
})
