import type { Continuation, ContinuationScores } from '../engine/continuations.js'
import { type DecoderPieces, openDecoderPieces, type State } from '../engine/decoder-pieces.js'
import type { SessionOptions } from '../engine/session.js'
import { LayerpruneError } from '../errors.js'
import type { Costs, OnAdvance } from '../evaluate/batch-work.js'
import {
  type Compared,
  comparePaths,
  type Evaluator,
  type PathBatch,
  runPaths,
} from '../evaluate/evaluator.js'
import type { Block } from '../layers/block.js'
import { includesLayer, normalizeBlocks } from '../layers/blocks.js'
import type { Model } from '../model.js'
import type { ProgressOptions } from '../progress.js'
import { type ClosingProduct, findClosingProduct } from '../repair/closing-product.js'
import { type LayerFit, openLayerFit } from '../repair/layer-fit.js'
import { makeMoments } from '../repair/moments.js'
import { solveRidge } from '../repair/solve-change.js'
import { openTileProducts, type TileProducts } from '../repair/tile-products.js'
import { countHeadShare } from '../similarity/run-rate.js'
import type { EncodedText } from '../texts/windows.js'

/** Strength of the ridge of every repair, see `solveRidge`. */
const RIDGE = 0.1

/**
 * Opens a model as an evaluator of cuts that are repaired: the layer before each block is changed so that the stream
 * comes out of it as after the block. A repair is fitted once, on what the whole model makes of the calibration
 * texts, and serves in every candidate that has its block: an approximation of what `repairCuts` gives, good enough
 * to compare candidates. It holds all states of the calibration texts, and the layers' weights twice.
 *
 * A candidate with a block that cannot be repaired has an infinite negative log-likelihood.
 * @throws LayerpruneError if no cut of the model can be repaired
 */
export async function openRepairingEvaluator(
  model: Model,
  calibration: EncodedText[][],
  options: Options,
): Promise<Evaluator> {
  const { decoder, config } = model
  const everyState = Array.from({ length: config.layers + 1 }, (_, state) => state)
  const closing = findClosingProducts(model)
  const pieces = await openDecoderPieces(decoder, config, everyState, options)
  const products = await openTileProducts(options.threads)
  const evaluator = new RepairingEvaluator(model, options, { closing, pieces, products })
  try {
    await evaluator.readCalibration(calibration)
    return evaluator
  } catch (cause) {
    await evaluator.close()
    throw cause
  }
}

type Options = SessionOptions & ProgressOptions & { signal?: AbortSignal | undefined }

interface Parts {
  /** By layer, if it has one. */
  closing: (ClosingProduct | undefined)[]
  pieces: DecoderPieces
  products: TileProducts
}

class RepairingEvaluator implements Evaluator {
  readonly #model: Model
  readonly #options: Options
  readonly #parts: Parts
  readonly #costs: Costs
  readonly #calibration: { texts: EncodedText[]; states: State[] }[] = []
  /** By number of the changed piece. */
  readonly #changes = new Map<number, Float32Array>()
  /** By layer. */
  readonly #changed = new Map<number, LayerFit>()

  constructor(model: Model, options: Options, parts: Parts) {
    this.#model = model
    this.#options = options
    this.#parts = parts
    this.#costs = { ofPiece: () => 1, head: model.config.layers * countHeadShare(model) }
  }

