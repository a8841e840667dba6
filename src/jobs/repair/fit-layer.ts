import type { Tensor } from 'onnxruntime-node'
import type { State } from '../../engine/sessions/decoder-pieces.js'
import type { SessionOptions } from '../../engine/sessions/session.js'
import type { ModelConfig } from '../../files/checkpoint/config.js'
import type { DecoderGraph } from '../../model/graph/decoder-graph.js'
import { replaceWeights } from '../../model/graph/replace-weights.js'
import type { EncodedText } from '../../texts/tokens/windows.js'
import type { ClosingProduct } from './closing-product.js'
import { type LayerFit, openLayerFit } from './layer-fit.js'
import { makeReplacements, type WeightChange } from './make-replacements.js'
import { joinMoments, type Moments, makeMoments, type SplitMoments, takeLastProduct } from './moments.js'
import type { PhaseMeter, RepairPhase } from './phase-meter.js'
import type { RepairWork } from './repair-work.js'
import { type ChosenRidge, chooseRidge, solveRidge } from './solve-change.js'
import type { Kept, TensorStore } from './tensor-store.js'
import type { TileProducts } from './tile-products.js'

export interface FittedLayer {
  changes: WeightChange[]
  /** Share of the squared error on held-out texts that remains after the changes, 0 to 1. */
  heldOutShare: number
}

/** A batch of texts between two layers of the repaired model. */
export interface KeptBatch {
  texts: EncodedText[]
  /** State that enters the layer. */
  state: Kept
  /** State that the layer should return. */
  target: Kept
}

export interface FitOptions extends SessionOptions {
  products: TileProducts
  store: TensorStore
  /** Whether a batch is held out while a ridge is chosen. */
  isHeldOut: (index: number) => boolean
  meter: PhaseMeter
  signal?: AbortSignal | undefined
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
  batches: KeptBatch[],
  options: FitOptions,
): Promise<FittedLayer> {
  const fitting = new LayerFitting(config, batches, options)
  try {
    const reading = await fitting.read(decoder, fitted, 0)
    const before = reading.moments.heldOut.squares
    const shareOf = (squares: number) => (before === 0 ? 0 : squares / before)
    const last = fitted.length === 1 ? undefined : await fitting.chooseForLast(fitted, reading)
    const { heldOutSquares, changes } = await fitting.fitInOrder(decoder, fitted, reading, last?.ridge)
    if (last === undefined || !(last.heldOutSquares < heldOutSquares)) {
      return { changes, heldOutShare: shareOf(heldOutSquares) }
    }
    const alone = await fitting.fitLast(fitted, reading, last.ridge)
    return { changes: [alone], heldOutShare: shareOf(last.heldOutSquares) }
  } finally {
    await fitting.close()
  }
}

/**
 * The output of a layer with its products changed, by batch: of a fit that was just made, or is known from a run that
 * was stopped.
 * @param changes  of one layer, in the order of its products
 */
export async function changeLayer(
  decoder: DecoderGraph,
  config: ModelConfig,
  changes: WeightChange[],
  batches: KeptBatch[],
  options: FitOptions,
): Promise<Kept[]> {
  const fitting = new LayerFitting(config, batches, options)
  try {
    const before = await makeReplacements(decoder, changes.slice(0, -1))
    return await fitting.change(replaceWeights(decoder, before), changes.at(-1)!)
  } finally {
    await fitting.close()
  }
}

/** Data read from all batches to fit some products. */
interface Reading {
  fit: LayerFit
  moments: SplitMoments
  /** The input of the first of several products, by batch. */
  inputs: (Kept | undefined)[]
}

/** The products of one layer on their way to a fit. */
class LayerFitting {
  readonly #config: ModelConfig
  readonly #batches: KeptBatch[]
  readonly #options: FitOptions
  readonly #opened: LayerFit[] = []

  constructor(config: ModelConfig, batches: KeptBatch[], options: FitOptions) {
    this.#config = config
    this.#batches = batches
    this.#options = options
  }

