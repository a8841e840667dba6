/**
 * Writes a Llama of the shape of Llama 2 7B in bfloat16 with random weights, 13 GB, to see how models larger than
 * memory are analysed:
 *
 *   node bench/make-large-model.js FOLDER [--layers 32]
 *
 * All rows of the embedding and of the norms are random, and of each matrix the first 64: the rest of the file is a
 * hole, which reads as zero and takes no disk where the file system knows holes. What is computed takes the same time
 * and memory whatever the numbers are. The tokenizer is that of the example model.
 */
import { closeSync, cpSync, ftruncateSync, mkdirSync, openSync, writeFileSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { layers: { type: 'string', default: '32' } },
})
const [folder] = positionals
if (folder === undefined) {
  console.error('error: a folder is needed')
  process.exit(2)
}

const layers = Number(values.layers)
const hidden = 4096
const inner = 11008
const vocabulary = 32000
const filledRows = 64

const config = {
  architectures: ['LlamaForCausalLM'],
  model_type: 'llama',
  hidden_size: hidden,
  intermediate_size: inner,
  num_hidden_layers: layers,
  num_attention_heads: 32,
  num_key_value_heads: 32,
  vocab_size: vocabulary,
  max_position_embeddings: 4096,
  rms_norm_eps: 1e-5,
  rope_theta: 10000,
  hidden_act: 'silu',
  tie_word_embeddings: false,
  torch_dtype: 'bfloat16',
}

const tensors = [
  ['model.embed_tokens.weight', [vocabulary, hidden]],
  ...Array.from({ length: layers }, (_, layer) => {
    const name = (part) => `model.layers.${layer}.${part}.weight`
    return [
      [name('input_layernorm'), [hidden]],
      ...['q', 'k', 'v', 'o'].map((part) => [name(`self_attn.${part}_proj`), [hidden, hidden]]),
      [name('post_attention_layernorm'), [hidden]],
      ...['gate', 'up'].map((part) => [name(`mlp.${part}_proj`), [inner, hidden]]),
      [name('mlp.down_proj'), [hidden, inner]],
    ]
  }).flat(),
  ['model.norm.weight', [hidden]],
  ['lm_head.weight', [vocabulary, hidden]],
]

let end = 0
const entries = {}
for (const [name, shape] of tensors) {
  const start = end
  end += 2 * shape.reduce((product, size) => product * size, 1)
  entries[name] = { dtype: 'BF16', shape, data_offsets: [start, end] }
}
const header = Buffer.from(JSON.stringify(entries))
const headerSize = Buffer.alloc(8)
headerSize.writeBigUInt64LE(BigInt(header.length))

mkdirSync(folder, { recursive: true })
writeFileSync(join(folder, 'config.json'), JSON.stringify(config, null, 2))
for (const file of ['tokenizer.json', 'tokenizer_config.json']) {
  cpSync(fileURLToPath(new URL(`../examples/model/${file}`, import.meta.url)), join(folder, file))
}
const file = openSync(join(folder, 'model.safetensors'), 'w')
writeSync(file, headerSize)
writeSync(file, header)
const dataStart = 8 + header.length
ftruncateSync(file, dataStart + end)
let seed = 1
for (const [name, shape] of tensors) {
  const rows = name.includes('embed') || shape.length === 1 ? shape[0] : filledRows
  const width = shape[1] ?? 1
  const [center, spread] = shape.length === 1 ? [1, 0.2] : [0, name.includes('embed') ? 1 : 0.1]
  const numbers = randomBfloat16(rows * width, center, spread)
  writeSync(
    file,
    new Uint8Array(numbers.buffer),
    0,
    numbers.byteLength,
    dataStart + entries[name].data_offsets[0],
  )
}
closeSync(file)
console.log(`${folder}: ${((dataStart + end) / 1e9).toFixed(1)} GB`)

/** Uniform numbers of a mean and a standard deviation, the same in every run. */
function randomBfloat16(count, mean, deviation) {
  const numbers = new Uint16Array(count)
  const floats = new Float32Array(1)
  const bits = new Uint32Array(floats.buffer)
  for (let index = 0; index < count; index++) {
    seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0
    floats[0] = mean + deviation * Math.sqrt(12) * (seed / 2 ** 32 - 0.5)
    numbers[index] = bits[0] >>> 16
  }
  return numbers
}
