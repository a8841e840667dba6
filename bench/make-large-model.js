/**
 * Writes a Llama of the shape of a large one in bfloat16 with random weights, to see how models larger than memory are
 * analysed:
 *
 *   node bench/make-large-model.js FOLDER [--shape 7b|70b] [--layers N] [--shards 1]
 *
 * 7b is the shape of Llama 2 7B (13.5 GB), 70b that of Llama 2 70B (138 GB). The norms are random, the rows of the
 * embedding that the tokenizer has tokens for, and the first 64 rows of each matrix: the rest of the files is a hole,
 * which reads as zero and takes no disk where the file system knows holes. What is computed takes the same time and
 * memory whatever the numbers are. The tokenizer is that of the example model.
 */
import { closeSync, cpSync, ftruncateSync, mkdirSync, openSync, readFileSync, writeFileSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'

const SHAPES = {
  '7b': { layers: 32, hidden: 4096, inner: 11008, heads: 32, kvHeads: 32 },
  '70b': { layers: 80, hidden: 8192, inner: 28672, heads: 64, kvHeads: 8 },
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    shape: { type: 'string', default: '7b' },
    layers: { type: 'string' },
    shards: { type: 'string', default: '1' },
  },
})
const [folder] = positionals
const shape = SHAPES[values.shape]
if (folder === undefined || shape === undefined) {
  console.error(folder === undefined ? 'error: a folder is needed' : `error: no such shape: ${values.shape}`)
  process.exit(2)
}

const { hidden, inner, heads, kvHeads } = shape
const layers = Number(values.layers ?? shape.layers)
const shards = Number(values.shards)
const vocabulary = 32000
const filledRows = 64

const config = {
  architectures: ['LlamaForCausalLM'],
  model_type: 'llama',
  hidden_size: hidden,
  intermediate_size: inner,
  num_hidden_layers: layers,
  num_attention_heads: heads,
  num_key_value_heads: kvHeads,
  vocab_size: vocabulary,
  max_position_embeddings: 4096,
  rms_norm_eps: 1e-5,
  rope_theta: 10000,
  hidden_act: 'silu',
  tie_word_embeddings: false,
  torch_dtype: 'bfloat16',
}

const keyWidth = (hidden / heads) * kvHeads
const tensors = [
  ['model.embed_tokens.weight', [vocabulary, hidden]],
  ...Array.from({ length: layers }, (_, layer) => {
    const name = (part) => `model.layers.${layer}.${part}.weight`
    return [
      [name('input_layernorm'), [hidden]],
      [name('self_attn.q_proj'), [hidden, hidden]],
      [name('self_attn.k_proj'), [keyWidth, hidden]],
      [name('self_attn.v_proj'), [keyWidth, hidden]],
      [name('self_attn.o_proj'), [hidden, hidden]],
      [name('post_attention_layernorm'), [hidden]],
      ...['gate', 'up'].map((part) => [name(`mlp.${part}_proj`), [inner, hidden]]),
      [name('mlp.down_proj'), [hidden, inner]],
    ]
  }).flat(),
  ['model.norm.weight', [hidden]],
  ['lm_head.weight', [vocabulary, hidden]],
]

mkdirSync(folder, { recursive: true })
writeFileSync(join(folder, 'config.json'), JSON.stringify(config, null, 2))
for (const file of ['tokenizer.json', 'tokenizer_config.json']) {
  cpSync(fileURLToPath(new URL(`../examples/model/${file}`, import.meta.url)), join(folder, file))
}
const tokens = Object.keys(JSON.parse(readFileSync(join(folder, 'tokenizer.json'), 'utf8')).model.vocab).length
let seed = 1
let bytes = 0
const weightMap = {}
const perShard = Math.ceil(tensors.length / shards)
for (let shard = 1; shard <= shards; shard++) {
  const number = (count) => `${count}`.padStart(5, '0')
  const name = shards === 1 ? 'model.safetensors' : `model-${number(shard)}-of-${number(shards)}.safetensors`
  bytes += writeShard(join(folder, name), tensors.slice((shard - 1) * perShard, shard * perShard))
  for (const [tensor] of tensors.slice((shard - 1) * perShard, shard * perShard)) weightMap[tensor] = name
}
if (shards > 1) {
  const index = { metadata: { total_size: bytes }, weight_map: weightMap }
  writeFileSync(join(folder, 'model.safetensors.index.json'), JSON.stringify(index))
}
console.log(`${folder}: ${(bytes / 1e9).toFixed(1)} GB`)

/** @returns bytes of the tensors */
function writeShard(path, tensors) {
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
  const file = openSync(path, 'w')
  writeSync(file, headerSize)
  writeSync(file, header)
  const dataStart = 8 + header.length
  ftruncateSync(file, dataStart + end)
  for (const [name, shape] of tensors) {
    const rows = name.includes('embed') ? tokens : shape.length === 1 ? shape[0] : filledRows
    const width = shape[1] ?? 1
    const [center, spread] = shape.length === 1 ? [1, 0.2] : [0, name.includes('embed') ? 1 : 0.1]
    const numbers = randomBfloat16(rows * width, center, spread)
    const place = dataStart + entries[name].data_offsets[0]
    writeSync(file, new Uint8Array(numbers.buffer), 0, numbers.byteLength, place)
  }
  closeSync(file)
  return end
}

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
