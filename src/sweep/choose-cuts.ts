import { isDeepStrictEqual } from 'node:util'
import { findBestBlock } from '../documents/result-views.js'
import type { ChosenCut } from '../documents/sweep-result.js'
import { openEvaluator } from '../evaluate/evaluator.js'
import type { Block } from '../layers/block.js'
import { normalizeBlocks } from '../layers/blocks.js'
import { measureSimilarity } from '../similarity/measure.js'
import { openCalibration } from '../strategies/calibration.js'
import { asBlocks, deepestBlock, lowestLayers } from '../strategies/choose-layers.js'
import { removeGreedily } from '../strategies/greedy.js'
import type { SweepSettings, SweepStrategy } from './options.js'

/** The blocks that a strategy removes, for each size. */
type BlocksOfSize = (size: number) => Block[]

/**
 * Chooses the layers of every size by every strategy. Cuts of a size that several strategies choose are one cut.
 * @throws as `measureSimilarity`, `openCalibration` and `removeGreedily`
 */
export async function chooseCuts(settings: SweepSettings, layers: number): Promise<ChosenCut[]> {
  const { strategies, sizes } = settings
  const distances = strategies.includes('angular') ? await measureDistances(settings) : undefined
  const chosen: ChosenCut[] = []
  for (const strategy of strategies) {
    const blocksOf = await chooseBlocks(strategy, settings, layers, distances)
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

async function measureDistances(settings: SweepSettings): Promise<Record<string, number[]>> {
  return (await measureSimilarity({ ...ofDistances(settings), layersToSkip: 1 })).distances
}

async function chooseBlocks(
  strategy: SweepStrategy,
  settings: SweepSettings,
  layers: number,
  distances: Record<string, number[]> | undefined,
): Promise<BlocksOfSize> {
  switch (strategy) {
    case 'angular':
      return (size) => [findBestBlock(distances!, size)]
    case 'deepest':
      return (size) => [deepestBlock(layers, size)]
    case 'block-influence':
      return chooseByInfluence(settings)
    case 'greedy-perplexity':
      return chooseGreedily(settings, layers)
  }
}

async function chooseByInfluence(settings: SweepSettings): Promise<BlocksOfSize> {
  const { distances } = await measureSimilarity({
    ...ofDistances(settings),
    metric: 'block-influence',
    tokens: 'all',
    layersToSkip: 1,
  })
  return (size) => asBlocks(lowestLayers(distances[1]!, size))
}

/** One search removes one layer after another, up to the largest size. */
async function chooseGreedily(settings: SweepSettings, layers: number): Promise<BlocksOfSize> {
  const { sizes, threads, device = 'cpu', signal, onProgress } = settings
  const { model, batches } = await openCalibration(settings)
  const evaluator = await openEvaluator(model, { threads, device, signal })
  try {
    const steps = await removeGreedily(evaluator, batches, {
      layers,
      n: sizes.at(-1)!,
      onTexts: (texts, total) => onProgress?.({ texts, total }),
    })
    return (size) => asBlocks(steps.slice(0, size).map(({ layer }) => layer))
  } finally {
    await evaluator.close()
  }
}

/** Settings of a run that measures distances; a sweep's shard is one of cuts, not of texts. */
function ofDistances({ shard, resumeFrom, ...settings }: SweepSettings) {
  return settings
}
