import type { Tensor } from 'onnxruntime-node'
import type { ModelConfig } from '../checkpoint/config.js'
import type { State } from '../engine/decoder-pieces.js'
import type { SessionOptions } from '../engine/session.js'
import type { DecoderGraph } from '../graph/decoder-graph.js'
import { replaceWeights } from '../graph/replace-weights.js'
import type { ClosingProduct } from './closing-product.js'
import { type FitBatch, type FitReading, type LayerFit, openLayerFit } from './layer-fit.js'
import { makeReplacements } from './make-replacements.js'
import { joinMoments, type Moments, makeMoments, type SplitMoments, takeLastProduct } from './moments.js'
import type { RepairWork } from './repair-work.js'
import { type ChosenRidge, chooseRidge, solveRidge } from './solve-change.js'
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
 * The texts are run once for each product.
 * @param fitted as `findProducts` gives them
 */
export async function fitLayer(
  decoder: DecoderGraph,
  config: ModelConfig,
  fitted: ClosingProduct[],
  batches: FitBatch[],
  options: FitOptions,
): Promise<FittedLayer> {
  const fitting = new LayerFitting(config, batches, options)
  try {
    const reading = await fitting.read(decoder, fitted, 0)
    const before = reading.moments.heldOut.squares
    const shareOf = (squares: number) => (before === 0 ? 0 : squares / before)
    const last = fitted.length === 1 ? undefined : await fitting.chooseForLast(fitted, reading)
    const { heldOutSquares, ...all } = await fitting.fitInOrder(decoder, fitted, reading)
    if (last === undefined || !(last.heldOutSquares < heldOutSquares)) {
      return { ...all, heldOutShare: shareOf(heldOutSquares) }
    }
    const changed = await fitting.changeLast(decoder, fitted, reading, last.ridge)
    return { ...changed, heldOutShare: shareOf(last.heldOutSquares) }
  } finally {
    await fitting.close()
  }
}

/** What was read of all batches to fit some products. */
interface Reading {
  fit: LayerFit
  moments: SplitMoments
  /** Of each batch. */
  left: FitReading[]
}

type Changed = Omit<FittedLayer, 'heldOutShare'>

/** The products of one layer on their way to a fit. */
class LayerFitting {
  readonly #config: ModelConfig
  readonly #batches: FitBatch[]
  readonly #options: FitOptions
  readonly #opened: LayerFit[] = []

  constructor(config: ModelConfig, batches: FitBatch[], options: FitOptions) {
    this.#config = config
    this.#batches = batches
    this.#options = options
  }

  async close(): Promise<void> {
    await Promise.all(this.#opened.map((fit) => fit.close()))
  }

  /**
   * Reads the moments of the products from one place on.
   * @param inputs  of the products before it, for each batch
   */
  async read(
    decoder: DecoderGraph,
    fitted: ClosingProduct[],
    place: number,
    inputs: Tensor[][] = [],
  ): Promise<Reading> {
    const { isHeldOut, work } = this.#options
    const products = fitted.slice(place)
    work?.startReading(products, place)
    const fit = await this.#open(decoder, products, fitted.slice(0, place))
    const [sum, heldOut] = [0, 1].map(() => makeMoments(fit.groups, products[0]!.outputs)) as [
      Moments,
      Moments,
    ]
    const left = await this.#eachBatch(async (batch, index) => {
      const given = inputs[index] ?? []
      const read = await fit.addMoments({ ...batch, given }, isHeldOut(index) ? heldOut : sum)
      work?.addedMoments()
      return read
    })
    return { fit, moments: { fitted: sum, heldOut }, left }
  }

  /** The ridge of the closing product if it alone is changed. */
  chooseForLast(fitted: ClosingProduct[], { moments }: Reading): Promise<ChosenRidge> {
    this.#options.work?.startChoice(fitted.slice(-1), fitted.length - 1)
    const last = { fitted: takeLastProduct(moments.fitted), heldOut: takeLastProduct(moments.heldOut) }
    return chooseRidge(last, this.#options)
  }

  /**
   * Fits products one after another: each together with those that follow it. The later ones are then fitted again,
   * because what they read depends on the changes before them.
   * @param first  of all products; its moments of held-out texts are then among those of the fitted ones
   */
  async fitInOrder(
    decoder: DecoderGraph,
    fitted: ClosingProduct[],
    first: Reading,
  ): Promise<Changed & { heldOutSquares: number }> {
    const changes: WeightChange[] = []
    const inputs: Tensor[][] = this.#batches.map(() => [])
    let current = decoder
    let reading = first
    for (const [place, product] of fitted.entries()) {
      if (place > 0) reading = await this.read(current, fitted, place, inputs)
      this.#options.work?.startChoice(fitted.slice(place), place)
      const { ridge, heldOutSquares } = await chooseRidge(reading.moments, this.#options)
      const values = await this.#solve(joinMoments(reading.moments), ridge)
      const own = values.slice(0, reading.fit.groups[0]! * product.outputs)
      changes.push({ product, values: own, ridge })
      const { fit, left } = reading
      if (place === fitted.length - 1) {
        const states = await this.#addToEach((_, index) => fit.addChange(left[index]!, values))
        return { changes, states, heldOutSquares }
      }
      for (const [index, { input }] of left.entries()) inputs[index]!.push(input!)
      current = replaceWeights(current, await makeReplacements(current, changes.slice(-1)))
    }
    throw new Error('a layer is fitted by one product at least')
  }

  /**
   * Changes the closing product alone.
   * @param reading  of all products, with the moments of all texts in one sum
   */
  async changeLast(
    decoder: DecoderGraph,
    fitted: ClosingProduct[],
    { moments }: Reading,
    ridge: number,
  ): Promise<Changed> {
    const product = fitted.at(-1)!
    const values = await this.#solve(takeLastProduct(moments.fitted), ridge)
    const fit = await this.#open(decoder, [product], [])
    const states = await this.#addToEach((batch) => fit.change(batch, values))
    return { changes: [{ product, values, ridge }], states }
  }

  async #solve(moments: Moments, ridge: number): Promise<Float32Array> {
    const { products, work } = this.#options
    const values = await solveRidge(products, moments, ridge, (share) => work?.solved(share))
    return Float32Array.from(values)
  }

  async #open(decoder: DecoderGraph, products: ClosingProduct[], given: ClosingProduct[]): Promise<LayerFit> {
    const { threads, device } = this.#options
    const fit = await openLayerFit(decoder, this.#config, { products, given }, { threads, device })
    this.#opened.push(fit)
    return fit
  }

  #addToEach(add: (batch: FitBatch, index: number) => Promise<State>): Promise<State[]> {
    return this.#eachBatch(async (batch, index) => {
      const state = await add(batch, index)
      this.#options.work?.addedChange()
      return state
    })
  }

  async #eachBatch<T>(run: (batch: FitBatch, index: number) => Promise<T>): Promise<T[]> {
    const results: T[] = []
    for (const [index, batch] of this.#batches.entries()) {
      this.#options.signal?.throwIfAborted()
      results.push(await run(batch, index))
    }
    return results
  }
}
