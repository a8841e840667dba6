import { LayerpruneError } from '../../base/errors.js'
import type { ProgressOptions } from '../../base/progress.js'
import type { Model } from '../../engine/model.js'
import type { Continuation, ContinuationScores } from '../../engine/sessions/continuations.js'
import { type DecoderPieces, openDecoderPieces, type State } from '../../engine/sessions/decoder-pieces.js'
import type { SessionOptions } from '../../engine/sessions/session.js'
import type { Block } from '../../model/layers/block.js'
import { includesLayer, normalizeBlocks } from '../../model/layers/blocks.js'
import type { EncodedText } from '../../texts/tokens/windows.js'
import type { Costs, OnAdvance } from '../evaluate/batch-work.js'
import type { Compared, Evaluator, OnScore } from '../evaluate/evaluator.js'
import { comparePaths, type PathBatch, runPaths } from '../evaluate/run-paths.js'
import { type ClosingProduct, findClosingProduct } from '../repair/closing-product.js'
import type { Moments } from '../repair/moments.js'
import { type LayerOutput, openProductLayers, type ProductLayers } from '../repair/product-layers.js'
import { solveRidge } from '../repair/solve-change.js'
import { openTileProducts, type TileProducts } from '../repair/tile-products.js'
import { countHeadShare } from '../run/run-rate.js'
import { PieceNumbers } from './pieces.js'
import { type Prefix, Prefixes } from './prefixes.js'
import { relativeError } from './relative-error.js'

/** Strength of the ridge of every repair, see `solveRidge`. */
const RIDGE = 0.1

/**
 * Opens a model as an evaluator of cuts that are repaired: the layer before each block is changed so that the stream
 * comes out of it as after the block. A repair is fitted once, on what the whole model makes of the calibration
 * texts, and serves in every candidate that has its block: an approximation of what `repairCuts` gives, good enough
 * to compare candidates. It holds all states of the calibration texts.
 *
 * A candidate with a block that cannot be repaired has an infinite negative log-likelihood.
 * @throws LayerpruneError if no cut of the model can be repaired
 */
export async function openRepairingEvaluator(
  model: Model,
  calibration: EncodedText[][],
  options: Options,
): Promise<RepairingEvaluator> {
  const { decoder, config } = model
  const everyState = Array.from({ length: config.layers + 1 }, (_, state) => state)
  const closing = findClosingProducts(model)
  const pieces = await openDecoderPieces(decoder, config, everyState, options)
  const products = await openTileProducts(options.threads)
  const layers = await openProductLayers(model, options)
  const evaluator = new RepairingEvaluator(model, options, { closing, pieces, layers, products })
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
  /** The embedding, layers without a product that can be changed, and the head. */
  pieces: DecoderPieces
  layers: ProductLayers
  products: TileProducts
}

/** Calibration texts that run together. */
interface CalibrationBatch {
  texts: EncodedText[]
  /** The whole model's, by number. */
  states: State[]
}

export class RepairingEvaluator implements Evaluator {
  readonly #model: Model
  readonly #options: Options
  readonly #parts: Parts
  readonly #costs: Costs
  readonly #pieces: PieceNumbers
  #calibration: CalibrationBatch[] = []
  /** By number of the changed piece. */
  readonly #changes = new Map<number, Float32Array>()
  readonly #prefixes = new Prefixes()
  /** What changed pieces made of states of prefixes, by the state and the number of the piece. */
  readonly #variants = new WeakMap<State, Map<number, State>>()
  /** Error of a state against the whole model's at the same place. */
  readonly #errors = new WeakMap<State, number>()

  constructor(model: Model, options: Options, parts: Parts) {
    this.#model = model
    this.#options = options
    this.#parts = parts
    this.#pieces = new PieceNumbers(model.config.layers)
    this.#costs = { ofPiece: () => 1, head: model.config.layers * countHeadShare(model) }
  }

  /** Runs the calibration texts through the whole model, keeps their states, and fits cuts of one layer on the way. */
  async readCalibration(calibration: EncodedText[][]): Promise<void> {
    await this.#load()
    const { pieces } = this.#parts
    for (const texts of calibration) this.#calibration.push({ texts, states: [await pieces.embed(texts)] })
    let before: (LayerOutput | undefined)[] = []
    for (let layer = 0; layer < this.#layers; layer++) {
      this.#report('fitting repairs', layer, this.#layers, layer)
      const outputs: typeof before = []
      for (const { texts, states } of this.#calibration) {
        this.#options.signal?.throwIfAborted()
        const { state, output } = await this.#runLayer(layer, states[layer]!, texts)
        states.push(state)
        outputs.push(output)
      }
      if (layer > 0) await this.#fitChange(layer - 1, layer + 1, (batch) => before[batch])
      before = outputs
    }
  }

