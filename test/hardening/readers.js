// Every reader of files from strangers: the sound files it starts from, which of them is damaged, and the call.

import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'
import { openDataset } from '../../dist/data/dataset.js'
import { openModel } from '../../dist/model.js'
import { readPlan } from '../../dist/plan/plan.js'
import { pruneModel } from '../../dist/prune/prune.js'
import { readSavedDocuments } from '../../dist/report/read-saved.js'
import { loadTokenizer } from '../../dist/runtime/tokenizer.js'
import { measureSimilarity } from '../../dist/similarity/measure.js'
import { readContinuableResult } from '../../dist/similarity/saved-result.js'
import { mutateGraph } from './mutate.js'

const FIXTURES = fileURLToPath(new URL('../fixtures', import.meta.url))
const read = (path) => readFileSync(join(FIXTURES, path))

/** The files of a fixture folder, by name; those of its subfolders too. */
function readFolder(folder, names) {
  return Object.fromEntries(names.map((name) => [name, read(`${folder}/${name}`)]))
}

async function readDataset(path) {
  const dataset = await openDataset({ paths: [path], column: 'text' })
  for await (const row of dataset.rows()) if (typeof row.text !== 'string') throw new TypeError('no text')
}

function datasetReader(name, bytes) {
  return { files: { [name]: bytes }, damaged: name, read: (folder) => readDataset(join(folder, name)) }
}

function modelReader(files, damaged) {
  return { files, damaged, read: (folder) => openModel({ model: folder }) }
}

/** Reads a model and runs it: what a reader lets pass reaches native code. */
function modelRunner(files, damaged, { mutate, ...options } = {}) {
  const read = async (folder) => {
    const dataset = join(FIXTURES, 'texts.jsonl')
    const result = await measureSimilarity({
      model: folder,
      dataset,
      datasetSize: 3,
      layersToSkip: 1,
      ...options,
    })
    if (!Number.isFinite(result.best.distance)) throw new TypeError(`a distance of ${result.best.distance}`)
  }
  return { files, damaged, mutate, read }
}

function savedReader(name, document, call) {
  return {
    files: { [name]: Buffer.from(JSON.stringify(document)) },
    damaged: name,
    read: (folder) => call(join(folder, name)),
  }
}

/** Splits a checkpoint in name only: an index that leads to the one file. */
function withIndex(files) {
  const { 'model.safetensors': weights, ...rest } = files
  const header = JSON.parse(weights.subarray(8, 8 + Number(weights.readBigUInt64LE())).toString())
  const names = Object.keys(header).filter((name) => name !== '__metadata__')
  const map = Object.fromEntries(names.map((name) => [name, 'part.safetensors']))
  const index = Buffer.from(JSON.stringify({ metadata: { total_size: weights.length }, weight_map: map }))
  return { ...rest, 'part.safetensors': weights, 'model.safetensors.index.json': index }
}

function exampleResult() {
  const row = (n, of) => Array.from({ length: 4 - n }, (_, start) => of(start))
  const sizes = (of) => Object.fromEntries([1, 2, 3].map((n) => [n, row(n, of)]))
  const distances = sizes((start) => 0.1 + 0.05 * start)
  const block = (start) => ({ start, end: start + 1, distance: distances[1][start], standardError: 0.01 })
  return {
    schema: 'layerprune.similarity/1',
    model: {
      id: 'm',
      revision: null,
      askedRevision: null,
      family: 'llama',
      layers: 3,
      hiddenSize: 8,
      dtype: 'fp32',
      checkpointDtype: null,
      file: 'model.safetensors',
      fingerprint: 'ab',
    },
    dataset: {
      id: 'd',
      config: null,
      split: null,
      revision: null,
      column: 'text',
      samples: 2,
      tokens: 20,
      skipped: { empty: 0, notText: 0 },
      fingerprint: 'cd',
    },
    settings: { maxLength: 10, batchSize: 2 },
    metric: 'angular',
    tokens: 'last',
    layersToSkip: 1,
    blocks: [0, 1, 2].map(block),
    best: block(0),
    certainty: null,
    distances,
    standardErrors: sizes(() => 0.01),
    metrics: { euclidean: { distances, standardErrors: sizes(() => 0.01), best: block(0) } },
    layerpruneVersion: '0.1.0',
  }
}

const llama = readFolder('families/llama', [
  'config.json',
  'model.safetensors',
  'tokenizer.json',
  'tokenizer_config.json',
])
const onnx = readFolder('onnx/llama', [
  'config.json',
  'onnx/model.onnx',
  'tokenizer.json',
  'tokenizer_config.json',
])
const graphs = readFolder('onnx/llama', [...Object.keys(onnx), 'onnx/model_quantized.onnx'])
const fused = readFolder('onnx/fused-llama', [
  ...Object.keys(onnx),
  'onnx/model.onnx_data',
  'onnx/model_q4.onnx',
  'onnx/model_quantized.onnx',
])
const genai = readFolder('onnx/genai-llama-int4', [
  'genai_config.json',
  'model.onnx',
  'model.onnx.data',
  'tokenizer.json',
  'tokenizer_config.json',
])
const texts = read('texts.jsonl')
const rows = texts
  .toString()
  .trim()
  .split('\n')
  .map((line) => JSON.parse(line).text)
