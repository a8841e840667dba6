import type { ModelConfig } from '../checkpoint/config.js'
import type { State } from '../engine/decoder-pieces.js'
import type { SessionOptions } from '../engine/session.js'
import type { DecoderGraph } from '../graph/decoder-graph.js'
import { replaceWeights } from '../graph/replace-weights.js'
import type { ClosingProduct } from './closing-product.js'
import { type FitBatch, openLayerFit } from './layer-fit.js'
import { makeReplacements } from './make-replacements.js'
import type { RepairWork } from './repair-work.js'
import { solveChange } from './solve-change.js'
import type { TileProducts } from './tile-products.js'

/** The change of one product. */
export interface WeightChange {
  product: ClosingProduct
  /** [inputs, hidden]; added to the weight, and in one more row to the bias if the product names one. */
  values: Float32Array
  /** Ridge strength chosen on held-out texts, see `solveRidge`. */
  ridge: number
}

export interface FittedLayer {
  changes: WeightChange[]
  /** Share of the squared error on held-out texts that remains after the changes, 0 to 1. */
  heldOutShare: number
  /** The layer's output with the changes, by batch. */
  states: State[]
}

export interface FitOptions extends SessionOptions {
  products: TileProducts
  /** Whether a batch is held out while a ridge is chosen. */
  isHeldOut: (index: number) => boolean
  signal?: AbortSignal | undefined
  /** Counts the work. */
  work?: RepairWork | undefined
}

/**
 * Fits the products by which a layer adds to the stream: all of them in order, or only the closing one, whichever
 * leaves the smaller error on held-out texts. A change of attention can disturb the MLP after it more than it helps.
 * @param fitted as `findProducts` gives them
 */
export async function fitLayer(
  decoder: DecoderGraph,
  config: ModelConfig,
  fitted: ClosingProduct[],
  batches: FitBatch[],
  options: FitOptions,
): Promise<FittedLayer> {
  const all = await fitInOrder(decoder, config, fitted, batches, options)
  if (fitted.length === 1) return all
  const last = await fitInOrder(decoder, config, fitted.slice(-1), batches, options)
  return last.heldOutShare < all.heldOutShare ? last : all
}

/**
 * Fits products one after another: each together with those that follow it. The later ones are then fitted again,
 * because what they read depends on the changes before them.
 */
async function fitInOrder(
  decoder: DecoderGraph,
  config: ModelConfig,
  fitted: ClosingProduct[],
  batches: FitBatch[],
  { products, isHeldOut, signal, work, ...session }: FitOptions,
): Promise<FittedLayer> {
  const hidden = fitted[0]!.outputs
  const changes: WeightChange[] = []
  const heldOut = { before: 0, after: 0 }
  let current = decoder
  const states: State[] = []
  for (const [index, product] of fitted.entries()) {
    work?.startFit(fitted.slice(index), index)
    const fit = await openLayerFit(current, config, fitted.slice(index), session)
    try {
      const { values, ridge, residualSquares } = await solveChange(fit, {
        products,
        hidden,
        fitted: batches.filter((_, batch) => !isHeldOut(batch)),
        heldOut: batches.filter((_, batch) => isHeldOut(batch)),
        signal,
        work,
      })
      if (index === 0) heldOut.before = residualSquares.before
      heldOut.after = residualSquares.after
      const change = { product, values: values.slice(0, fit.groups[0]! * hidden), ridge }
      changes.push(change)
      if (index < fitted.length - 1) {
        current = replaceWeights(current, await makeReplacements(current, [change]))
      } else {
        for (const batch of batches) {
          states.push((await fit.change(batch, values)).state)
          work?.ranChanged()
        }
      }
    } finally {
      await fit.close()
    }
  }
  return { changes, heldOutShare: heldOut.before === 0 ? 0 : heldOut.after / heldOut.before, states }
}
