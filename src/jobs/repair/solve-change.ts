import { factorize } from './cholesky.js'
import { type Moments, type SplitMoments, sketchOutputs, sumSquaresAfter } from './moments.js'
import type { RepairWork } from './repair-work.js'
import { FIRST_TRIED, STRENGTHS } from './ridges.js'
import type { TileProducts } from './tile-products.js'

/** Outputs of the sketch on which ridges are tried if there are over WIDE times as many; it ranks ridges as well. */
const SKETCH = 256
const WIDE = 4

/** A ridge chosen on held-out texts. */
export interface ChosenRidge {
  /** See `solveRidge`. */
  ridge: number
  /** Weighted residual sum of squares on the held-out texts with the change that the fitted texts give. */
  heldOutSquares: number
}

interface RidgeOptions {
  products: TileProducts
  /** Where the search starts, one of the strengths; 0.1 if omitted. */
  firstTried?: number | undefined
  signal?: AbortSignal | undefined
  work?: RepairWork | undefined
}

/**
 * Finds the ridge with the smallest residual sum of squares on held-out texts, by their moments: no text is run.
 * @throws LayerpruneError if the equations cannot be solved
 */
export async function chooseRidge(
  { fitted, heldOut }: SplitMoments,
  { products, firstTried = FIRST_TRIED, signal, work }: RidgeOptions,
): Promise<ChosenRidge> {
  const isWide = fitted.hidden > WIDE * SKETCH
  const sketch = (moments: Moments) => (isWide ? sketchOutputs(products, moments, SKETCH) : moments)
  const tried = { fitted: await sketch(fitted), heldOut: await sketch(heldOut) }
  const start = STRENGTHS.indexOf(firstTried)
  const { index, squares } = await descend(STRENGTHS.length, start, async (candidate) => {
    signal?.throwIfAborted()
    const ridge = STRENGTHS[candidate]!
    work?.startTry(ridge)
    const change = await solveRidge(products, tried.fitted, ridge, (share) => work?.solved(share))
    return sumSquaresAfter(products, tried.heldOut, change)
  })
  work?.endTries()
  const ridge = STRENGTHS[index]!
  if (!isWide) return { ridge, heldOutSquares: squares }
  const change = await solveRidge(products, fitted, ridge)
  return { ridge, heldOutSquares: await sumSquaresAfter(products, heldOut, change) }
}

/**
 * The change that minimises the residual for a given ridge strength: ridge regression towards no change.
 * @param strength as a multiple of the mean of the features' weighted squares, taken for each product separately
 * @param onShare  called now and then with the share of the work that is done
 * @returns [features, hidden]
 * @throws LayerpruneError if the equations cannot be solved
 */
export async function solveRidge(
  products: TileProducts,
  { groups, features, residual, hidden }: Moments,
  strength: number,
  onShare?: (share: number) => void,
): Promise<Float64Array> {
  const squares = features.diagonal()
  const ridge = new Float64Array(squares.length)
  let start = 0
  for (const count of groups) {
    const mean = squares.subarray(start, start + count).reduce((sum, value) => sum + value, 0) / count
    ridge.fill(strength * mean, start, start + count)
    start += count
  }
  // operations: size^3 / 3 to factorise, 2 size^2 to solve for each column
  const ofFactor = features.size / (features.size + 6 * hidden)
  const factor = await factorize(products, features.withDiagonal(ridge), (share) => onShare?.(share * ofFactor))
  const { data } = await factor.solve({ rows: features.size, columns: hidden, data: residual })
  onShare?.(1)
  return data
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
