// The sound files that damage starts from.
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { splitGguf } from './gguf-parts.js'

const FIXTURES = fileURLToPath(new URL('../fixtures', import.meta.url))
export const TEXTS = join(FIXTURES, 'texts.jsonl')

export const readFixture = (path) => readFileSync(join(FIXTURES, path))
export const listFixtures = (folder) => readdirSync(join(FIXTURES, folder))

/** The files of a fixture folder, by name; those of its subfolders too. */
function readFolder(folder, names) {
  return Object.fromEntries(names.map((name) => [name, readFixture(`${folder}/${name}`)]))
}

const TOKENIZER = ['tokenizer.json', 'tokenizer_config.json']
export const onnx = readFolder('onnx/llama', ['config.json', 'onnx/model.onnx', ...TOKENIZER])
export const graphs = readFolder('onnx/llama', [...Object.keys(onnx), 'onnx/model_quantized.onnx'])
export const fused = readFolder('onnx/fused-llama', [
  ...Object.keys(onnx),
  'onnx/model.onnx_data',
  'onnx/model_q4.onnx',
  'onnx/model_quantized.onnx',
])
export const genai = readFolder('onnx/genai-llama-int4', [
  'genai_config.json',
  'model.onnx',
  'model.onnx.data',
  ...TOKENIZER,
])

/** Checkpoints of all families by name. */
export const families = Object.fromEntries(
  listFixtures('families').map((name) => {
    const folder = `families/${name}`
    const own = listFixtures(folder).filter((file) => !/^(reference|perplexity)\.json$/.test(file))
    return [name, readFolder(folder, own)]
  }),
)
export const { llama } = families

/** Models in every form of packed weights, by name. */
export const packed = Object.fromEntries(
  listFixtures('packed').map((name) => {
    const tokenizer = Object.fromEntries(TOKENIZER.map((file) => [file, llama[file]]))
    return [name, { ...readFolder(`packed/${name}`, ['config.json', 'model.safetensors']), ...tokenizer }]
  }),
)

/** Splits a checkpoint in name only: an index that leads to the one file. */
export function withIndex(files) {
  const { 'model.safetensors': weights, ...rest } = files
  const header = JSON.parse(weights.subarray(8, 8 + Number(weights.readBigUInt64LE())).toString())
  const names = Object.keys(header).filter((name) => name !== '__metadata__')
  const map = Object.fromEntries(names.map((name) => [name, 'part.safetensors']))
  const index = Buffer.from(JSON.stringify({ metadata: { total_size: weights.length }, weight_map: map }))
  return { ...rest, 'part.safetensors': weights, 'model.safetensors.index.json': index }
}

/** GPT-2 in a file of torch.save. */
const { 'model.safetensors': _, ...gpt2 } = families.gpt2
export const pytorch = { ...gpt2, 'pytorch_model.bin': readFixture('pytorch/gpt2/pytorch_model.bin') }

export const gguf = readFolder('gguf', ['llama.gguf', 'llama-tied.gguf', 'qwen3.gguf'])

/** A model in two parts, and the parts of another. */
export const ggufParts = await splitGguf('llama-tied.gguf')
export const otherGgufParts = await splitGguf('qwen3.gguf')

export const texts = readFixture('texts.jsonl')
export const rows = texts
  .toString()
  .trim()
  .split('\n')
  .map((line) => JSON.parse(line).text)
export const csv = Buffer.from(['id,text', ...rows.map((text, i) => `${i},"${text.replaceAll('"', '""')}"`)].join('\n'))

export const modelCard = Buffer.from(`---
license: apache-2.0
tags: &tags [text-generation, llama]
more: { same: *tags, language: [en, de] } # a comment
---
# A model

Its text.
`)

/** A dataset repository without the Hub's parquet files; one name is long, for patterns with many stars. */
export const datasetFiles = {
  'README.md': Buffer.from(`---
configs:
- config_name: default
  default: true
  data_files:
  - split: train
    path: "data/train-*.jsonl"
  - split: test
    path: data/${'a'.repeat(120)}.jsonl
- config_name: other
  data_dir: data
---
`),
  [`data/${'a'.repeat(120)}.jsonl`]: texts,
  'data/test-0.jsonl': texts,
  'data/train-0.jsonl': texts,
  'data/train-1.jsonl': texts,
}
