import { isDeepStrictEqual } from 'node:util'
import type { AskedBatch } from '../../engine/sessions/gram-source.js'
import { findFixedBatch } from '../../engine/sessions/runs.js'
import type { Block } from '../../model/layers/block.js'
import { normalizeBlocks } from '../../model/layers/blocks.js'
import { findBestBlock } from '../../results/documents/result-views.js'
import type { ChosenCut } from '../../results/documents/sweep-result.js'
import { recordTexts, type TextRecord } from '../../results/documents/text-uses.js'
import { openMeasuringEvaluator } from '../evaluate/limited-evaluator.js'
import { rememberMeasured } from '../evaluate/remember.js'
import { Answers } from '../run/saved-work.js'
import { measureKeeping } from '../similarity/keep-distances.js'
import { type Calibration, openCalibration } from '../strategies/calibration.js'
import { asBlocks, deepestBlock, lowestLayers } from '../strategies/choose-layers.js'
import { removeGreedily } from '../strategies/greedy.js'
import { splitToSearch } from '../strategies/plan-by-search.js'
import { planByTask } from '../strategies/plan-by-task.js'
import { PlanMemory } from '../strategies/plan-memory.js'
import { openRepairingEvaluator } from '../strategies/repairing-evaluator.js'
import { LastTokenDistances } from './last-token-distances.js'
import type { SweepSettings, SweepStrategy } from './options.js'
import type { ChoosingProgress, Chosen } from './progress.js'
import { verifySizes } from './verified-blocks.js'

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
export async function chooseCuts(settings: SweepSettings, layers: number, keeping: Keeping): Promise<Chosen> {
  const { strategies, sizes } = settings
  const measured = await measureStates(settings, layers, keeping)
  const { distances } = measured
  let { texts } = measured
  const chosen: ChosenCut[] = []
  for (const strategy of strategies) {
    const found = await chooseBlocks(strategy, settings, layers, { ...measured, ...keeping })
    const { blocksOf } = found
    texts ??= found.texts
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
  return { cuts: chosen.sort((a, b) => a.layersToSkip - b.layersToSkip), texts }
}

/** Measurements of the states that strategies need; undefined if none needs them. */
interface MeasuredStates {
  /** `distances[n][l]`, angular, at the last token of each text. */
  distances?: Record<string, number[]>
  /** Block influence of each layer, over all tokens. */
  influence?: number[]
  texts?: TextRecord | undefined
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
    if (!strategies.some(needsDistances)) return {}
    const { distances, dataset } = await measureKeeping({ ...options, layersToSkip: 1 }, known.distances, onSaved)
    return { distances, texts: recordTexts(dataset, options) }
  }
  const last = new LastTokenDistances(layers, known.last)
  const influence = {
    ...options,
    ...({ metric: 'block-influence', tokens: 'all', layersToSkip: 1 } as const),
    onGram: (batch: AskedBatch, gram: Float64Array) => last.addBatch(batch, gram),
  }
  const { distances, dataset } = await measureKeeping(influence, known.distances, () => {
    known.last = last.save()
    return onSaved()
  })
  const texts = recordTexts(dataset, options)
  return { influence: distances[1]!, texts, ...(strategies.some(needsDistances) && { distances: last.means() }) }
}

function needsDistances(strategy: SweepStrategy): boolean {
  return strategy === 'angular' || strategy === 'verified'
}

async function chooseBlocks(
  strategy: SweepStrategy,
  settings: SweepSettings,
  layers: number,
  { distances, influence, ...keeping }: MeasuredStates & Keeping,
): Promise<{ blocksOf: BlocksOfSize; texts?: TextRecord }> {
  switch (strategy) {
    case 'angular':
      return { blocksOf: (size) => [findBestBlock(distances!, size)] }
    case 'deepest':
      return { blocksOf: (size) => [deepestBlock(layers, size)] }
    case 'block-influence':
      return { blocksOf: (size) => asBlocks(lowestLayers(influence!, size)) }
    case 'verified':
      return chooseVerified(settings, distances!, keeping)
    case 'greedy-perplexity':
    case 'repaired':
      return chooseGreedily(settings, layers, strategy === 'repaired', keeping)
    case 'task':
      return chooseByTask(settings, keeping)
  }
}

