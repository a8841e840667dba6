import { LayerpruneError, UsageError } from '../../base/errors.js'
import type { OnProgress } from '../../base/progress.js'
import type { Model } from '../../engine/model.js'
import type { SessionOptions } from '../../engine/sessions/session.js'
import type { Block } from '../../model/layers/block.js'
import { normalizeBlocks } from '../../model/layers/blocks.js'
import { countLayers } from '../../model/layers/count-layers.js'
import type { EncodedText } from '../../texts/tokens/windows.js'
import { countParameters } from '../run/parameters.js'
import { CalibrationStates } from './calibration-states.js'
import { type ClosingProduct, findProducts } from './closing-product.js'
import { changeLayer, type FitOptions, type FittedLayer, fitLayer } from './fit-layer.js'
import { PhaseMeter } from './phase-meter.js'
import type { RepairLayers } from './repair-layers.js'
import { KnownFits } from './repair-state.js'
import { type RepairSizes, RepairWork } from './repair-work.js'
import { TensorStore } from './tensor-store.js'
import { openTileProducts } from './tile-products.js'

export interface LayerRepair extends FittedLayer {
  layer: number
  /** The layers removed after it; null if it comes after a cut and was fitted to its own output in the whole model. */
  removed: Block | null
}

export interface RepairOptions extends SessionOptions {
  /** The layers of the model, opened for the same blocks. */
  layers: RepairLayers
  removed: Block[]
  /** Calibration texts in batches; every `HELD_OUT_EVERY`th is held out while the ridge is chosen. */
  batches: EncodedText[][]
  /** Keeps states of the texts; in memory if omitted. */
  store?: TensorStore | undefined
  meter?: PhaseMeter | undefined
  /** Knows the fits of a run that is resumed. */
  known?: KnownFits | undefined
  signal?: AbortSignal | undefined
  onProgress?: OnProgress | undefined
}

export const HELD_OUT_EVERY = 5

/** A layer after a cut is changed only if that leaves at most this share of the held-out error. */
const WORTHWHILE_SHARE = 0.97

/**
 * Repairs a model from which blocks of layers are removed, without training. For each cut, from low to high, it
 * changes the matrices by which the layer before it adds its attention and its MLP to the residual stream, so that
 * the layer's output matches the whole model's state after the block. Layers after the cut are then fitted to their
 * own output in the whole model, for as long as that helps. Each is a least-squares fit over the calibration texts:
 * its input is the stream as the cuts and repairs below have left it, its target the whole model's state.
 *
 * ReplaceMe (Shopkhoev et al. 2025, arXiv 2505.02819) maps the MLP's output, hidden by hidden; here the matrices
 * themselves are fitted, from the inner activations of MLP and attention, which have more dimensions.
 * @throws UsageError if a block does not fit the model or starts at its first layer
 * @throws LayerpruneError if a change of the stream cannot be folded into a weight of the layer before a cut
 */
export async function repairCuts(model: Model, options: RepairOptions): Promise<LayerRepair[]> {
  const { layers, batches, removed, meter = new PhaseMeter(), store = new TensorStore() } = options
  const { known = new KnownFits() } = options
  const { signal, onProgress, threads, device } = options
  const cuts = findRepairs(model, removed)
  const first = cuts[0]!.block.start - 1
  const last = cuts.at(-1)!.block
  const { layers: count } = model.config
  const extent = { most: countFittable(cuts, count), layers: count - first, products: cuts[0]!.products }
  const work = new RepairWork(measureSizes(model, batches), extent, onProgress)
  const running = new CalibrationStates(layers, batches, store, signal)
  const products = await openTileProducts(threads)
  const isHeldOut = (index: number) => isInHeldOut(index, batches.length)
  const fitting: FitOptions = { threads, device, products, store, isHeldOut, meter, signal, work }
  const repairs: LayerRepair[] = []
  try {
    await meter.time('whole model', () => running.start(first, onProgress))
    let afterCut = false
    for (let layer = first; layer < last.start || (afterCut && layer < count); ) {
      const cut = cuts.find(({ block }) => block.start === layer + 1)
      const goal = cut?.block.end ?? layer + 1
      work.startLayer(layer)
      await meter.time('whole model', () => running.runWhole(goal, (layers) => work.ranLayers(layers)))
      const fitted: ClosingProduct[] | undefined =
        cut?.products ?? (afterCut ? findProductsIfAny(model, layer) : undefined)
      const fit = () => fitLayer(model.decoder, model.config, fitted!, running.pairs(), fitting)
      const repair: FittedLayer | undefined = fitted && (await known.find(layer, fitted, fit))
      afterCut = repair !== undefined && (cut !== undefined || repair.heldOutShare <= WORTHWHILE_SHARE)
      if (repair !== undefined && afterCut) {
        repairs.push({ ...repair, layer, removed: cut?.block ?? null })
        running.setRepaired(await changeLayer(model.decoder, model.config, repair.changes, running.pairs(), fitting))
      } else if (layer < last.start) {
        await meter.time('changing', () => running.runRepaired(layer, goal))
      }
      layer = goal
    }
    return repairs
  } finally {
    running.close()
    await products.close()
  }
}

/** Layers that may be fitted: those before cuts, and all that remain after the first. */
function countFittable(cuts: { block: Block }[], layers: number): number {
  const removed = countLayers(cuts.map(({ block }) => block))
  return layers - removed - (cuts[0]!.block.start - 1)
}

function measureSizes({ decoder, config }: Model, batches: EncodedText[][]): RepairSizes {
  const { attention, mixers, mlp } = countParameters(decoder)
  const tokens = batches.flat().reduce((sum, { ids }) => sum + ids.length, 0)
  return {
    parameters: (attention + mixers + mlp) / config.layers,
    hidden: config.hiddenSize,
    tokens: tokens / batches.length,
    batches: batches.length,
  }
}

/**
 * What a repair of a model would change: for each removed block, from low to high, the products of the layer before it.
 * @throws as `repairCuts`
 */
export function findRepairs(model: Model, removed: Block[]): { block: Block; products: ClosingProduct[] }[] {
  return normalizeBlocks(removed, model.config.layers).map((block) => ({
    block,
    products: findProductsBefore(model, block),
  }))
}

function findProductsBefore({ decoder }: Model, { start, end }: Block): ClosingProduct[] {
  if (start === 0) {
    throw new UsageError(
      `the block [0, ${end}) cannot be repaired: a repair changes the layer before a block, and there is none`,
      { hint: 'remove later layers, or prune without `repair`' },
    )
  }
  return findProducts(decoder, start - 1)
}

/** A layer after a cut need not be changed: it is skipped if it cannot be. */
function findProductsIfAny({ decoder }: Model, layer: number): ClosingProduct[] | undefined {
  try {
    return findProducts(decoder, layer)
  } catch (error) {
    if (error instanceof LayerpruneError) return undefined
    throw error
  }
}

/** One batch in five; the last one if there are fewer than five. */
function isInHeldOut(index: number, count: number): boolean {
  return count < HELD_OUT_EVERY ? index === count - 1 : index % HELD_OUT_EVERY === HELD_OUT_EVERY - 1
}
