// What the program saved is read again by it, damaged: bytes of it, or its numbers.
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { mergeShards } from '../../dist/jobs/similarity/merge-shards.js'
import { readPlan, readSavedDocuments, readSimilarityResult } from '../../dist/results/documents/read-saved.js'
import { renderPage } from '../../dist/results/report/page.js'
import { mutateBytes } from './mutate.js'
import { mutateNumbers } from './mutate-json.js'
import { runProgram } from './program.js'

const PAGE_BYTES = 20e6

async function report(path) {
  const facts = { findProblem: () => undefined, findStoredDtype: () => null }
  const page = await renderPage(await readSavedDocuments([path]), facts)
  if (page.length > PAGE_BYTES) throw new TypeError(`a page of ${page.length} characters`)
}

async function merge(path) {
  const other = join(path, '..', path.endsWith('1.json') ? 'shard-2.json' : 'shard-1.json')
  const shards = [path, other].map(async (file) => ({ file, result: await readSimilarityResult(file) }))
  mergeShards(await Promise.all(shards))
}

const CALLS = {
  result: ['similarity.json', report],
  evaluation: ['evaluation.json', report],
  plan: ['plan.json', report],
  shard: ['shard-2.json', merge],
}

export function makeSavedReaders(documents) {
  const files = Object.fromEntries(Object.entries(documents).map(([name, text]) => [name, Buffer.from(text)]))
  const reader = (damaged, mutate, call) => ({
    variants: { sound: { files, damaged } },
    mutate,
    read: async (folder) => void (await call(join(folder, damaged), folder)),
  })
  const program =
    (...args) =>
    (_, folder) =>
      runProgram(args, folder)
  return {
    ...Object.fromEntries(
      Object.entries(CALLS).flatMap(([name, [file, call]]) => [
        [`saved ${name}`, reader(file, mutateBytes, call)],
        [`numbers in a saved ${name}`, reader(file, mutateNumbers, call)],
      ]),
    ),
    'result to go on from': reader('similarity.json', mutateBytes, readSimilarityResult),
    'plan to prune by': reader('plan.json', mutateBytes, readPlan),
    'numbers in a result, plotted': reader(
      'similarity.json',
      mutateNumbers,
      program('plot', '--from', 'similarity.json', '-o', 'out.svg', '--kind', 'heatmap'),
    ),
    'numbers in an evaluation, plotted': reader('evaluation.json', mutateNumbers, plotEvaluation),
    'numbers in a plan, sliced': reader(
      'plan.json',
      mutateNumbers,
      program('slice-config', '--plan', 'plan.json', '--model', 'm'),
    ),
  }
}

async function plotEvaluation(_, folder) {
  await runProgram(['plot', '--kind', 'perplexity', '--from', 'evaluation.json', '-o', 'out.svg'], folder)
  const picture = await readFile(join(folder, 'out.svg'), 'utf8')
  if (/NaN|Infinity|undefined/.test(picture)) throw new TypeError('a picture with NaN')
}
