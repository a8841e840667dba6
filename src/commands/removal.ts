import type { Command } from 'commander'
import type { Plan, PlannedModel } from '../documents/plan.js'
import type { ReportedResult } from '../documents/verification.js'
import { UsageError } from '../errors.js'
import type { Block } from '../layers/block.js'
import { parseBlocks } from '../layers/blocks.js'
import { wholeNumber } from './arguments.js'
import { pinnedRevision } from './result-files.js'

/** Flags that name the layers that go, the same in every command. */
export interface RemovalFlags {
  start?: number
  end?: number
  drop?: Block[][]
  plan?: string[]
  from?: string
  layersToSkip?: number
}

/** Layers that go, as the user named them, not yet checked against a model. */
export interface Removal extends Pick<Plan, 'strategy' | 'scores' | 'dataset'> {
  blocks: Block[]
  /** The file that they come from and the model it is about; undefined where the user named the layers. */
  origin?: RemovalOrigin | undefined
}

interface RemovalOrigin {
  file: string
  /** As the file names it: a folder or a Hub id. */
  model: string
  /** Commit on the Hub, where one was asked for. */
  revision?: string | undefined
  layers: number
  /** What the checkpoint stores, where the file says. */
  storedDtype?: string | null | undefined
}

const WAYS = '--start and --end, --drop, --plan or --from'

/**
 * Adds the flags that name the layers that go.
 * @param several  --drop and --plan may come again, each a candidate of its own
 */
export function addRemovalFlags(command: Command, { several = false } = {}): Command {
  const again = several ? '; repeatable, each a candidate' : ''
  return command
    .option('--start <layer>', 'first layer to remove, 0-based', wholeNumber(0))
    .option('--end <layer>', 'first layer after it to keep, 0-based', wholeNumber(1))
    .option(
      '--drop <ranges>',
      `layers to remove, 0-based: 11:19 or 11..18 for layers 11 to 18, 7 for one, several as 11:19,25..26${again}`,
      (text, before: Block[][] = []) => [...before, parseBlocks(text)],
    )
    .option(
      '--plan <file>',
      `plan.json that names the layers to remove${again}`,
      (path, before: string[] = []) => [...before, path],
    )
    .option(
      '--from <file>',
      'similarity.json; takes the block that it recommends, of --verify the checked one',
    )
    .option(
      '--layers-to-skip <n>',
      'with --from: size of the block (default: that of the saved run)',
      wholeNumber(1),
    )
}

/**
 * The removal that the flags name, by exactly one way.
 * @throws UsageError where none or more than one is named
 * @throws LayerpruneError where a file they name cannot be used
 */
export async function readRemoval(flags: RemovalFlags): Promise<Removal> {
  const [removal, another] = await readRemovals(flags)
  if (removal === undefined) throw new UsageError(`no layers are named: give ${WAYS}`)
  if (another !== undefined) throw namedTwice()
  return removal
}

/**
 * Every removal that the flags name; none where they name none. Only --drop and --plan can name several.
 * @throws UsageError where ways that name one are mixed with another
 * @throws LayerpruneError where a file they name cannot be used
 */
export async function readRemovals(flags: RemovalFlags): Promise<Removal[]> {
  const { start, end, drop = [], plan = [], from, layersToSkip } = flags
  const ways = [start ?? end, drop[0] ?? plan[0], from].filter((way) => way !== undefined)
  if (ways.length > 1) throw namedTwice()
  if (layersToSkip !== undefined && from === undefined) {
    throw new UsageError('--layers-to-skip goes with --from')
  }
  if (start !== undefined || end !== undefined) {
    if (start === undefined) throw new UsageError('--end goes with --start, which is missing')
    if (end === undefined) throw new UsageError('--start goes with --end, which is missing')
    return [{ blocks: [{ start, end }], strategy: 'explicit' }]
  }
  if (from !== undefined) return [await readRecommendedBlock(from, layersToSkip)]
  return [
    ...drop.map((blocks) => ({ blocks, strategy: 'explicit' })),
    ...(await Promise.all(plan.map(readPlanFile))),
  ]
}

/**
 * The plan of a removal for the model it is applied to.
 * @throws UsageError where the layers do not fit the model
 */
export async function planRemoval(removal: Removal, model: PlannedModel): Promise<Plan> {
  const { makePlan } = await import('../documents/plan.js')
  const { blocks, strategy, origin, scores, dataset } = removal
  if (origin !== undefined && origin.layers !== model.layers) {
    throw new UsageError(
      `${origin.file} is about ${origin.model}, a model of ${origin.layers} layers; ${model.id} has ${model.layers}`,
    )
  }
  return makePlan({ model, strategy, removed: blocks, scores, dataset })
}

async function readRecommendedBlock(file: string, layersToSkip: number | undefined): Promise<Removal> {
  const [{ readSimilarityResult }, { findBestBlock }, { assertBlockSize }, { printWarning }] =
    await Promise.all([
      import('../documents/read-saved.js'),
      import('../documents/result-views.js'),
      import('../layers/blocks.js'),
      import('../terminal/output.js'),
    ])
  const saved = await readSimilarityResult(file)
  const { model, metric, distances, partial, shard } = saved
  const n = layersToSkip ?? saved.layersToSkip
  assertBlockSize(n, model.layers)
  if (partial) printWarning(`${file} is of an interrupted run`)
  if (shard) printWarning(`${file} is of shard ${shard.index} of ${shard.count} alone`)
  const origin: RemovalOrigin = {
    file,
    model: model.id,
    revision: pinnedRevision(model),
    layers: model.layers,
    storedDtype: model.checkpointDtype,
  }
  const verified = await takeVerifiedBlock(file, saved, n)
  if (verified !== undefined) return { ...verified, origin }
  const best = findBestBlock(distances, n)
  const distance = distances[n]![best.start]!
  return {
    blocks: [best],
    ...(metric === 'angular'
      ? { strategy: metric, scores: { distance } }
      : { strategy: 'distance', scores: { metric, distance } }),
    origin,
  }
}

/** The block that perplexity recommends, with what was measured; undefined if it checked none of this size. */
async function takeVerifiedBlock(
  file: string,
  saved: ReportedResult,
  n: number,
): Promise<Removal | undefined> {
  if (saved.verification === undefined) return undefined
  const [{ planVerifiedBlock }, { noteRecommendation }] = await Promise.all([
    import('../strategies/verify-blocks.js'),
    import('./note-recommendation.js'),
  ])
  noteRecommendation(file, saved, n)
  if (n !== saved.layersToSkip) return undefined
  const { removed, strategy, scores, dataset } = planVerifiedBlock(saved, saved.verification)
  return { blocks: removed, strategy, scores, dataset }
}

async function readPlanFile(file: string): Promise<Removal> {
  const { readPlan } = await import('../documents/read-saved.js')
  const { removed, strategy, scores, dataset, model } = await readPlan(file)
  return {
    blocks: removed,
    strategy,
    scores,
    dataset,
    origin: { file, model: model.id, layers: model.layers },
  }
}

function namedTwice(): UsageError {
  return new UsageError(`the layers to remove are named more than once: give one of ${WAYS}`)
}
