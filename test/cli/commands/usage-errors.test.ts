import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { describe, expect, it } from 'vitest'
import { VERSION } from '../../../src/base/version.js'
import { LLAMA, PROGRAM, TEXTS } from '../../support/paths.js'
import { runProgram } from '../../support/run-program.js'

describe('wrong usage', () => {
  it.each([
    [
      ['similarity', '--layers-to-skip', 'abc\n(rm -rf) it'],
      "option '--layers-to-skip <n>' argument 'abc (rm -rf) it' is invalid. Expected a whole number of at least 1",
      'layerprune similarity --help lists its flags',
    ],
    [['similarty'], "unknown command 'similarty'", 'Did you mean similarity?'],
    [['inspect', '--model', 'x', '--dtpye', 'q4'], "unknown option '--dtpye'", 'Did you mean --dtype?'],
    [['similarity'], '--model and --dataset are required', 'layerprune similarity --help lists its flags'],
    [['inspect', '--modle', 'x'], "unknown option '--modle'", 'Did you mean --model?'],
    [['inspect'], '--model is required', 'layerprune inspect --help lists its flags'],
    [
      ['--model_path', 'my model', '--layers_to_skip=8'],
      'no command before --model_path',
      "layerprune similarity --model_path 'my model' --layers_to_skip=8",
    ],
    [
      ['layer_similarity.py', '--model_path', 'x'],
      "layer_similarity.py is PruneMe's name for similarity",
      'layerprune similarity --model_path x',
    ],
    [['help', 'pruen'], "unknown command 'pruen'", 'Did you mean prune?'],
    [['version-of-it'], "unknown command 'version-of-it'", 'layerprune --help lists all commands'],
  ])('%j is reported with its own hint, not with a part of the value', async (args, problem, hint) => {
    const { exitCode, stdout, stderr } = await runProgram(args)
    expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: '' })
    expect(stderr).toBe(`error: ${problem}\nhint: ${hint}\n`)
  })

  it.each([['-v'], ['-V'], ['version'], ['--version']])('%s prints the version', async (word) => {
    expect(await runProgram([word])).toMatchObject({ exitCode: 0, stdout: `${VERSION}\n` })
  })

  it('help of a command is what its --help prints', async () => {
    expect(await runProgram(['help', 'check'])).toEqual(await runProgram(['check', '--help']))
  })

  it('more threads than processors are refused at once', async () => {
    const args = ['similarity', '--model', LLAMA, '--dataset', TEXTS, '--layers-to-skip', '1']
    const { exitCode, stderr } = await runProgram([...args, '--threads', '1000'])
    expect(exitCode).toBe(2)
    expect(stderr).toMatch(/^error: threads must be 1 to \d+, .*, found 1000\n$/)
  })
})

it.skipIf(process.platform !== 'linux')('memory that runs out is said so', async () => {
  const command = `ulimit -v 4000000; '${process.execPath}' '${PROGRAM}' inspect --model '${LLAMA}'`
  const { stderr } = await promisify(execFile)('bash', ['-c', command]).catch((error) => error)
  expect(stderr).not.toContain('unexpected')
})
