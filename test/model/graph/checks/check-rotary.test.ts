import { cpSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { parseModel, serializeModel } from '../../../../src/model/graph/onnx/onnx.js'
import { FIXTURES, TEXTS } from '../../../support/paths.js'
import { runProgram } from '../../../support/run-program.js'
import { makeTempFolder } from '../../../support/temp-folder.js'

it('a table of rotary embedding that is no matrix is refused before it ends the process', async () => {
  const cwd = makeTempFolder()
  cpSync(join(FIXTURES, 'onnx/fused-llama'), cwd, { recursive: true })
  const file = join(cwd, 'onnx/model_q4.onnx')
  const model = parseModel(readFileSync(file))
  const attention = model.graph!.node.find(({ opType }) => opType === 'GroupQueryAttention')!
  attention.input[7] = model.graph!.initializer.find(({ dims }) => dims.length === 1)!.name
  writeFileSync(file, serializeModel(model))
  const args = ['--model', '.', '--dtype', 'q4', '--dataset', TEXTS, '--layers-to-skip', '1']
  const { exitCode, stdout, stderr } = await runProgram(['similarity', ...args], { cwd })
  expect(stderr).toMatch(
    /^error: model_q4\.onnx is damaged: GroupQueryAttention .* expected \[positions, half of a head\]/m,
  )
  expect([exitCode, stdout]).toEqual([1, ''])
})
