import { LayerpruneError } from '../errors.js'
import { type Evaluator, runTree } from '../evaluate/evaluator.js'
import { buildPrefixTree } from '../evaluate/prefix-tree.js'
import type { Model } from '../model.js'
import { normalizeBlocks } from '../plan/blocks.js'
import { type ClosingProduct, findClosingProduct } from '../repair/closing-product.js'
import { type LayerFit, makeMoments, openLayerFit } from '../repair/layer-fit.js'
import { solveRidge } from '../repair/solve-change.js'
import { openTileProducts } from '../repair/tile-products.js'
import type { EncodedText } from '../runtime/batches.js'
import { openDecoderPieces, type State } from '../runtime/decoder-pieces.js'
import type { SessionOptions } from '../runtime/session.js'
import type { Block } from '../similarity/result.js'

/** Strength of the ridge of every repair, see `solveRidge`. */
const RIDGE = 0.1

/**
 * Opens a model as an evaluator of cuts that are repaired: the layer before each block is changed so that the stream
 * comes out of it as after the block. A repair is fitted once, on what the whole model makes of the calibration
 * texts, and serves in every candidate that has its block: a likeness of what `repairCuts` gives, fit to compare
 * candidates by. All states of the calibration texts are held, and the layers' weights twice.
 *
 * A candidate with a block that cannot be repaired is not a number's worth: its likelihoods are infinite.
 * @throws LayerpruneError where no cut of the model can be repaired
 */
export async function openRepairingEvaluator(
  model: Model,
  calibration: EncodedText[][],
  options: SessionOptions & { signal?: AbortSignal | undefined },
): Promise<Evaluator> {
  const { decoder, config } = model
  const { layers } = config
  const everyState = Array.from({ length: layers + 1 }, (_, state) => state)
  const closing = findClosingProducts(model)
  const pieces = await openDecoderPieces(decoder, config, everyState, options)
  const products = await openTileProducts(options.threads)
  const states: State[][] = []
  for (const texts of calibration) {
    options.signal?.throwIfAborted()
    const own = [await pieces.embed(texts)]
    for (let layer = 0; layer < layers; layer++) own.push(await pieces.run(layer, own[layer]!, texts))
    states.push(own)
  }
  const changes = new Map<number, Float32Array>()
  const changed = new Map<number, LayerFit>()
  /** Number of the piece that is `layer` changed to do what the layers up to `end` did too. */
  const pieceOf = (layer: number, end: number) => (layer + 1) * (layers + 1) + end

  async function fitChange(product: ClosingProduct, end: number): Promise<Float32Array> {
    const fit = await openLayerFit(decoder, config, [product], options)
    try {
      const moments = makeMoments(fit.groups, product.outputs)
      for (const [index, texts] of calibration.entries()) {
        options.signal?.throwIfAborted()
        const own = states[index]!
        await fit.addMoments({ texts, state: own[product.layer]!, wanted: own[end]! }, moments)
      }
      return await solveRidge(products, moments, product.outputs, RIDGE)
    } finally {
      await fit.close()
    }
  }

  /** Pieces of a model from which blocks go, those before a block changed; undefined where that cannot be. */
  async function findPath(removed: Block[]): Promise<number[] | undefined> {
    const blocks = normalizeBlocks(removed, layers)
    const path: number[] = []
    for (let layer = 0; layer < layers; layer++) {
      if (blocks.some(({ start, end }) => start <= layer && layer < end)) continue
      const block = blocks.find(({ start }) => start === layer + 1)
      path.push(block === undefined ? layer : pieceOf(layer, block.end))
    }
    if (blocks.some(({ start }) => start === 0 || closing[start - 1] === undefined)) return undefined
    for (const { start, end } of blocks) {
      const piece = pieceOf(start - 1, end)
      if (!changes.has(piece)) changes.set(piece, await fitChange(closing[start - 1]!, end))
    }
    return path
  }

  async function runPiece(piece: number, state: State, texts: EncodedText[]): Promise<State> {
    const change = changes.get(piece)
    if (change === undefined) return pieces.run(piece, state, texts)
    const layer = Math.floor(piece / (layers + 1)) - 1
    const fit = changed.get(layer) ?? (await openLayerFit(decoder, config, [closing[layer]!], options))
    changed.set(layer, fit)
    return (await fit.change({ texts, state, wanted: state }, change)).state
  }

  return {
    async measure(batch, candidates) {
      const paths: (number[] | undefined)[] = []
      for (const removed of candidates) paths.push(await findPath(removed))
      const possible = paths.filter((path) => path !== undefined)
      const tree = buildPrefixTree(possible)
      const repaired = { embed: pieces.embed, run: runPiece, score: pieces.score }
      const scores = possible.length === 0 ? new Map() : await runTree(repaired, tree, batch, options.signal)
      let place = 0
      return paths.map((path) =>
        path === undefined
          ? new Float64Array(batch.length).fill(Infinity)
          : scores.get(place++)!.map((value: number) => 0 - value),
      )
    },
    async close() {
      for (const fit of changed.values()) await fit.close()
      await Promise.all([pieces.close(), products.close()])
    },
  }
}

/** By layer, where it has one. */
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
