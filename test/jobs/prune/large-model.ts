import { randomFillSync } from 'node:crypto'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { writeTensors } from '../../support/tensor-file.js'

const LAYERS = 5
const MATRICES = ['q', 'k', 'v', 'o'].map((name) => `self_attn.${name}_proj`)
MATRICES.push(...['gate', 'up', 'down'].map((name) => `mlp.${name}_proj`))
const NORMS = ['input_layernorm', 'post_attention_layernorm']

/** Writes a folder with a random Llama of 75 MB, large enough that its pruning takes a while. */
export function makeLargeModel(folder: string): string {
  const hidden = 1024
  const matrix = Buffer.alloc(2 * hidden * hidden)
  randomFillSync(matrix)
  const weight = { dtype: 'BF16', shape: [hidden, hidden], data: matrix }
  const norm = { dtype: 'BF16', shape: [hidden], data: matrix.subarray(0, 2 * hidden) }
  const tensors = new Map([
    ['model.embed_tokens.weight', weight],
    ['model.norm.weight', norm],
  ])
  for (let layer = 0; layer < LAYERS; layer++) {
    for (const name of MATRICES) tensors.set(`model.layers.${layer}.${name}.weight`, weight)
    for (const name of NORMS) tensors.set(`model.layers.${layer}.${name}.weight`, norm)
  }
  mkdirSync(folder, { recursive: true })
  writeTensors(join(folder, 'model.safetensors'), tensors)
  const config = {
    model_type: 'llama',
    num_hidden_layers: LAYERS,
    hidden_size: hidden,
    intermediate_size: hidden,
    num_attention_heads: 8,
    num_key_value_heads: 8,
    vocab_size: hidden,
    tie_word_embeddings: true,
  }
  writeFileSync(join(folder, 'config.json'), JSON.stringify(config))
  writeFileSync(join(folder, 'tokenizer.json'), '{}')
  return folder
}
