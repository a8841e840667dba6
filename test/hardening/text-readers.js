// Texts from strangers' files on their way to the terminal and to other files.
import { readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { mutateGraphNames } from './mutate.js'
import { mutateTexts } from './mutate-json.js'
import { mutateHeaderTexts } from './mutate-weights.js'
import { WrongSuccess } from './outcomes.js'
import { runProgram } from './program.js'
import { families, llama, onnx, rows, TEXTS, withIndex } from './sound-files.js'

const MODEL = ['--model', '.']
const DATA = ['--dataset', TEXTS, '--dataset-size', '2', '--max-length', '8', '--threads', '1']
/** Command lines that show what is in a model's files. */
const COMMANDS = {
  inspect: ['inspect', ...MODEL],
  'inspect --json': ['inspect', ...MODEL, '--json'],
  prune: ['prune', ...MODEL, '--drop', '1', '--dry-run', '-o', '../pruned'],
  similarity: ['similarity', ...MODEL, ...DATA, '--layers-to-skip', '1', '--output', 'out'],
  evaluate: ['evaluate', ...MODEL, ...DATA, '--drop', '1'],
  recipe: ['recipe', ...MODEL, '--dataset', TEXTS, '-o', 'out'],
}

function printed(files, damaged, mutate, names = Object.keys(COMMANDS)) {
  return {
    variants: Object.fromEntries(names.map((name) => [name, { files, damaged }])),
    mutate,
    read: async (folder, name) => void (await runProgram(COMMANDS[name], folder)),
  }
}

/** Texts with a letter for each layer. */
const OF_LAYERS = new Set(['hybrid_override_pattern'])

/** Texts of a config that pruning has no reason to change must be in the pruned model's, as they were. */
async function pruneAndCompare(folder) {
  const output = `${folder}-out`
  await rm(output, { recursive: true, force: true })
  await runProgram(['prune', ...MODEL, '--drop', '1', '-o', output], folder)
  const [before, after] = await Promise.all(
    [folder, output].map(async (place) => JSON.parse(await readFile(join(place, 'config.json')))),
  )
  for (const [key, value] of Object.entries(before)) {
    if (typeof value === 'string' && after[key] !== value && !OF_LAYERS.has(key)) {
      throw new WrongSuccess(
        `config.json: ${JSON.stringify(key)} was ${JSON.stringify(value)}, is ${JSON.stringify(after[key])}`,
      )
    }
  }
}

export function makeTextReaders(documents) {
  const saved = Object.fromEntries(Object.entries(documents).map(([name, text]) => [name, Buffer.from(text)]))
  const ofSaved = (damaged, ...args) => ({
    variants: { sound: { files: saved, damaged } },
    mutate: mutateTexts,
    read: async (folder) => void (await runProgram(args, folder)),
  })
  const jsonl = Buffer.from(JSON.stringify({ text: rows[1], more: 'x', and: { more: ['x'] } }))
  return {
    'texts in a config': printed(llama, 'config.json', mutateTexts),
    'texts in a tokenizer': printed(llama, 'tokenizer_config.json', mutateTexts),
    'names of tensors': printed(llama, 'model.safetensors', mutateHeaderTexts),
    'names in an index': printed(withIndex(llama), 'model.safetensors.index.json', mutateTexts),
    'names in a graph': printed(onnx, 'onnx/model.onnx', mutateGraphNames, ['inspect', 'similarity', 'prune']),
    'names of columns': {
      variants: { sound: { files: { ...llama, 'texts.jsonl': jsonl }, damaged: 'texts.jsonl' } },
      mutate: mutateTexts,
      read: async (folder) =>
        void (await runProgram(['evaluate', ...MODEL, '--dataset', 'texts.jsonl', '--drop', '1'], folder)),
    },
    'texts in a config, pruned': {
      variants: Object.fromEntries(
        Object.entries(families).map(([name, files]) => [name, { files, damaged: 'config.json' }]),
      ),
      mutate: mutateTexts,
      read: pruneAndCompare,
      mayRefuse: true,
    },
    'texts in a result': ofSaved('similarity.json', 'slice-config', '--from', 'similarity.json'),
    'texts in a result, checked': ofSaved('similarity.json', 'check', '--from', 'similarity.json', '--expect', '2:3'),
    'texts in a result, reported': ofSaved('similarity.json', 'report', 'similarity.json', '-o', 'out.html'),
    'texts in shards': ofSaved('shard-1.json', 'merge', 'shard-1.json', 'shard-2.json', '-o', 'out'),
    'texts in a plan': ofSaved('plan.json', 'slice-config', '--plan', 'plan.json'),
  }
}
