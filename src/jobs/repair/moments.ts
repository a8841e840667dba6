import { createRandom } from '../../base/random.js'
import { SymmetricMatrix } from './symmetric-matrix.js'
import type { TileProducts } from './tile-products.js'

const SKETCH_SEED = 1

/** Second moments of a regression, see `takeMomentsGraph`; sums over batches in float64. */
export interface Moments {
  /** How many features each product has, that of the last with the one of its bias. */
  groups: number[]
  features: SymmetricMatrix
  /** [features, hidden] */
  residual: Float64Array
  hidden: number
  /** Weighted residual sum of squares. */
  squares: number
}

/** Moments of the texts to fit, and of those that the ridge is chosen on. */
export interface SplitMoments {
  fitted: Moments
  heldOut: Moments
}

/** Moments that `addMoments` adds. */
export interface AddedMoments {
  /** As of a `SymmetricMatrix`, each row-major. */
  panels: ArrayLike<number>[]
  residual: ArrayLike<number>
  squares: number
}

export function makeMoments(groups: number[], hidden: number): Moments {
  const features = new SymmetricMatrix(groups)
  return { groups, features, residual: new Float64Array(features.size * hidden), hidden, squares: 0 }
}

/** Adds moments to others, in place. */
export function addMoments(moments: Moments, { panels, residual, squares }: AddedMoments): void {
  moments.features.add(panels)
  for (let at = 0; at < residual.length; at++) moments.residual[at]! += residual[at]!
  moments.squares += squares
}

/** Adds the moments of the held-out texts to those of the fitted ones, in place. */
export function joinMoments({ fitted, heldOut }: SplitMoments): Moments {
  const panels = heldOut.features.panels.map(({ data }) => data)
  addMoments(fitted, { ...heldOut, panels })
  return fitted
}

/** The moments of the last product alone, which share their numbers with these. */
export function takeLastProduct({ groups, features, residual, hidden, squares }: Moments): Moments {
  const last = groups.at(-1)!
  const start = features.size - last
  return {
    groups: [last],
    features: features.trailing(start),
    residual: residual.subarray(start * hidden),
    ...{ hidden, squares },
  }
}

/**
 * The same moments for fewer outputs, each a sum of all of them with signs drawn by chance: how much less of the residual
 * one change leaves than another is about the same of these. Their squares are not known, and count as 0.
 * @param columns  how many
 */
export async function sketchOutputs(
  products: TileProducts,
  { groups, features, residual, hidden }: Moments,
  columns: number,
): Promise<Moments> {
  const random = createRandom(SKETCH_SEED)
  const sign = 1 / Math.sqrt(columns)
  const signs = Float64Array.from({ length: hidden * columns }, () => (random.below(2) === 0 ? -sign : sign))
  const data = new Float64Array(features.size * columns)
  await products.multiply(
    { rows: features.size, columns: hidden, data: residual },
    { rows: hidden, columns, data: signs },
    { rows: features.size, columns, data },
  )
  return { groups, features, residual: data, hidden: columns, squares: 0 }
}

/**
 * The weighted residual sum of squares that a change W leaves, by the moments alone:
 * r'r - 2 tr(W'X'r) + tr(W'X'X W).
 * @param change [features, hidden]
 */
export async function sumSquaresAfter(
  products: TileProducts,
  { features, residual, hidden, squares }: Moments,
  change: Float64Array,
): Promise<number> {
  const { bounds, panels } = features
  const scratch = new Float64Array(change.length)
  let quadratic = 0
  for (const [index, panel] of panels.entries()) {
    const [start, end] = [bounds[index]! * hidden, bounds[index + 1]! * hidden]
    const own = { rows: panel.columns, columns: hidden, data: change.subarray(start, end) }
    const data = scratch.subarray(0, end)
    await products.multiply(panel, own, { rows: panel.rows, columns: hidden, data })
    // the matrix is symmetric: entries above the diagonal count twice
    quadratic += 2 * dot(data.subarray(0, start), change) + dot(data.subarray(start), own.data)
  }
  return squares - 2 * dot(residual, change) + quadratic
}

/** Dot product over the length of the first vector. */
function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0
  for (let at = 0; at < a.length; at++) sum += a[at]! * b[at]!
  return sum
}
