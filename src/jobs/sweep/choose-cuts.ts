import { isDeepStrictEqual } from 'node:util'
import type { AskedBatch } from '../../engine/sessions/gram-source.js'
import { findFixedBatch } from '../../engine/sessions/runs.js'
import type { Block } from '../../model/layers/block.js'
import { normalizeBlocks } from '../../model/layers/blocks.js'
import { findBestBlock } from '../../results/documents/result-views.js'
import type { ChosenCut } from '../../results/documents/sweep-result.js'
import { openMeasuringEvaluator } from '../evaluate/limited-evaluator.js'
import { rememberMeasured } from '../evaluate/remember.js'
import { Answers } from '../run/saved-work.js'
import { measureKeeping } from '../similarity/keep-distances.js'
import { openCalibration } from '../strategies/calibration.js'
import { asBlocks, deepestBlock, lowestLayers } from '../strategies/choose-layers.js'
import { removeGreedily } from '../strategies/greedy.js'
import { LastTokenDistances } from './last-token-distances.js'
import type { SweepSettings, SweepStrategy } from './options.js'
import type { ChoosingProgress } from './progress.js'

/** Where what is measured is kept. */
interface Keeping {
  known: ChoosingProgress
  onSaved: () => Promise<void>
}

/** The blocks that a strategy removes, for each size. */
type BlocksOfSize = (size: number) => Block[]

/**
 * Chooses the layers of every size by every strategy. Cuts of a size that several strategies choose are one cut.
 * What is measured is kept, and not measured again if it is known.
 * @throws as `measureSimilarity`, `openCalibration` and `removeGreedily`
 */
export async function chooseCuts(settings: SweepSettings, layers: number, keeping: Keeping): Promise<ChosenCut[]> {
  const { strategies, sizes } = settings
  const measured = await measureStates(settings, layers, keeping)
  const { distances } = measured
  const chosen: ChosenCut[] = []
  for (const strategy of strategies) {
    const blocksOf = await chooseBlocks(strategy, settings, layers, { ...measured, ...keeping })
    for (const layersToSkip of sizes) {
      const removed = normalizeBlocks(blocksOf(layersToSkip), layers)
      const same = chosen.find((cut) => isDeepStrictEqual(cut.removed, removed))
      if (same !== undefined) same.strategies.push(strategy)
      else {
        const [block, another] = removed
        const distance = another === undefined ? (distances?.[layersToSkip]?.[block!.start] ?? null) : null
        chosen.push({ strategies: [strategy], layersToSkip, removed, distance })
      }
    }
  }
  return chosen.sort((a, b) => a.layersToSkip - b.layersToSkip)
}

/** Measurements of the states that strategies need; undefined if none needs them. */
interface MeasuredStates {
  /** `distances[n][l]`, angular, at the last token of each text. */
  distances?: Record<string, number[]>
  /** Block influence of each layer, over all tokens. */
  influence?: number[]
}

/** Measures both in one run if both are needed. */
async function measureStates(
  settings: SweepSettings,
  layers: number,
  { known, onSaved }: Keeping,
): Promise<MeasuredStates> {
  const { strategies } = settings
  const { shard, resumeFrom, onSaved: _, ...options } = settings
  if (!strategies.includes('block-influence')) {
    if (!strategies.includes('angular')) return {}
    const { distances } = await measureKeeping({ ...options, layersToSkip: 1 }, known.distances, onSaved)
    return { distances }
  }
  const last = new LastTokenDistances(layers, known.last)
  const influence = {
    ...options,
    ...({ metric: 'block-influence', tokens: 'all', layersToSkip: 1 } as const),
    onGram: (batch: AskedBatch, gram: Float64Array) => last.addBatch(batch, gram),
  }
  const { distances } = await measureKeeping(influence, known.distances, () => {
    known.last = last.save()
    return onSaved()
  })
  return { influence: distances[1]!, ...(strategies.includes('angular') && { distances: last.means() }) }
}

async function chooseBlocks(
  strategy: SweepStrategy,
  settings: SweepSettings,
  layers: number,
  { distances, influence, ...keeping }: MeasuredStates & Keeping,
): Promise<BlocksOfSize> {
  switch (strategy) {
    case 'angular':
      return (size) => [findBestBlock(distances!, size)]
    case 'deepest':
      return (size) => [deepestBlock(layers, size)]
    case 'block-influence':
      return (size) => asBlocks(lowestLayers(influence!, size))
    case 'greedy-perplexity':
      return chooseGreedily(settings, layers, keeping)
  }
}

/** One search removes one layer after another, up to the largest size. */
async function chooseGreedily(
  settings: SweepSettings,
  layers: number,
  { known, onSaved }: Keeping,
): Promise<BlocksOfSize> {
  const { sizes, threads, device = 'cpu', maxMemory, signal, onNote, onProgress } = settings
  const { model, batches, settings: texts } = await openCalibration(settings)
  const limit = maxMemory === undefined ? undefined : { maxMemory, maxLength: texts.maxLength }
  const session = { threads, device, limit, signal, onNote, onProgress }
  const evaluator = await openMeasuringEvaluator(model, session)
  try {
    const answers = new Answers(known, onSaved)
    const steps = await removeGreedily({ measure: rememberMeasured(evaluator, answers) }, batches, {
      layers,
      n: sizes.at(-1)!,
      hasFixedBatch: findFixedBatch(model.decoder.model.graph) !== null,
      onProgress,
    })
    return (size) => asBlocks(steps.slice(0, size).map(({ layer }) => layer))
  } finally {
    await evaluator.close()
  }
}