  /** Runs the calibration texts through the whole model and keeps their states. */
  async readCalibration(calibration: EncodedText[][]): Promise<void> {
    const { pieces } = this.#parts
    const { onProgress } = this.#options
    const total = calibration.flat().length
    await pieces.load([...Array(this.#layers).keys()], this.#options)
    let done = 0
    for (const texts of calibration) {
      const states = [await pieces.embed(texts)]
      for (let layer = 0; layer < this.#layers; layer++) {
        this.#options.signal?.throwIfAborted()
        const part = (layer / this.#layers) * texts.length
        onProgress?.({ phase: 'states of the whole model', done: done + part, total, unit: 'text' })
        states.push(await pieces.run(layer, states[layer]!, texts))
      }
      this.#calibration.push({ texts, states })
      done += texts.length
    }
  }

  async measure(batch: EncodedText[], candidates: Block[][], onAdvance?: OnAdvance): Promise<Float64Array[]> {
    const { pieces } = this.#parts
    const score = (state: State) => pieces.score(state, batch)
    const scores = await this.#run({ texts: batch, onAdvance }, candidates, score)
    return scores.map((likelihoods) =>
      likelihoods === undefined
        ? new Float64Array(batch.length).fill(Infinity)
        : likelihoods.map((value) => 0 - value),
    )
  }

  async compare(batch: EncodedText[], candidates: Block[][], onAdvance?: OnAdvance): Promise<Compared[]> {
    const paths = await this.#findPaths([[], ...candidates])
    const possible = paths.filter((path) => path !== undefined)
    const compared = await comparePaths(
      this.#repairedPieces,
      possible,
      this.#runOf({ texts: batch, onAdvance }),
    )
    const failed = new Float64Array(batch.length).fill(Infinity)
    return paths.map((path) =>
      path === undefined ? { nats: failed, divergences: failed, agreements: failed } : compared.shift()!,
    )
  }

  async scoreContinuations(
    batch: EncodedText[],
    continuations: Continuation[],
    candidates: Block[][],
    onAdvance?: OnAdvance,
  ): Promise<ContinuationScores[]> {
    const { pieces } = this.#parts
    const score = (state: State) => pieces.scoreContinuations(state, continuations)
    const scores = await this.#run({ texts: batch, onAdvance }, candidates, score)
    return scores.map(
      (score) =>
        score ?? {
          logLikelihoods: new Float64Array(continuations.length).fill(-Infinity),
          isTop: continuations.map(() => false),
        },
    )
  }

  /** @returns the score of each candidate's last state; undefined if a block of it cannot be repaired */
  async #run<Score>(
    batch: Pick<PathBatch, 'texts' | 'onAdvance'>,
    candidates: Block[][],
    score: (state: State) => Promise<Score>,
  ): Promise<(Score | undefined)[]> {
    const paths = await this.#findPaths(candidates)
    const possible = paths.filter((path) => path !== undefined)
    const scores = await runPaths({ pieces: this.#repairedPieces, score }, possible, this.#runOf(batch))
    let place = 0
    return paths.map((path) => (path === undefined ? undefined : scores[place++]))
  }

  #runOf(run: Pick<PathBatch, 'texts' | 'onAdvance'>): PathBatch {
    return { ...run, costs: this.#costs, signal: this.#options.signal }
  }

  async close(): Promise<void> {
    const { pieces, products } = this.#parts
    await Promise.all([...this.#changed.values(), pieces, products].map((opened) => opened.close()))
  }

  get #layers(): number {
    return this.#model.config.layers
  }

  /** Number of the piece that is `layer`, changed to do what the layers up to `end` did too. */
  #pieceOf(layer: number, end: number): number {
    return (layer + 1) * (this.#layers + 1) + end
  }

  #layerOf(changedPiece: number): number {
    return Math.floor(changedPiece / (this.#layers + 1)) - 1
  }

  get #repairedPieces() {
    const { pieces } = this.#parts
    return {
      embed: pieces.embed.bind(pieces),
      run: this.#runPiece.bind(this),
      compare: pieces.compare.bind(pieces),
    }
  }

  /** Fits the repairs that are needed for the first time. Paths are undefined if a block cannot be repaired. */
  async #findPaths(candidates: Block[][]): Promise<(number[] | undefined)[]> {
    const removed = candidates.map((blocks) => normalizeBlocks(blocks, this.#layers))
    const paths = removed.map((blocks) => this.#findPath(blocks))
    const needed = removed.filter((_, index) => paths[index] !== undefined).flat()
    const unknown = new Map(needed.map((block) => [this.#pieceOf(block.start - 1, block.end), block]))
    for (const piece of this.#changes.keys()) unknown.delete(piece)
    let done = 0
    for (const [piece, { start, end }] of unknown) {
      this.#options.onProgress?.({
        ...{ phase: 'fitting repairs', done: done++, total: unknown.size, unit: 'layer' },
        detail: `layer ${start - 1}`,
      })
      this.#changes.set(piece, await this.#fitChange(this.#parts.closing[start - 1]!, end))
    }
    return paths
  }

  /** Pieces of a model from which blocks are removed, those before a block changed; undefined if that cannot be. */
  #findPath(blocks: Block[]): number[] | undefined {
    const { closing } = this.#parts
    if (blocks.some(({ start }) => closing[start - 1] === undefined)) return undefined
    const path: number[] = []
    for (let layer = 0; layer < this.#layers; layer++) {
      if (includesLayer(blocks, layer)) continue
      const block = blocks.find(({ start }) => start === layer + 1)
      path.push(block === undefined ? layer : this.#pieceOf(layer, block.end))
    }
    return path
  }

  async #fitChange(product: ClosingProduct, end: number): Promise<Float32Array> {
    const { decoder, config } = this.#model
    const fit = await openLayerFit(decoder, config, { products: [product] }, this.#options)
    try {
      const moments = makeMoments(fit.groups, product.outputs)
      for (const { texts, states } of this.#calibration) {
        this.#options.signal?.throwIfAborted()
        await fit.addMoments({ texts, state: states[product.layer]!, target: states[end]! }, moments)
      }
      return Float32Array.from(await solveRidge(this.#parts.products, moments, RIDGE))
    } finally {
      await fit.close()
    }
  }

  async #runPiece(piece: number, state: State, texts: EncodedText[]): Promise<State> {
    const change = this.#changes.get(piece)
    if (change === undefined) return this.#parts.pieces.run(piece, state, texts)
    const fit = await this.#openChanged(this.#layerOf(piece))
    return fit.change({ texts, state }, change)
  }

  async #openChanged(layer: number): Promise<LayerFit> {
    const { decoder, config } = this.#model
    const fit =
      this.#changed.get(layer) ??
      (await openLayerFit(decoder, config, { products: [this.#parts.closing[layer]!] }, this.#options))
    this.#changed.set(layer, fit)
    return fit
  }
}

/** By layer, if it has one. */
function findClosingProducts({ decoder, config }: Model): (ClosingProduct | undefined)[] {
  let reason: LayerpruneError | undefined
  const found = Array.from({ length: config.layers - 1 }, (_, layer) => {
    try {
      return findClosingProduct(decoder, layer)
    } catch (error) {
      if (!(error instanceof LayerpruneError)) throw error
      reason = error
      return undefined
    }
  })
  if (reason !== undefined && found.every((product) => product === undefined)) throw reason
  return found
}
