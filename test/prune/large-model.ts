import { randomFillSync } from 'node:crypto'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { writeTensors } from '../support/tensor-file.js'

const LAYERS = 8

/** Writes a folder with a random checkpoint of 64 MB, large enough that its pruning takes a while. */
export function makeLargeModel(folder: string): string {
  const hidden = 1024
  const matrix = Buffer.alloc(2 * hidden * hidden)
  randomFillSync(matrix)
  const tensors = new Map([
    ['model.embed_tokens.weight', { dtype: 'BF16', shape: [hidden, hidden], data: matrix }],
  ])
  for (let layer = 0; layer < LAYERS; layer++) {
    for (const name of ['q', 'k', 'v', 'o']) {
      const weight = { dtype: 'BF16', shape: [hidden, hidden], data: matrix }
      tensors.set(`model.layers.${layer}.self_attn.${name}_proj.weight`, weight)
    }
  }
  mkdirSync(folder, { recursive: true })
  writeTensors(join(folder, 'model.safetensors'), tensors)
  const config = {
    model_type: 'apertus',
    num_hidden_layers: LAYERS,
    hidden_size: hidden,
    num_attention_heads: 8,
  }
  writeFileSync(join(folder, 'config.json'), JSON.stringify(config))
  writeFileSync(join(folder, 'tokenizer.json'), '{}')
  return folder
}
