import { solvePositiveDefinite } from './cholesky.js'
import type { FitBatch, LayerFit, Moments } from './layer-fit.js'
import { countFeatures, makeMoments } from './layer-fit.js'
import type { RepairWork } from './repair-work.js'
import type { TileProducts } from './tile-products.js'

/** Ridge strengths to try, see `solveRidge`. */
const STRENGTHS = [1e-6, 1e-5, 1e-4, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10]
const FIRST_TRIED = STRENGTHS.indexOf(0.1)
/** Ridges that are tried at most: from the first to the strongest. */
export const MOST_TRIES = STRENGTHS.length - FIRST_TRIED

export interface Change {
  /** [features, hidden]; added to the weights, and in the last row to the bias if there is one. */
  values: Float32Array
  /** See `solveRidge`. */
  ridge: number
  /** Weighted residual sum of squares on the held-out texts, without the change and with it. */
  residualSquares: { before: number; after: number }
}

interface Options {
  products: TileProducts
  hidden: number
  /** Texts to fit, and texts to choose the ridge with. */
  fitted: FitBatch[]
  heldOut: FitBatch[]
  signal?: AbortSignal | undefined
  work?: RepairWork | undefined
}

/**
 * Finds the change of a layer's products that brings its output closest to the target, by ridge regression towards
 * no change. The ridge strength is the one with the smallest residual sum of squares on the held-out texts; all texts
 * are then fitted with it.
 * @throws LayerpruneError if the equations cannot be solved
 */
export async function solveChange(fit: LayerFit, options: Options): Promise<Change> {
  const { products, hidden, fitted, heldOut, work } = options
  const moments = makeMoments(fit.groups, hidden)
  await addAll(fit, moments, fitted, options)
  const solve = async (strength: number) => {
    const onShare = (share: number) => work?.solved(share)
    const values = await solveRidge(products, moments, hidden, strength, onShare)
    onShare(1)
    return values
  }
  const none = new Float32Array(countFeatures(fit.groups) * hidden)
  const before = await sumResidualSquares(fit, heldOut, none, options)
  const { index, squares } = await descend(STRENGTHS.length, FIRST_TRIED, async (candidate) => {
    work?.startTry(STRENGTHS[candidate]!)
    const values = await solve(STRENGTHS[candidate]!)
    return sumResidualSquares(fit, heldOut, values, options)
  })
  work?.endTries()
  await addAll(fit, moments, heldOut, options)
  const ridge = STRENGTHS[index]!
  const values = await solve(ridge)
  return { values, ridge, residualSquares: { before, after: squares } }
}

async function addAll(
  fit: LayerFit,
  moments: Moments,
  batches: FitBatch[],
  { signal, work }: Pick<Options, 'signal' | 'work'>,
): Promise<void> {
  for (const batch of batches) {
    signal?.throwIfAborted()
    await fit.addMoments(batch, moments)
    work?.addedMoments()
  }
}

async function sumResidualSquares(
  fit: LayerFit,
  batches: FitBatch[],
  change: Float32Array,
  { signal, work }: Pick<Options, 'signal' | 'work'>,
): Promise<number> {
  let sum = 0
  for (const batch of batches) {
    signal?.throwIfAborted()
    sum += (await fit.change(batch, change)).residualSquares
    work?.ranChanged()
  }
  return sum
}

/**
 * The change that minimises the residual for a given ridge strength.
 * @param strength as a multiple of the mean of the features' weighted squares, taken for each product separately
 * @param onShare  called now and then with the share of the work that is done
 */
export async function solveRidge(
  products: TileProducts,
  { groups, features, residual }: Moments,
  hidden: number,
  strength: number,
  onShare?: (share: number) => void,
): Promise<Float32Array> {
  const squares = features.diagonal()
  const ridge = new Float64Array(squares.length)
  let start = 0
  for (const count of groups) {
    const mean = squares.subarray(start, start + count).reduce((sum, value) => sum + value, 0) / count
    ridge.fill(strength * mean, start, start + count)
    start += count
  }
  const matrix = features.withDiagonal(ridge)
  const rightSides = { columns: hidden, data: residual }
  return Float32Array.from(await solvePositiveDefinite(products, matrix, rightSides, onShare))
}

/** Walks along a list from `start`, in the direction in which the value falls, until it rises. */
async function descend(
  size: number,
  start: number,
  value: (index: number) => Promise<number>,
): Promise<{ index: number; squares: number }> {
  let best = { index: start, squares: await value(start) }
  for (const step of [1, -1]) {
    const from = best.index
    for (let index = from + step; index >= 0 && index < size; index += step) {
      const squares = await value(index)
      if (!(squares < best.squares)) break
      best = { index, squares }
    }
    if (best.index !== from) break
  }
  return best
}