const csv = Buffer.from(
  ['id,text', ...rows.map((text, i) => `${i},"${text.replaceAll('"', '""')}"`)].join('\n'),
)
const result = exampleResult()
const evaluation = {
  schema: 'layerprune.evaluation/1',
  model: result.model,
  dataset: {
    id: 'd',
    config: null,
    split: null,
    revision: null,
    column: 'text',
    skippedTexts: 0,
    texts: 2,
    tokens: 20,
    scoredTokens: 18,
    scoredBytes: 60,
    skipped: { empty: 0, notText: 0 },
  },
  settings: { maxLength: 10, batchSize: 2, scored: 'every token but the first of each text' },
  perplexity: 12.5,
  standardError: 0.5,
  bitsPerByte: 1.1,
  candidates: [
    {
      removed: [{ start: 1, end: 2 }],
      perplexity: 20,
      standardError: 1,
      bitsPerByte: 1.3,
      excess: { difference: 0.4, standardError: 0.1 },
    },
    { removed: [{ start: 0, end: 1 }], perplexity: null },
  ],
  layerpruneVersion: '0.1.0',
}
const card = `---
license: apache-2.0
tags: &tags [text-generation, llama]
more: { same: *tags, language: [en, de] } # a comment
---
# A model

Its text.
`
const plan = {
  schema: 'layerprune.plan/1',
  model: { id: 'm', layers: 3 },
  strategy: 'explicit',
  removed: [{ start: 1, end: 2 }],
  layersToSkip: 1,
  layerpruneVersion: '0.1.0',
}

export const READERS = {
  'ONNX graph': modelReader(onnx, 'onnx/model.onnx'),
  'safetensors header': modelReader(llama, 'model.safetensors'),
  'safetensors index': modelReader(withIndex(llama), 'model.safetensors.index.json'),
  config: modelReader(llama, 'config.json'),
  ...Object.fromEntries(
    ['tokenizer.json', 'tokenizer_config.json'].map((name) => [
      name,
      {
        files: llama,
        damaged: name,
        read: async (folder) => (await loadTokenizer(folder)).encode('In the beginning', 16),
      },
    ]),
  ),
  ...Object.fromEntries(
    readdirSync(join(FIXTURES, 'data'))
      .filter((name) => name.endsWith('.parquet') && name !== 'types.parquet')
      .map((name) => [`parquet, ${name.replace('.parquet', '')}`, datasetReader(name, read(`data/${name}`))]),
  ),
  'genai config': modelReader(genai, 'genai_config.json'),
  'ONNX graph, run': modelRunner(onnx, 'onnx/model.onnx', { mutate: mutateGraph }),
  'ONNX graph in q8, run': modelRunner(graphs, 'onnx/model_quantized.onnx', {
    mutate: mutateGraph,
    dtype: 'q8',
  }),
  'fused ONNX graph, run': modelRunner(fused, 'onnx/model.onnx', { mutate: mutateGraph }),
  'fused ONNX graph in q4, run': modelRunner(fused, 'onnx/model_q4.onnx', {
    mutate: mutateGraph,
    dtype: 'q4',
  }),
  'ONNX graph of genai in int4, run': modelRunner(genai, 'model.onnx', { mutate: mutateGraph }),
  'external data, run': modelRunner(fused, 'onnx/model.onnx_data'),
  'safetensors, run': modelRunner(llama, 'model.safetensors'),
  'config, run': modelRunner(llama, 'config.json'),
  'tokenizer.json, run': modelRunner(llama, 'tokenizer.json'),
  'model card': {
    files: { ...llama, 'README.md': Buffer.from(card) },
    damaged: 'README.md',
    read: (folder) => pruneModel({ model: folder, plan, output: `${folder}-pruned`, dryRun: true }),
  },
  jsonl: datasetReader('texts.jsonl', texts),
  json: datasetReader('texts.json', Buffer.from(JSON.stringify(rows.map((text) => ({ text }))))),
  csv: datasetReader('texts.csv', csv),
  'jsonl.gz': datasetReader('texts.jsonl.gz', gzipSync(texts)),
  'jsonl.zst': datasetReader('texts.jsonl.zst', read('data/texts.jsonl.zst')),
  'saved result': savedReader('similarity.json', result, (path) => readSavedDocuments([path])),
  'result to go on from': savedReader('similarity.json', result, readContinuableResult),
  'saved evaluation': savedReader('evaluation.json', evaluation, (path) => readSavedDocuments([path])),
  plan: savedReader('plan.json', plan, readPlan),
}
