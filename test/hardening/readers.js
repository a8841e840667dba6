// Every reader of files from strangers: sound files, which of them is damaged and how, and the call that reads them.
//   variants  sound files to choose from: `{ files, damaged }`, content by name and the name of what is damaged
//   mutate    gives the damaged content
//   read      reads a folder; what it returns tells what was read
//   compare   whether that must be what the sound files give: damage that may not change a result
//   slow      whether it takes long: it comes a quarter as often
//   mayRefuse whether sound files may be refused too
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { openModel } from '../../dist/engine/model.js'
import { pruneModel } from '../../dist/jobs/prune/prune.js'
import { openDataset } from '../../dist/texts/data/dataset.js'
import { readRecords } from '../../dist/texts/data/records.js'
import { TokenizerProcess } from '../../dist/texts/tokens/tokenizer-process.js'
import { mutatePart } from './gguf-parts.js'
import { makeHubReaders } from './hub-readers.js'
import { measure } from './measure.js'
import { mutateBytes, mutateGraph, mutatePickle } from './mutate.js'
import { mutateCard } from './mutate-card.js'
import { mutateNumbers } from './mutate-json.js'
import { mutateLayout, mutateToNotFinite } from './mutate-weights.js'
import { makeNumberReaders } from './number-readers.js'
import { makeProgramReaders } from './program-readers.js'
import { makeSavedReaders } from './saved-readers.js'
import * as sound from './sound-files.js'
import { makeTextReaders } from './text-readers.js'

const one = (files, damaged) => ({ sound: { files, damaged } })

function datasetReader(name, bytes, options = {}) {
  const read = async (folder) => {
    const dataset = await openDataset({ dataset: join(folder, name), ...options })
    let count = 0
    for await (const row of dataset.rows()) {
      if (typeof row.text !== 'string') throw new TypeError('no text')
      count++
    }
    return count + dataset.skipped.empty + dataset.skipped.notText
  }
  return { variants: one({ [name]: bytes }, name), mutate: mutateBytes, read }
}

/** A parquet file says how many rows it has: none may be lost or doubled. */
const parquetReader = (name, options) => ({
  ...datasetReader(name, sound.readFixture(`data/${name}`), options),
  compare: true,
})

/** Chats, as they are before a template writes them. */
const chatOptions = { datasetColumn: 'messages', writeChat: async (chat) => JSON.stringify(chat) }

/** Whole rows, as tasks read them. */
const recordsReader = {
  variants: one({ 'records.parquet': sound.readFixture('data/records.parquet') }, 'records.parquet'),
  mutate: mutateBytes,
  compare: true,
  read: async (folder) => {
    let count = 0
    for await (const { fields } of readRecords({
      dataset: [join(folder, 'records.parquet')],
      split: 'test',
    })) {
      if (typeof fields !== 'object') throw new TypeError('no fields')
      count++
    }
    return count
  },
}

function modelReader(files, damaged) {
  const read = async (folder) => void (await openModel({ model: folder }))
  return { variants: one(files, damaged), mutate: mutateBytes, read }
}

/** Reads a model and runs it: what a reader lets pass reaches native code. */
function modelRunner(files, damaged, { mutate = mutateBytes, ...options } = {}) {
  return { variants: one(files, damaged), mutate, read: (folder) => measure(folder, options) }
}

/** Models in all forms of packed weights; `damaged` is the file of each that is. */
function packedRunner(damaged, mutate) {
  const variants = Object.fromEntries(Object.entries(sound.packed).map(([name, files]) => [name, { files, damaged }]))
  return { variants, mutate, read: (folder) => measure(folder) }
}

async function encodeApart(place) {
  const tokenizer = new TokenizerProcess(place)
  try {
    return await tokenizer.encode('In the beginning', 16)
  } finally {
    tokenizer.close()
  }
}

function tokenizerReader(damaged) {
  return {
    variants: one(sound.llama, damaged),
    mutate: mutateBytes,
    read: async (folder) => void (await encodeApart(folder)),
  }
}

function ggufReader(name) {
  return modelReader({ 'model.gguf': sound.gguf[name] }, 'model.gguf')
}

/** Either part of a model in two. */
const ggufParts = {
  variants: Object.fromEntries(
    Object.keys(sound.ggufParts).map((damaged) => [damaged, { files: sound.ggufParts, damaged }]),
  ),
  read: (folder) => measure(folder),
}

