// Every reader of files from strangers: the sound files it starts from, which of them is damaged, and the call.

import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'
import { openDataset } from '../../dist/data/dataset.js'
import { openModel } from '../../dist/model.js'
import { readPlan } from '../../dist/plan/plan.js'
import { readSavedDocuments } from '../../dist/report/read-saved.js'
import { loadTokenizer } from '../../dist/runtime/tokenizer.js'
import { readContinuableResult } from '../../dist/similarity/saved-result.js'

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
  jsonl: datasetReader('texts.jsonl', texts),
  json: datasetReader('texts.json', Buffer.from(JSON.stringify(rows.map((text) => ({ text }))))),
  csv: datasetReader('texts.csv', csv),
  'jsonl.gz': datasetReader('texts.jsonl.gz', gzipSync(texts)),
  'saved result': savedReader('similarity.json', result, (path) => readSavedDocuments([path])),
  'result to go on from': savedReader('similarity.json', result, readContinuableResult),
  plan: savedReader('plan.json', plan, readPlan),
}
