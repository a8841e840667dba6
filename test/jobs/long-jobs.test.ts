import { join } from 'node:path'
import { expect, it } from 'vitest'
import {
  evaluatePerplexity,
  healModel,
  measureSimilarity,
  type Progress,
  planLayers,
  repairModel,
  sweepCuts,
} from '../../src/index.js'
import { ONE_THREAD } from '../support/fixture-model.js'
import { EXAMPLES } from '../support/paths.js'
import { makeTempFolder } from '../support/temp-folder.js'

const INPUTS = {
  ...ONE_THREAD,
  model: join(EXAMPLES, 'model'),
  dataset: join(EXAMPLES, 'texts.jsonl'),
  maxLength: 32,
}

/** What a job reports. */
async function collect(run: (onProgress: (progress: Progress) => void) => Promise<unknown>) {
  const reports: Progress[] = []
  await run((progress) => reports.push(progress))
  const phases = [...new Set(reports.map(({ phase }) => phase))]
  return { phases, of: (phase: string) => reports.filter((report) => report.phase === phase) }
}

/** Each report says at least as much as the one before; the first says that nothing is done, the last that all is. */
function expectSteady(reports: Progress[], end = 1) {
  const shares = reports.map(({ share }) => share!)
  expect(shares[0]).toBe(0)
  for (const [index, share] of shares.entries()) expect(share).toBeGreaterThanOrEqual(shares[index - 1] ?? 0)
  expect(shares.at(-1)).toBeCloseTo(end, 6)
}

it('similarity counts texts, also those of a batch, and expects as many as the file has', async () => {
  const { phases, of } = await collect((onProgress) =>
    measureSimilarity({ ...INPUTS, maxLength: 512, batchSize: 64, layersToSkip: 4, onProgress }),
  )
  expect(phases).toEqual(['opening the model', 'loading the model', 'reading texts', 'distances'])
  const reports = of('distances')
  expectSteady(reports)
  expect(reports.some(({ done }) => done > 0 && done < 64)).toBe(true)
  expect(reports.at(-1)).toMatchObject({ done: 200, total: 200, unit: 'text', isEstimate: false })
  expect(reports.at(-1)!.detail).toMatch(/^best so far layers \d+\.\.\d+$/)
})

it('evaluate reports layers of a batch as parts of its texts', async () => {
  const candidates = [[{ start: 4, end: 8 }], [{ start: 5, end: 9 }]]
  const { phases, of } = await collect((onProgress) =>
    evaluatePerplexity({ ...INPUTS, datasetSize: 8, datasetSkip: 4, candidates, onProgress }),
  )
  expect(phases).toEqual(['opening the model', 'reading texts', 'perplexity', 'loading the model'])
  expect(of('loading the model').at(-1)).toMatchObject({ done: 12, total: 12, unit: 'layer' })
  const reports = of('perplexity')
  expectSteady(reports)
  // 3 + 6 runs of layers of three models, and their heads
  expect(reports.length).toBeGreaterThan(9)
  for (const { total, unit } of reports) expect([total, unit]).toEqual([8, 'text'])
})

it('plan --strategy repaired says which repair it fits and which candidate it measures', async () => {
  const { phases, of } = await collect((onProgress) =>
    planLayers({
      ...{ ...INPUTS, strategy: 'repaired', layersToSkip: 2, datasetSize: 8, batchSize: 2 },
      onProgress,
    }),
  )
  expect(phases).toEqual(['opening the model', 'loading the model', 'fitting repairs', 'search'])
  expect(of('fitting repairs')[0]).toMatchObject({ done: 0, total: 12, unit: 'layer', detail: 'layer 0' })
  const reports = of('search')
  expectSteady(reports)
  expect(reports.at(-1)!.detail).toMatch(/^layer 2 of 2, candidate (\d+) of \1$/)
})

it('a repair names the layer, the matrix and the ridge, and bounds what is left', async () => {
  const { phases, of } = await collect((onProgress) =>
    repairModel({
      ...{ ...INPUTS, removed: [{ start: 4, end: 8 }], datasetSize: 16, evaluateSize: 8, batchSize: 4 },
      onProgress,
    }),
  )
  const measured = 'perplexity, whole, cut and repaired'
  expect(phases).toEqual(['opening the model', 'reading texts', 'states of the whole model', 'repair', measured])
  const details = of('repair').map(({ detail }) => detail!)
  expect(details[0]).toBe('layer 3, running the whole model')
  expect(details).toContain('layer 3, self_attn.o_proj, reading activations')
  expect(details).toContain('layer 3, mlp.down_proj, ridge 0.1')
  const shares = of('repair').map(({ share }) => share!)
  for (const [index, share] of shares.entries()) expect(share).toBeGreaterThanOrEqual((shares[index - 1] ?? 0) - 1e-9)
  expect(of('repair').every(({ isMost }) => isMost)).toBe(true)
  expectSteady(of(measured))
  expect(of(measured)[0]).toMatchObject({ total: 8, unit: 'text' })
})

it('a sweep tells its measurements apart', async () => {
  const { phases, of } = await collect((onProgress) =>
    sweepCuts({
      ...{ ...INPUTS, sizes: [2, 4], datasetSize: 8, verifySize: 8, repair: true },
      onProgress,
    }),
  )
  const measured = [
    'perplexity of candidates',
    'perplexity, first texts',
    'perplexity',
    'perplexity, repaired, first texts',
    'perplexity, repaired',
  ]
  expect(phases.filter((phase) => phase.startsWith('perplexity'))).toEqual(measured)
  for (const phase of measured) expectSteady(of(phase))
})

it('training counts steps, and the measurements between them as work', async () => {
  const { phases, of } = await collect((onProgress) =>
    healModel({
      ...{ ...INPUTS, output: join(makeTempFolder(), 'healed'), evaluateSize: 4 },
      ...{ steps: 4, batchSize: 2, microBatchSize: 1, evaluateEvery: 2 },
      onProgress,
    }),
  )
  expect(phases).toEqual([
    ...['opening the model', 'reading texts', 'perplexity before', 'loading the model'],
    ...['training', 'perplexity after', 'writing'],
  ])
  expectSteady(of('training'))
  expect(of('training')).toContainEqual(expect.objectContaining({ done: 1.5, total: 4, unit: 'step' }))
  expect(of('training').at(-1)!.detail).toMatch(/^loss \d\.\d{3}, held-out perplexity \d+\.\d\d$/)
  expect(of('writing').at(-1)).toMatchObject({ unit: 'MB', share: 1 })
})
