import { cpSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { measureSimilarity } from '../../../src/jobs/similarity/measure.js'
import { EXAMPLES } from '../../support/paths.js'
import { makeTempFolder } from '../../support/temp-folder.js'
import { readTensors, writeTensors } from '../../support/tensor-file.js'

/** In bfloat16. */
const INFINITY = 0x7f80

/** The example model with a number that is not finite. */
function damage(tensor: string, index: number): string {
  const folder = makeTempFolder()
  cpSync(join(EXAMPLES, 'model'), folder, { recursive: true })
  const file = join(folder, 'model.safetensors')
  const tensors = readTensors(file)
  tensors.get(tensor)!.data.writeUInt16LE(INFINITY, 2 * index)
  writeTensors(file, tensors)
  return folder
}

const measure = (model: string, maxMemory: number | undefined) =>
  measureSimilarity({
    model,
    dataset: join(EXAMPLES, 'texts.jsonl'),
    layersToSkip: 4,
    datasetSize: 2,
    maxLength: 16,
    maxMemory,
  })

it.each([
  ['of the first segment', 'model.layers.0.self_attn.q_proj.weight', 5],
  ['of the last segment', 'model.layers.11.mlp.down_proj.weight', 700],
  ['of no segment', 'model.norm.weight', 3],
])(
  'a run within a limit of memory refuses a number %s that is not finite, as one without does',
  async (_, tensor, index) => {
    const model = damage(tensor, index)
    const { message, hint } = await measure(model, undefined).catch((error) => error)
    expect(message).toMatch(`tensor ${tensor} at [`)
    const limited = await measure(model, 2e9).catch((error) => error)
    expect([limited.message, limited.hint]).toEqual([message, hint])
  },
)