  async measure(
    batch: EncodedText[],
    candidates: Block[][],
    onAdvance?: OnAdvance,
    onScore?: OnScore<Float64Array>,
  ): Promise<Float64Array[]> {
    const { pieces } = this.#parts
    const score = async (state: State) => (await pieces.score(state, batch)).map((value) => 0 - value)
    const scores = await this.#run({ texts: batch, onAdvance }, candidates, score, onScore)
    return scores.map((nats) => nats ?? new Float64Array(batch.length).fill(Infinity))
  }

  async compare(batch: EncodedText[], candidates: Block[][], onAdvance?: OnAdvance): Promise<Compared[]> {
    const paths = await this.#findPaths([[], ...candidates])
    const possible = paths.filter((path) => path !== undefined)
    const compared = await comparePaths(this.#repairedPieces, possible, this.#runOf({ texts: batch, onAdvance }))
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
    onScore?: OnScore<ContinuationScores>,
  ): Promise<ContinuationScores[]> {
    const { pieces } = this.#parts
    const score = (state: State) => pieces.scoreContinuations(state, continuations)
    const scores = await this.#run({ texts: batch, onAdvance }, candidates, score, onScore)
    return scores.map(
      (score) =>
        score ?? {
          logLikelihoods: new Float64Array(continuations.length).fill(-Infinity),
          isTop: continuations.map(() => false),
        },
    )
  }

  /**
   * How much further candidates leave the stream from the whole model's than a model that they branch off from: right
   * after the block that each adds or makes larger, see `relativeError`. A candidate costs a fraction of a layer. The
   * states of the model are held for later runs of the batch.
   * @param removed  blocks of the model, each a part of a block of every candidate
   * @returns for each candidate; infinite if its block cannot be repaired
   */
  async measureErrors(batch: EncodedText[], removed: Block[], candidates: Block[][]): Promise<number[]> {
    const [base, ...paths] = await this.#findPaths([removed, ...candidates])
    const prefix = await this.#follow(batch, base!, paths)
    const isWhole = base!.length === this.#layers
    if (!isWhole && this.#prefixes.whole(batch) === undefined) await this.measureErrors(batch, [], [])
    this.#prefixes.set(batch, isWhole ? 'whole' : 'current', prefix)
    const whole = this.#prefixes.whole(batch)!
    const errorOf = (state: State, end: number) => {
      const error = this.#errors.get(state) ?? relativeError(state, whole.states[end]!, batch)
      this.#errors.set(state, error)
      return error
    }
    return paths.map((path) => {
      const place = prefix.pieces.findIndex((_, index) => isVariant(path, prefix.pieces, index))
      if (path === undefined || place < 0) return Infinity
      const { end } = this.#pieces.at(path[place]!)
      const own = prefix.pieces.findIndex((piece) => this.#pieces.at(piece).end === end)
      const after = this.#variants.get(prefix.states[place]!)!.get(path[place]!)!
      return errorOf(after, end) - errorOf(prefix.states[own + 1]!, end)
    })
  }

  /** Runs a batch along a path, and the changed pieces at which others branch off; each layer runs once. */
  async #follow(texts: EncodedText[], pieces: number[], others: (number[] | undefined)[]): Promise<Prefix> {
    const states = [this.#prefixes.whole(texts)?.states[0] ?? (await this.#parts.pieces.embed(texts))]
    for (const [place, piece] of pieces.entries()) {
      this.#options.signal?.throwIfAborted()
      const state = states[place]!
      const known = this.#variants.get(state) ?? new Map<number, State>()
      this.#variants.set(state, known)
      const variants = others.flatMap((path) => (isVariant(path, pieces, place) ? [path![place]!] : []))
      const missing = variants.filter((other) => !known.has(other))
      const { output } = missing.length > 0 ? await this.#runLayer(this.#pieces.at(piece).layer, state, texts) : {}
      for (const other of missing) known.set(other, await this.#runPiece(other, state, texts, output))
      states.push(await this.#runPiece(piece, state, texts, output))
    }
    return { pieces, states }
  }

  /** @returns the score of each candidate's last state; undefined if a block of it cannot be repaired */
  async #run<Score>(
    batch: Pick<PathBatch, 'texts' | 'onAdvance'>,
    candidates: Block[][],
    score: (state: State) => Promise<Score>,
    onScore?: OnScore<Score>,
  ): Promise<(Score | undefined)[]> {
    const paths = await this.#findPaths(candidates)
    const places = paths.flatMap((path, place) => (path === undefined ? [] : [place]))
    const possible = places.map((place) => paths[place]!)
    const scores = await runPaths(
      { pieces: this.#repairedPieces, score },
      possible,
      this.#runOf(batch),
      (path, score) => (onScore === undefined ? Promise.resolve() : onScore(places[path]!, score)),
    )
    return paths.map((_, place) => scores[places.indexOf(place)])
  }

  #runOf(run: Pick<PathBatch, 'texts' | 'onAdvance'>): PathBatch {
    return { ...run, costs: this.#costs, signal: this.#options.signal }
  }

  async close(): Promise<void> {
    const { pieces, layers, products } = this.#parts
    await Promise.all([layers, pieces, products].map((opened) => opened.close()))
  }

  get #layers(): number {
    return this.#model.config.layers
  }

  get #repairedPieces() {
    const { pieces } = this.#parts
    return {
      embed: async (texts: EncodedText[], tokens?: number) =>
        this.#prefixes.first(texts) ?? pieces.embed(texts, tokens),
      run: (piece: number, state: State, texts: EncodedText[]) => this.#runPiece(piece, state, texts),
      compare: pieces.compare.bind(pieces),
    }
  }

  /** Fits the repairs that are needed for the first time. Paths are undefined if a block cannot be repaired. */
  async #findPaths(candidates: Block[][]): Promise<(number[] | undefined)[]> {
    const removed = candidates.map((blocks) => normalizeBlocks(blocks, this.#layers))
    const paths = removed.map((blocks) => this.#findPath(blocks))
    const needed = removed.filter((_, index) => paths[index] !== undefined).flat()
    const unknown = new Map(
      needed.map((block) => [this.#pieces.ofChanged({ layer: block.start - 1, end: block.end }), block]),
    )
    for (const piece of this.#changes.keys()) unknown.delete(piece)
    let done = 0
    for (const { start, end } of unknown.values()) {
      this.#report('fitting repairs', done++, unknown.size, start - 1)
      await this.#fitChange(start - 1, end)
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
      path.push(block === undefined ? layer : this.#pieces.ofChanged({ layer, end: block.end }))
    }
    return path
  }

  /**
   * Fits a layer so that it does what the layers up to `end` did too; unless nothing of it can be changed.
   * @param outputOf  what the layer makes of a batch, by number; it is run if omitted
   */
  async #fitChange(layer: number, end: number, outputOf?: (batch: number) => LayerOutput | undefined) {
    const { closing, layers, products } = this.#parts
    const product = closing[layer]
    if (product === undefined) return
    const moments: Moments = layers.makeMoments(product)
    for (const [batch, { texts, states }] of this.#calibration.entries()) {
      this.#options.signal?.throwIfAborted()
      const output = outputOf?.(batch) ?? (await layers.run(product, states[layer]!, texts))
      await layers.addMoments(product, { texts, output, target: states[end]! }, moments)
    }
    const change = await solveRidge(products, moments, RIDGE)
    this.#changes.set(this.#pieces.ofChanged({ layer, end }), Float32Array.from(change))
  }

  /** @param known  what the layer, unchanged, makes of the state; it is run if omitted */
  async #runPiece(piece: number, state: State, texts: EncodedText[], known?: LayerOutput): Promise<State> {
    const held = this.#prefixes.next(texts, piece, state) ?? this.#variants.get(state)?.get(piece)
    if (held !== undefined) return held
    const change = this.#changes.get(piece)
    if (change === undefined) return known?.state ?? (await this.#runLayer(piece, state, texts)).state
    const { closing, layers } = this.#parts
    const product = closing[this.#pieces.at(piece).layer]!
    return layers.addChange(product, known ?? (await layers.run(product, state, texts)), change)
  }

  /** @returns the layer's own output, and the features of its product if it has one that can be changed */
  async #runLayer(layer: number, state: State, texts: EncodedText[]): Promise<{ state: State; output?: LayerOutput }> {
    const { closing, layers, pieces } = this.#parts
    const product = closing[layer]
    if (product === undefined) return { state: await pieces.run(layer, state, texts) }
    const output = await layers.run(product, state, texts)
    return { state: output.state, output }
  }

  async #load(): Promise<void> {
    const { closing, layers, pieces } = this.#parts
    for (let layer = 0; layer < this.#layers; layer++) {
      this.#options.signal?.throwIfAborted()
      this.#report('loading the model', layer, this.#layers)
      const product = closing[layer]
      if (product === undefined) await pieces.load([layer], { signal: this.#options.signal })
      else await layers.load(product)
    }
  }

  /** @param layer  named as the one that is at work */
  #report(phase: string, done: number, total: number, layer?: number): void {
    const detail = layer === undefined ? {} : { detail: `layer ${layer}` }
    this.#options.onProgress?.({ phase, done, total, unit: 'layer', ...detail })
  }
}

/** Whether a path leaves another at a place. */
function isVariant(path: number[] | undefined, other: number[], place: number): boolean {
  if (path === undefined || path[place] === other[place]) return false
  return path.slice(0, place).every((piece, index) => piece === other[index])
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
