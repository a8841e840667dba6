import { cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { LLAMA } from '../../support/paths.js'
import { runProgram } from '../../support/run-program.js'
import { allSizesResult } from '../../support/similarity-example.js'
import { makeTempFolder } from '../../support/temp-folder.js'

const result = allSizesResult(12, 4, (start) => Math.abs(start - 6))

function makeFolder(): string {
  const cwd = makeTempFolder()
  writeFileSync(join(cwd, 'similarity.json'), JSON.stringify(result))
  writeFileSync(join(cwd, 'map.svg'), JSON.stringify(result))
  writeFileSync(join(cwd, 'texts.jsonl'), '{"text": "one"}\n')
  mkdirSync(join(cwd, 'm'))
  cpSync(LLAMA, join(cwd, 'm'), { recursive: true })
  writeFileSync(join(cwd, 'm/weights.safetensors'), Buffer.alloc(100))
  return cwd
}

const READ = ['--model', 'm', '--dataset', 'texts.jsonl']
const SLICE = ['slice-config', '--from', 'similarity.json']

describe('a file that a command writes', () => {
  it.each<[string[], string, string]>([
    [['report', 'similarity.json'], 'similarity.json', 'is the file similarity.json that is read'],
    [['report', 'similarity.json'], './m/../similarity.json', 'is the file similarity.json that is read'],
    [SLICE, 'similarity.json', 'is the file similarity.json that is read'],
    [['plot', '--from', 'map.svg'], 'map.svg', 'is the file map.svg that is read'],
    [['evaluate', ...READ], 'texts.jsonl', 'is the file texts.jsonl that is read'],
    [['plan', ...READ, '--layers-to-skip', '1'], 'texts.jsonl', 'is the file texts.jsonl that is read'],
    [SLICE, 'm/weights.safetensors', 'already exists and was not written by layerprune'],
    [['report', 'similarity.json'], 'm/config.json', 'was not written by layerprune'],
    [['evaluate', ...READ], 'm/config.json', 'was not written by layerprune'],
    [['plan', ...READ, '--layers-to-skip', '1'], 'm/tokenizer.json', 'was not written by layerprune'],
  ])('is none that would be lost: %j -o %s', async (args, output, message) => {
    const cwd = makeFolder()
    const before = readFileSync(join(cwd, output))
    const { exitCode, stdout, stderr } = await runProgram([...args, '-o', output], { cwd })
    expect(stderr).toMatch(/^error: .*\nhint: name another file with --output.*\n$/)
    expect(stderr).toContain(message)
    expect({ exitCode, stdout }).toEqual({ exitCode: message.startsWith('is the file') ? 2 : 1, stdout: '' })
    expect(readFileSync(join(cwd, output))).toEqual(before)
  })

  it.each([
    [['report', 'similarity.json'], 'report.html'],
    [SLICE, 'slice.yaml'],
    [['plot', '--from', 'similarity.json'], 'curve.svg'],
    [['plan', '--model', 'm', '--layers-to-skip', '1', '--strategy', 'deepest'], 'deepest.json'],
  ])('replaces what an earlier run wrote, and empty files: %j', async (args, output) => {
    const cwd = makeFolder()
    writeFileSync(join(cwd, output), '')
    for (const _ of [1, 2]) {
      const { exitCode, stderr } = await runProgram([...args, '-o', output], { cwd })
      expect(exitCode, stderr).toBe(0)
    }
  })
})