/** The nearest blocks of each size are compared by perplexity, repaired if cuts are measured so. */
async function chooseVerified(
  settings: SweepSettings,
  distances: Record<string, number[]>,
  { known, onSaved }: Keeping,
) {
  const { sizes, repair = false, onProgress } = settings
  const calibration = await openCalibration(settings)
  const answers = new Answers(known, onSaved)
  const { fitted, searched } = splitToSearch(calibration.batches)
  const evaluator = await openCuts(settings, calibration)
  try {
    const cuts = { measure: rememberMeasured(evaluator, answers) }
    const asked = { distances, sizes, texts: calibration.batches.flat(), onProgress }
    if (!repair) return describeBlocks(await verifySizes(cuts, asked), calibration.record)
    const repairing = await openRepairingEvaluator(calibration.model, fitted, chooseSession(settings))
    try {
      const final = { evaluator: { measure: rememberMeasured(repairing, answers, 'repaired') }, texts: searched.flat() }
      return describeBlocks(await verifySizes(cuts, asked, final), calibration.record)
    } finally {
      await repairing.close()
    }
  } finally {
    await evaluator.close()
  }
}

function describeBlocks(blocks: Map<number, Block>, texts: TextRecord): { blocksOf: BlocksOfSize; texts: TextRecord } {
  return { blocksOf: (size) => [blocks.get(size)!], texts }
}

/** One search removes one layer after another, up to the largest size. */
async function chooseGreedily(
  settings: SweepSettings,
  layers: number,
  repaired: boolean,
  { known, onSaved }: Keeping,
): Promise<{ blocksOf: BlocksOfSize; texts: TextRecord }> {
  const calibration = await openCalibration(settings)
  const { model, batches, record } = calibration
  const { fitted, searched } = splitToSearch(batches)
  const evaluator = repaired
    ? await openRepairingEvaluator(model, fitted, chooseSession(settings))
    : await openCuts(settings, calibration)
  try {
    const answers = new Answers(known, onSaved)
    const measure = rememberMeasured(evaluator, answers, repaired ? 'repaired' : undefined)
    const steps = await removeGreedily({ measure }, repaired ? searched : batches, {
      layers,
      n: settings.sizes.at(-1)!,
      hasFixedBatch: findFixedBatch(model.decoder.model.graph) !== null,
      onProgress: settings.onProgress,
    })
    return { blocksOf: takeSteps(steps), texts: record }
  } finally {
    await evaluator.close()
  }
}

async function chooseByTask(settings: SweepSettings, { known, onSaved }: Keeping): Promise<{ blocksOf: BlocksOfSize }> {
  const { tasks, sizes, dataset: _, batchSize, maxLength, resumeFrom, onSaved: __, ...options } = settings
  const work = { identity: {}, answers: known.answers, distances: {} }
  const memory = new PlanMemory({}, { resumeFrom: work, onSaved })
  const asked = { ...options, memory, strategy: 'task' as const, layersToSkip: sizes.at(-1)! }
  const { scores } = await planByTask(asked, tasks![0]!)
  return { blocksOf: takeSteps(scores!.steps as { layer: number }[]) }
}

/** The layers of the first steps of a search. */
function takeSteps(steps: { layer: number }[]): BlocksOfSize {
  return (size) => asBlocks(steps.slice(0, size).map(({ layer }) => layer))
}

/** An evaluator of cuts as they are, within the limit of memory. */
function openCuts(settings: SweepSettings, { model, settings: { maxLength } }: Calibration) {
  const { maxMemory, onNote } = settings
  const limit = maxMemory === undefined ? undefined : { maxMemory, maxLength }
  return openMeasuringEvaluator(model, { ...chooseSession(settings), limit, onNote })
}

function chooseSession({ threads, device = 'cpu', signal, onProgress }: SweepSettings) {
  return { threads, device, signal, onProgress }
}
