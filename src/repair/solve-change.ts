import { solvePositiveDefinite } from './cholesky.js'
import type { FitBatch, LayerFit, Moments } from './layer-fit.js'
import { makeMoments } from './layer-fit.js'
import type { TileProducts } from './tile-products.js'

/** Ridge strengths that are tried, as multiples of the mean of the features' squares. */
const STRENGTHS = [1e-6, 1e-5, 1e-4, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10]
const FIRST_TRIED = STRENGTHS.indexOf(0.1)

/** Of what was missing, the share that is missing still, on texts that were not fitted. */
export interface Change {
  /** [features, hidden]; added to the weight, and to the bias in the last row where there is one. */
  values: Float32Array
  ridge: number
  heldOutShare: number
}

interface Options {
  products: TileProducts
  hidden: number
  /** Texts to fit, and texts to choose the ridge by. */
  fitted: FitBatch[]
  heldOut: FitBatch[]
  signal?: AbortSignal | undefined
}

/**
 * Finds the change of a layer's closing product that brings its output closest to what is wanted, by ridge
 * regression towards no change. The strength of the ridge is the one that leaves the least missing on the held-out
 * texts; then all texts are fitted with it.
 * @throws LayerpruneError where the equations cannot be solved
 */
export async function solveChange(fit: LayerFit, options: Options): Promise<Change> {
  const { products, hidden, fitted, heldOut, signal } = options
  const moments = makeMoments(fit.featureCount, hidden)
  await addAll(fit, moments, fitted, signal)
  const before = await missingSquares(fit, heldOut, new Float32Array(fit.featureCount * hidden), signal)
  const { index, squares } = await descend(STRENGTHS.length, FIRST_TRIED, async (candidate) => {
    const values = await solveRidge(products, moments, hidden, STRENGTHS[candidate]!)
    return missingSquares(fit, heldOut, values, signal)
  })
  await addAll(fit, moments, heldOut, signal)
  const ridge = STRENGTHS[index]!
  const values = await solveRidge(products, moments, hidden, ridge)
  return { values, ridge, heldOutShare: before === 0 ? 0 : squares / before }
}

async function addAll(
  fit: LayerFit,
  moments: Moments,
  batches: FitBatch[],
  signal: AbortSignal | undefined,
): Promise<void> {
  for (const batch of batches) {
    signal?.throwIfAborted()
    await fit.addMoments(batch, moments)
  }
}

async function missingSquares(
  fit: LayerFit,
  batches: FitBatch[],
  change: Float32Array,
  signal: AbortSignal | undefined,
): Promise<number> {
  let sum = 0
  for (const batch of batches) {
    signal?.throwIfAborted()
    sum += (await fit.change(batch, change)).missingSquares
  }
  return sum
}

/**
 * The change that a ridge of a given strength allows.
 * @param strength as a multiple of the mean of the features' squares
 */
export async function solveRidge(
  products: TileProducts,
  { features, missing }: Moments,
  hidden: number,
  strength: number,
): Promise<Float32Array> {
  const squares = features.diagonal()
  const mean = squares.reduce((sum, value) => sum + value, 0) / squares.length
  const ridge = new Float64Array(squares.length).fill(strength * mean)
  const matrix = features.withDiagonal(ridge)
  return Float32Array.from(await solvePositiveDefinite(products, matrix, { columns: hidden, data: missing }))
}

/** Walks along a list from a place, to the side where the value falls, until it rises. */
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
