// What the program saves, as it saves it: results, shards, a plan and an evaluation of a small model.
import { fileURLToPath } from 'node:url'
import { evaluatePerplexity, makePlan, measureSimilarity } from '../../dist/index.js'

const FIXTURES = fileURLToPath(new URL('../fixtures', import.meta.url))

/** @returns the documents by file name, as JSON texts */
export async function makeDocuments() {
  const run = {
    model: `${FIXTURES}/families/llama`,
    dataset: `${FIXTURES}/texts.jsonl`,
    datasetSize: 4,
    maxLength: 16,
  }
  const options = { ...run, layersToSkip: 1, metric: ['angular', 'euclidean'] }
  const result = await measureSimilarity(options)
  const shards = await Promise.all([1, 2].map((index) => measureSimilarity({ ...options, shard: { index, count: 2 } })))
  const removed = [{ start: 1, end: 2 }]
  const evaluation = await evaluatePerplexity({ ...run, candidates: [removed, [{ start: 0, end: 1 }]] })
  const plan = makePlan({ strategy: 'explicit', model: result.model, removed })
  const documents = {
    'similarity.json': result,
    'shard-1.json': shards[0],
    'shard-2.json': shards[1],
    'evaluation.json': evaluation,
    'plan.json': plan,
  }
  return Object.fromEntries(Object.entries(documents).map(([name, value]) => [name, JSON.stringify(value)]))
}
