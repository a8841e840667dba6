import { execFileSync } from 'node:child_process'
import { cpSync, existsSync, rmSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { readModelConfig } from '../../../src/files/checkpoint/config.js'
import { openSafetensors } from '../../../src/files/checkpoint/safetensors.js'
import { readOnnxDecoder } from '../../../src/model/graph/onnx/onnx-file.js'
import { loadTokenizer } from '../../../src/texts/tokens/tokenizer.js'
import { FIXTURES } from '../../support/paths.js'
import { makeTempFolder } from '../../support/temp-folder.js'

const hasPipes = existsSync('/usr/bin/mkfifo')

/** A model folder with a file of it replaced. */
function copyModel(name: string, replace: (path: string) => void, model = join(FIXTURES, 'families', 'llama')): string {
  const folder = join(makeTempFolder(), 'model')
  cpSync(model, folder, { recursive: true })
  rmSync(join(folder, name))
  replace(join(folder, name))
  return folder
}

const READERS: Record<string, (folder: string) => Promise<unknown>> = {
  'config.json': readModelConfig,
  'model.safetensors': openSafetensors,
  'tokenizer.json': loadTokenizer,
  'tokenizer_config.json': loadTokenizer,
}

describe('assertRegularFile', () => {
  it.each(Object.keys(READERS))('refuses a device instead of %s', async (name) => {
    const folder = copyModel(name, (path) => symlinkSync('/dev/zero', path))
    await expect(READERS[name]!(folder)).rejects.toMatchObject({
      message: expect.stringMatching(/: expected a file, found a device$/),
      hint: 'put a file in its place',
    })
  })

  it.runIf(hasPipes).each(Object.keys(READERS))('refuses a pipe instead of %s', async (name) => {
    const folder = copyModel(name, (path) => execFileSync('mkfifo', [path]))
    await expect(READERS[name]!(folder)).rejects.toThrow(`${join(folder, name)}: expected a file, found a named pipe`)
  })

  it.runIf(hasPipes)('refuses a pipe instead of a graph', async () => {
    const graph = join('onnx', 'model.onnx')
    const folder = copyModel(graph, (path) => execFileSync('mkfifo', [path]), join(FIXTURES, 'onnx', 'gpt2'))
    await expect(readOnnxDecoder(join(folder, graph), 3)).rejects.toThrow(
      `${join(folder, graph)}: expected a file, found a named pipe`,
    )
  })
})
