import { solvePositiveDefinite } from './cholesky.js'
import type { FitBatch, LayerFit, Moments } from './layer-fit.js'
import { countFeatures, makeMoments } from './layer-fit.js'
import type { TileProducts } from './tile-products.js'

/** Ridge strengths to try, see `solveRidge`. */
const STRENGTHS = [1e-6, 1e-5, 1e-4, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10]
const FIRST_TRIED = STRENGTHS.indexOf(0.1)

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
  /** Called before each part of the work. */
  onPart?: ((part: SolvePart) => void) | undefined
}

/** How far the search for a change is. */
export interface SolvePart {
  /** 0 to 1; expects as many ridges as are usual. */
  share: number
  /** That is tried; null while activations are read. */
  ridge: number | null
}

/** Ridges that are usually tried. */
const USUAL_TRIES = 4
/** Batches that run in the time that the equations take. */
const BATCHES_OF_SOLUTION = 2

/**
 * Finds the change of a layer's products that brings its output closest to the target, by ridge regression towards
 * no change. The ridge strength is the one with the smallest residual sum of squares on the held-out texts; all texts
 * are then fitted with it.
 * @throws LayerpruneError if the equations cannot be solved
 */
export async function solveChange(fit: LayerFit, options: Options): Promise<Change> {
  const { products, hidden, fitted, heldOut } = options
  const work = new SolveWork(options)
  const moments = makeMoments(fit.groups, hidden)
  await addAll(fit, moments, fitted, work)
  const none = new Float32Array(countFeatures(fit.groups) * hidden)
  const before = await sumResidualSquares(fit, heldOut, none, work)
  const { index, squares } = await descend(STRENGTHS.length, FIRST_TRIED, async (candidate) => {
    work.startTry(STRENGTHS[candidate]!)
    const values = await solveRidge(products, moments, hidden, STRENGTHS[candidate]!)
    work.add(BATCHES_OF_SOLUTION)
    return sumResidualSquares(fit, heldOut, values, work)
  })
  const ridge = STRENGTHS[index]!
  work.endTries(ridge)
  await addAll(fit, moments, heldOut, work)
  const values = await solveRidge(products, moments, hidden, ridge)
  return { values, ridge, residualSquares: { before, after: squares } }
}

/** Counts the work of a fit in batches, and stops it if it was aborted. */
class SolveWork {
  readonly #options: Options
  readonly #total: number
  /** Of each try. */
  readonly #tryWork: number
  #done = 0
  #ridge: number | null = null
  #tries = 0

  constructor(options: Options) {
    const { fitted, heldOut } = options
    this.#options = options
    this.#tryWork = BATCHES_OF_SOLUTION + heldOut.length
    this.#total = fitted.length + 2 * heldOut.length + USUAL_TRIES * this.#tryWork + BATCHES_OF_SOLUTION
    this.add(0)
  }

  startTry(ridge: number): void {
    // more tries than usual take no more of the share
    if (this.#tries++ >= USUAL_TRIES) this.#done -= this.#tryWork
    this.#ridge = ridge
    this.add(0)
  }

  endTries(ridge: number): void {
    this.#done += Math.max(0, USUAL_TRIES - this.#tries) * this.#tryWork
    this.#ridge = ridge
    this.add(0)
  }

  add(batches: number): void {
    this.#options.signal?.throwIfAborted()
    this.#done += batches
    this.#options.onPart?.({ share: this.#done / this.#total, ridge: this.#ridge })
  }
}

async function addAll(fit: LayerFit, moments: Moments, batches: FitBatch[], work: SolveWork): Promise<void> {
  for (const batch of batches) {
    await fit.addMoments(batch, moments)
    work.add(1)
  }
}

async function sumResidualSquares(
  fit: LayerFit,
  batches: FitBatch[],
  change: Float32Array,
  work: SolveWork,
): Promise<number> {
  let sum = 0
  for (const batch of batches) {
    sum += (await fit.change(batch, change)).residualSquares
    work.add(1)
  }
  return sum
}

/**
 * The change that minimises the residual for a given ridge strength.
 * @param strength as a multiple of the mean of the features' weighted squares, taken for each product separately
 */
export async function solveRidge(
  products: TileProducts,
  { groups, features, residual }: Moments,
  hidden: number,
  strength: number,
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
  return Float32Array.from(await solvePositiveDefinite(products, matrix, { columns: hidden, data: residual }))
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
