import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { makePlan } from '../../../src/results/documents/plan.js'
import {
  readEvaluation,
  readPlan,
  readSavedDocuments,
  readSimilarityResult,
} from '../../../src/results/documents/read-saved.js'
import { evaluationOf } from '../../support/evaluation-example.js'
import { allSizesResult } from '../../support/similarity-example.js'
import { makeTempFolder } from '../../support/temp-folder.js'

const folder = makeTempFolder()
const save = (value: unknown) => {
  const path = join(folder, 'saved.json')
  writeFileSync(path, JSON.stringify(value))
  return path
}
const removed = [{ start: 2, end: 3 }]
const DOCUMENTS = {
  similarity: allSizesResult(12, 4, (start) => start),
  evaluation: evaluationOf([30]),
  plan: makePlan({ model: { id: 'm', layers: 12 }, strategy: 'explicit', removed }),
}
const READERS: [kind: keyof typeof DOCUMENTS, name: string, read: (path: string) => Promise<unknown>][] = [
  ['similarity', 'readSimilarityResult', readSimilarityResult],
  ['similarity', 'readSavedDocuments', (path) => readSavedDocuments([path])],
  ['evaluation', 'readEvaluation', readEvaluation],
  ['evaluation', 'readSavedDocuments', (path) => readSavedDocuments([path])],
  ['plan', 'readPlan', readPlan],
  ['plan', 'readSavedDocuments', (path) => readSavedDocuments([path])],
]

describe.each(READERS)('a saved %s, read by %s,', (kind, _, read) => {
  const document = DOCUMENTS[kind]

  const least = kind === 'similarity' ? 2 : 1
  it.each<[unknown, string]>([
    ...[1e9, 4097, 1e308].map((layers): [number, string] => [layers, 'must be <= 4096']),
    ...[0, -1].map((layers): [number, string] => [layers, `must be >= ${least}`]),
    ...[1.5, '12', null].map((layers): [unknown, string] => [layers, 'must be integer']),
  ])('may not have %j layers', async (layers, expected) => {
    const model = { ...document.model, layers }
    await expect(read(save({ ...document, model }))).rejects.toThrow(
      `/model/layers ${expected}, found ${JSON.stringify(layers)}`,
    )
  })

  it('is read as it was written', async () => {
    await expect(read(save(document))).resolves.toBeDefined()
  })
})

describe('a document of another kind', () => {
  it('is named, and so is what to give instead', async () => {
    await expect(readEvaluation(save(DOCUMENTS.similarity))).rejects.toMatchObject({
      message: expect.stringContaining(
        'is not an evaluation: schema is "layerprune.similarity/1" (a similarity result), expected "layerprune.evaluation/1"',
      ),
      hint: 'give what layerprune evaluate --json printed',
    })
  })
})

describe('a saved evaluation', () => {
  it.each([0, -1, '20'])('may not have a perplexity of %j', async (perplexity) => {
    await expect(readEvaluation(save({ ...DOCUMENTS.evaluation, perplexity }))).rejects.toThrow(
      'is not an evaluation: /perplexity must be',
    )
    const candidates = [{ ...DOCUMENTS.evaluation.candidates[0], perplexity }]
    await expect(readEvaluation(save({ ...DOCUMENTS.evaluation, candidates }))).rejects.toThrow(
      'is not an evaluation: /candidates/0',
    )
  })
})

describe('a saved result', () => {
  it.each([
    [1e9, 'contradicts itself: layersToSkip must be below the 12 layers of the model, found 1000000000'],
    [12, 'contradicts itself: layersToSkip must be below the 12 layers of the model, found 12'],
    [0, 'is not a similarity result: /layersToSkip must be >= 1, found 0'],
    ['4', 'is not a similarity result: /layersToSkip must be integer, found "4"'],
    [undefined, "is not a similarity result: the document must have required property 'layersToSkip'"],
  ])('may not have blocks of %j layers', async (layersToSkip, message) => {
    await expect(readSimilarityResult(save({ ...DOCUMENTS.similarity, layersToSkip }))).rejects.toThrow(message)
  })

  it.each([
    ['angular', 1, 'is not a similarity result: /distances/1/0 must be <= 1, found 1.25'],
    ['cosine', 2, 'contradicts itself: metrics.cosine.distances["1"] has 2.25, expected numbers from 0 to 2'],
  ])('may not have a distance beyond the limit of %s', async (metric, limit, message) => {
    const { distances, standardErrors, best } = DOCUMENTS.similarity
    const beyond = { ...distances, 1: distances[1]!.map(() => limit + 0.25) }
    const changed =
      metric === 'angular'
        ? { distances: beyond }
        : { metrics: { [metric]: { distances: beyond, standardErrors, best } } }
    const reading = readSimilarityResult(save({ ...DOCUMENTS.similarity, ...changed }))
    await expect(reading).rejects.toThrow(message)
  })

  it('is of metrics that exist', async () => {
    await expect(readSimilarityResult(save({ ...DOCUMENTS.similarity, metric: 'l1' }))).rejects.toThrow(
      '/metric must be one of angular, cosine, block-influence, relative-magnitude, euclidean, found "l1"',
    )
  })

  it.each([
    [{ window: undefined }, "/progress must have required property 'window'"],
    [{ window: {} }, "/progress/window must have required property 'start'"],
    [{ tokenless: 'x' }, '/progress/tokenless must be integer'],
  ])('whose progress has %j is refused, not run', async (change, message) => {
    const position = { rows: 1, digest: 'ab', skipped: { empty: 0, notText: 0 } }
    const progress = { tokenless: 0, window: { start: position, end: position, batches: 0 }, statistics: {} }
    const shard = { ...DOCUMENTS.similarity, shard: { index: 1, count: 2 } }
    await expect(readSimilarityResult(save({ ...shard, progress }))).resolves.toBeDefined()
    await expect(readSimilarityResult(save({ ...shard, progress: { ...progress, ...change } }))).rejects.toThrow(
      message,
    )
  })

  it('may not recommend a block that it did not check', async () => {
    const block = {
      start: 3,
      end: 7,
      distance: 0.07,
      distanceRank: 4,
      perplexity: 9,
      standardError: 1,
      perplexityRank: 1,
    }
    const { dataset, settings } = evaluationOf([])
    const verification = { dataset, settings, perplexity: 5, blocks: [block], recommended: block }
    const read = (change: object) =>
      readSimilarityResult(save({ ...DOCUMENTS.similarity, verification: { ...verification, ...change } }))
    await expect(read({})).resolves.toBeDefined()
    for (const recommended of [
      { ...block, start: 2, end: 6 },
      { ...block, end: 1e9 },
    ]) {
      await expect(read({ recommended })).rejects.toThrow('verification.recommended is none of the blocks')
    }
    const wide = { ...block, end: 8 }
    await expect(read({ blocks: [wide], recommended: wide })).rejects.toThrow('verification.recommended')
  })
})