const ggufTokenizerReader = {
  variants: one({ 'model.gguf': sound.gguf['llama-tied.gguf'] }, 'model.gguf'),
  mutate: mutateBytes,
  read: async (folder) => void (await encodeApart(join(folder, 'model.gguf'))),
}

const PLAN = { strategy: 'explicit', removed: [{ start: 1, end: 2 }] }
const modelCardReader = {
  variants: one({ ...sound.llama, 'README.md': sound.modelCard }, 'README.md'),
  mutate: mutateCard,
  read: async (folder) => void (await pruneModel({ model: folder, plan: PLAN, output: `${folder}-out`, dryRun: true })),
}

const parquetFiles = sound
  .listFixtures('data')
  .filter((name) => name.endsWith('.parquet') && !/^(chats|records|types)\./.test(name))

/** Those that take tens of milliseconds. */
const SLOW = new Set([
  "a Hub's answers, of a model",
  'NaN or Inf in a weight, evaluated in q8',
  'NaN or Inf in a weight, q8',
  'adapter config',
  'adapter weights',
  'ONNX graph in q8, run',
  'ONNX graph, run',
  'config of packed weights, run',
  'names in a graph',
  'names of columns',
  'numbers in a config',
  'numbers in an adapter config',
  'numbers in an evaluation, plotted',
  'numbers in a result, plotted',
  'numbers in a saved evaluation',
  'numbers in a saved result',
  'numbers in a saved shard',
  'packed weights, NaN or Inf, run',
  'packed weights, run',
  'result to go on from',
  'texts in a result, checked',
  'texts in a result, reported',
  'texts in a tokenizer',
  'texts in an adapter config',
  'texts in shards',
  'token ids',
  'tokenizer.json, run',
])

/** @param documents what the program saves, as JSON texts by file name */
export function makeReaders(documents) {
  const { llama, onnx, graphs, fused, genai, texts, rows } = sound
  const readers = {
    'ONNX graph': modelReader(onnx, 'onnx/model.onnx'),
    'safetensors header': modelReader(llama, 'model.safetensors'),
    'safetensors index': modelReader(sound.withIndex(llama), 'model.safetensors.index.json'),
    'GGUF header': ggufReader('llama.gguf'),
    'GGUF metadata, run': modelRunner({ 'model.gguf': sound.gguf['qwen3.gguf'] }, 'model.gguf'),
    'GGUF tokenizer': ggufTokenizerReader,
    'GGUF parts': {
      ...ggufParts,
      mutate: mutatePart(Object.values({ ...sound.ggufParts, ...sound.otherGgufParts })),
      compare: true,
    },
    'GGUF part, run': { ...ggufParts, mutate: mutateBytes },
    'PyTorch archive': modelReader(sound.pytorch, 'pytorch_model.bin'),
    'PyTorch pickle, run': modelRunner(sound.pytorch, 'pytorch_model.bin', { mutate: mutatePickle }),
    config: modelReader(llama, 'config.json'),
    'tokenizer.json': tokenizerReader('tokenizer.json'),
    'tokenizer_config.json': tokenizerReader('tokenizer_config.json'),
    ...Object.fromEntries(
      parquetFiles.map((name) => [`parquet, ${name.replace('.parquet', '')}`, parquetReader(name)]),
    ),
    'parquet, chats': parquetReader('chats.parquet', chatOptions),
    'parquet, whole rows': recordsReader,
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
    'packed weights, run': packedRunner('model.safetensors', mutateLayout),
    'packed weights, NaN or Inf, run': packedRunner('model.safetensors', mutateToNotFinite),
    'config of packed weights, run': packedRunner('config.json', mutateNumbers),
    'tokenizer.json, run': modelRunner(llama, 'tokenizer.json'),
    'model card': modelCardReader,
    jsonl: datasetReader('texts.jsonl', texts),
    json: datasetReader('texts.json', Buffer.from(JSON.stringify(rows.map((text) => ({ text }))))),
    csv: datasetReader('texts.csv', sound.csv),
    'jsonl.gz': datasetReader('texts.jsonl.gz', gzipSync(texts)),
    'jsonl.zst': datasetReader('texts.jsonl.zst', sound.readFixture('data/texts.jsonl.zst')),
    ...makeSavedReaders(documents),
    ...makeNumberReaders(),
    ...makeProgramReaders(),
    ...makeHubReaders(),
    ...makeTextReaders(documents),
  }
  return Object.fromEntries(
    Object.entries(readers).map(([name, reader]) => [name, { ...reader, slow: SLOW.has(name) }]),
  )
}
