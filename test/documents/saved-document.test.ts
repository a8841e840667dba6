import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { makePlan, readPlan } from '../../src/documents/plan.js'
import { readEvaluation, readReportedResult, readSavedDocuments } from '../../src/documents/read-saved.js'
import { readContinuableResult, readSimilarityResult } from '../../src/documents/saved-result.js'
import { evaluationOf } from '../support/evaluation-example.js'
import { allSizesResult } from '../support/similarity-example.js'
import { makeTempFolder } from '../support/temp-folder.js'

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
  ['similarity', 'readReportedResult', readReportedResult],
  ['similarity', 'readContinuableResult', readContinuableResult],
  ['similarity', 'readSavedDocuments', (path) => readSavedDocuments([path])],
  ['evaluation', 'readEvaluation', readEvaluation],
  ['evaluation', 'readSavedDocuments', (path) => readSavedDocuments([path])],
  ['plan', 'readPlan', readPlan],
  ['plan', 'readSavedDocuments', (path) => readSavedDocuments([path])],
]

describe.each(READERS)('a saved %s, read by %s,', (kind, _, read) => {
  const document = DOCUMENTS[kind]

  it.each([1e9, 4097, 0, -1, 1.5, '12', null, 1e308])('may not have %j layers', async (layers) => {
    const model = { ...document.model, layers }
    await expect(read(save({ ...document, model }))).rejects.toThrow(
      `model.layers must be 1 to 4096, found ${JSON.stringify(layers)}`,
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
  it.each([1e9, 12, 0, -1, '4', undefined])('may not have blocks of %j layers', async (layersToSkip) => {
    await expect(readSimilarityResult(save({ ...DOCUMENTS.similarity, layersToSkip }))).rejects.toThrow(
      'layersToSkip must be at least 1 and below the 12 layers',
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
    await expect(readContinuableResult(save({ ...shard, progress }))).resolves.toBeDefined()
    await expect(
      readContinuableResult(save({ ...shard, progress: { ...progress, ...change } })),
    ).rejects.toThrow(message)
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
      readReportedResult(save({ ...DOCUMENTS.similarity, verification: { ...verification, ...change } }))
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
