import type { ModelConfig } from '../checkpoint/config.js'
import type { State } from '../engine/decoder-pieces.js'
import type { SessionOptions } from '../engine/session.js'
import type { DecoderGraph } from '../graph/decoder-graph.js'
import { replaceWeights } from '../graph/replace-weights.js'
import type { ClosingProduct } from './closing-product.js'
import { type FitBatch, openLayerFit } from './layer-fit.js'
import { makeReplacements } from './make-replacements.js'
import { type FitPart, nameProduct } from './repair-progress.js'
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
  /** Called before each part of the work. */
  onPart?: ((part: FitPart) => void) | undefined
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
  const { onPart } = options
  const fits = fitted.length === 1 ? 1 : fitted.length + 1
  const reportFrom = (first: number) => (part: FitPart) =>
    onPart?.({ ...part, share: (first + part.share) / fits })
  const all = await fitInOrder(decoder, config, fitted, batches, { ...options, onPart: reportFrom(0) })
  if (fitted.length === 1) return all
  const last = await fitInOrder(decoder, config, fitted.slice(-1), batches, {
    ...options,
    onPart: reportFrom(fitted.length),
  })
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
  { products, isHeldOut, signal, onPart, ...session }: FitOptions,
): Promise<FittedLayer> {
  const hidden = fitted[0]!.outputs
  const changes: WeightChange[] = []
  const heldOut = { before: 0, after: 0 }
  let current = decoder
  const states: State[] = []
  for (const [index, product] of fitted.entries()) {
    const fit = await openLayerFit(current, config, fitted.slice(index), session)
    try {
      const { values, ridge, residualSquares } = await solveChange(fit, {
        products,
        hidden,
        fitted: batches.filter((_, batch) => !isHeldOut(batch)),
        heldOut: batches.filter((_, batch) => isHeldOut(batch)),
        signal,
        onPart: ({ share, ridge }) =>
          onPart?.({ share: index + share, what: describeSolving(product, index, ridge) }),
      })
      if (index === 0) heldOut.before = residualSquares.before
      heldOut.after = residualSquares.after
      const change = { product, values: values.slice(0, fit.groups[0]! * hidden), ridge }
      changes.push(change)
      if (index < fitted.length - 1) {
        current = replaceWeights(current, await makeReplacements(current, [change]))
      } else {
        for (const batch of batches) states.push((await fit.change(batch, values)).state)
      }
    } finally {
      await fit.close()
    }
  }
  return { changes, heldOutShare: heldOut.before === 0 ? 0 : heldOut.after / heldOut.before, states }
}

function describeSolving(product: ClosingProduct, place: number, ridge: number | null): string {
  return `${nameProduct(product, place)}, ${ridge === null ? 'reading activations' : `ridge ${ridge}`}`
}