  async close(): Promise<void> {
    await Promise.all(this.#opened.map((fit) => fit.close()))
  }

  /** Reads the moments of the products from one place on, with the inputs of those before it for each batch. */
  async read(decoder: DecoderGraph, fitted: ClosingProduct[], place: number, inputs: Kept[][] = []): Promise<Reading> {
    const { isHeldOut, work } = this.#options
    const products = fitted.slice(place)
    work?.startReading(products, place)
    const fit = await this.#open(decoder, products, fitted.slice(0, place))
    const [sum, heldOut] = [0, 1].map(() => makeMoments(fit.groups, products[0]!.outputs)) as [Moments, Moments]
    const read = await this.#eachBatch('moments', async (batch, index) => {
      const given = await readAll(inputs[index] ?? [])
      const [state, target] = (await readAll([batch.state, batch.target])) as [State, State]
      const moments = isHeldOut(index) ? heldOut : sum
      const input = await fit.addMoments({ texts: batch.texts, state, target, given }, moments)
      work?.addedMoments()
      return input && this.#options.store.keep(input)
    })
    return { fit, moments: { fitted: sum, heldOut }, inputs: read }
  }

  /** The ridge of the closing product if it alone is changed. */
  chooseForLast(fitted: ClosingProduct[], { moments }: Reading): Promise<ChosenRidge> {
    this.#options.work?.startChoice(fitted.slice(-1), fitted.length - 1)
    const last = { fitted: takeLastProduct(moments.fitted), heldOut: takeLastProduct(moments.heldOut) }
    return this.#choose(last)
  }

  /**
   * Fits products one after another: each together with those that follow it. The later ones are then fitted again,
   * because what they read depends on the changes before them.
   * @param first  of all products; its moments of held-out texts are then among those of the fitted ones
   * @param firstTried  the ridge that is tried first
   */
  async fitInOrder(
    decoder: DecoderGraph,
    fitted: ClosingProduct[],
    first: Reading,
    firstTried: number | undefined,
  ): Promise<{ changes: WeightChange[]; heldOutSquares: number }> {
    const changes: WeightChange[] = []
    const inputs: Kept[][] = this.#batches.map(() => [])
    let current = decoder
    let reading = first
    for (const [place, product] of fitted.entries()) {
      if (place > 0) reading = await this.read(current, fitted, place, inputs)
      this.#options.work?.startChoice(fitted.slice(place), place)
      const { ridge, heldOutSquares } = await this.#choose(reading.moments, firstTried)
      const values = await this.#solve(joinMoments(reading.moments), ridge)
      const own = values.slice(0, reading.fit.groups[0]! * product.outputs)
      changes.push({ product, values: own, ridge })
      if (place === fitted.length - 1) {
        for (const kept of inputs.flat()) kept.free()
        return { changes, heldOutSquares }
      }
      for (const [index, input] of reading.inputs.entries()) inputs[index]!.push(input!)
      current = replaceWeights(current, await makeReplacements(current, changes.slice(-1)))
    }
    throw new Error('a layer is fitted by one product at least')
  }

  /** Fits the closing product alone; `reading` covers all products and the moments of all texts in one sum. */
  async fitLast(fitted: ClosingProduct[], { moments }: Reading, ridge: number): Promise<WeightChange> {
    const values = await this.#solve(takeLastProduct(moments.fitted), ridge)
    return { product: fitted.at(-1)!, values, ridge }
  }

  /** @param decoder  with the products before it changed */
  async change(decoder: DecoderGraph, { product, values }: WeightChange): Promise<Kept[]> {
    const fit = await this.#open(decoder, [product], [])
    return this.#eachBatch('changing', async ({ texts, state }) => {
      const changed = await fit.change({ texts, state: (await state.read()) as State }, values)
      this.#options.work?.addedChange()
      return this.#options.store.keep(changed)
    })
  }

  #choose(moments: SplitMoments, firstTried?: number): Promise<ChosenRidge> {
    const { meter } = this.#options
    return meter.time('equations', () => chooseRidge(moments, { ...this.#options, firstTried }))
  }

  async #solve(moments: Moments, ridge: number): Promise<Float32Array> {
    const { products, meter, work } = this.#options
    const solve = () => solveRidge(products, moments, ridge, (share) => work?.solved(share))
    return Float32Array.from(await meter.time('equations', solve))
  }

  async #open(decoder: DecoderGraph, products: ClosingProduct[], given: ClosingProduct[]): Promise<LayerFit> {
    const { threads, device } = this.#options
    const fit = await openLayerFit(decoder, this.#config, { products, given }, { threads, device })
    this.#opened.push(fit)
    return fit
  }

  async #eachBatch<T>(phase: RepairPhase, run: (batch: KeptBatch, index: number) => Promise<T>): Promise<T[]> {
    const results: T[] = []
    for (const [index, batch] of this.#batches.entries()) {
      this.#options.signal?.throwIfAborted()
      results.push(await this.#options.meter.time(phase, () => run(batch, index)))
    }
    return results
  }
}

function readAll(kept: Kept[]): Promise<Tensor[]> {
  return Promise.all(kept.map((one) => one.read()))
}
