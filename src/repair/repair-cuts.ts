import { UsageError } from '../errors.js'
import type { Model } from '../model.js'
import { normalizeBlocks } from '../plan/blocks.js'
import type { EncodedText } from '../runtime/batches.js'
import { openDecoderPieces, type State } from '../runtime/decoder-pieces.js'
import type { SessionOptions } from '../runtime/session.js'
import type { Block } from '../similarity/result.js'
import { type ClosingProduct, findClosingProduct } from './closing-product.js'
import { type FitBatch, openLayerFit } from './layer-fit.js'
import { type Change, solveChange } from './solve-change.js'
import { openTileProducts } from './tile-products.js'

/** The repair of one cut. */
export interface CutRepair extends Change {
  /** The layers that go. */
  removed: Block
  /** What is changed, in the last layer before them. */
  product: ClosingProduct
}

export interface RepairOptions extends SessionOptions {
  /** Blocks that go. */
  removed: Block[]
  /** Calibration texts in batches; every `HELD_OUT_EVERY`th is held out while the ridge is chosen. */
  batches: EncodedText[][]
  signal?: AbortSignal | undefined
  /** Told after each cut. */
  onProgress?: ((progress: { cuts: number; total: number }) => void) | undefined
}

const HELD_OUT_EVERY = 5

/**
 * Repairs a model from which blocks of layers go, without training: for each cut, from low to high, the matrix by
 * which the layer before it adds its MLP to the residual stream is changed so that the stream comes out of that
 * layer as the whole model has it after the block. It is a least-squares fit over the calibration texts, with what
 * the cuts below and their repairs have made of the stream as its input, and the whole model's state as its goal.
 *
 * ReplaceMe (Shopkhoev et al. 2025, arXiv 2505.02819) maps the MLP's output, hidden by hidden; here the matrix itself
 * is fitted, from the MLP's inner activations, which are more.
 * @throws UsageError where a block does not fit the model, or starts at its first layer
 * @throws LayerpruneError where a change of the stream cannot be folded into a weight of the layer before a cut
 */
export async function repairCuts(model: Model, options: RepairOptions): Promise<CutRepair[]> {
  const { decoder, config } = model
  const { batches, signal, onProgress } = options
  const cuts = findRepairs(model, options.removed)
  const boundaries = findBoundaries(
    config.layers,
    cuts.map(({ block }) => block),
  )
  const pieceAt = (state: number) => boundaries.indexOf(state)
  const pieces = await openDecoderPieces(decoder, config, boundaries, options)
  const products = await openTileProducts(options.threads)
  const repairs: CutRepair[] = []
  try {
    const run = async (states: State[], from: number, to: number) => {
      const advanced = [...states]
      for (const [index, texts] of batches.entries()) {
        for (let piece = pieceAt(from); piece < pieceAt(to); piece++) {
          signal?.throwIfAborted()
          advanced[index] = await pieces.run(piece, advanced[index]!, texts)
        }
      }
      return advanced
    }
    let whole: State[] = []
    for (const texts of batches) whole.push(await pieces.embed(texts))
    let repaired = whole
    let position = 0
    for (const { block, product } of cuts) {
      const { layer } = product
      const isFirst = repaired === whole
      repaired = await run(repaired, position, layer)
      whole = isFirst ? await run(repaired, layer, block.end) : await run(whole, position, block.end)
      const fitBatches = batches.map(
        (texts, index): FitBatch => ({ texts, state: repaired[index]!, wanted: whole[index]! }),
      )
      const fit = await openLayerFit(decoder, config, product, options)
      try {
        const change = await solveChange(fit, {
          products,
          hidden: product.outputs,
          fitted: fitBatches.filter((_, index) => !isHeldOut(index, batches.length)),
          heldOut: fitBatches.filter((_, index) => isHeldOut(index, batches.length)),
          signal,
        })
        repairs.push({ removed: block, product, ...change })
        repaired = []
        for (const batch of fitBatches) repaired.push((await fit.change(batch, change.values)).state)
      } finally {
        await fit.close()
      }
      position = block.end
      onProgress?.({ cuts: repairs.length, total: cuts.length })
    }
    return repairs
  } finally {
    await Promise.all([pieces.close(), products.close()])
  }
}

/**
 * What a repair of a model would change: for each block that goes, from low to high, a matrix in the layer before it.
 * @throws as `repairCuts`
 */
export function findRepairs(model: Model, removed: Block[]): { block: Block; product: ClosingProduct }[] {
  return normalizeBlocks(removed, model.config.layers).map((block) => ({
    block,
    product: findProductBefore(model, block),
  }))
}

function findProductBefore({ decoder }: Model, { start, end }: Block): ClosingProduct {
  if (start === 0) {
    throw new UsageError(
      `the block [0, ${end}) cannot be repaired: a repair changes the layer before a block, and there is none`,
      { hint: 'take out later layers, or prune without --repair' },
    )
  }
  return findClosingProduct(decoder, start - 1)
}

function findBoundaries(layers: number, removed: Block[]): number[] {
  const states = new Set([0, layers, ...removed.flatMap(({ start, end }) => [start - 1, start, end])])
  return [...states].sort((a, b) => a - b)
}

/** One batch in five, and of fewer than five the last. */
function isHeldOut(index: number, count: number): boolean {
  return count < HELD_OUT_EVERY ? index === count - 1 : index % HELD_OUT_EVERY === HELD_OUT_EVERY - 1
}
