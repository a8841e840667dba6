import type { Metric } from '../../results/documents/metrics.js'

/** Number of blocks of every size in a model of `layers` layers. */
export function countBlocks(layers: number): number {
  return (layers * (layers + 1)) / 2
}

/** Place of block [start, start + n) in a list of all blocks, ordered by n, then by start. */
export function blockIndex(layers: number, n: number, start: number): number {
  return (n - 1) * layers - ((n - 1) * (n - 2)) / 2 + start
}

/** A state that has no direction, so no angle with another. */
export class UndirectedStateError extends Error {
  constructor(
    readonly state: number,
    readonly squaredNorm: number,
  ) {
    super(`state ${state} is ${squaredNorm === 0 ? 'zero' : 'not finite'}`)
  }
}

/** The states of one position: their inner products, squared lengths and lengths. */
interface States {
  layers: number
  gram: Float64Array
  squares: Float64Array
  norms: Float64Array
}

/** Adds how far apart the states before and after each block are to the sums from `first` on; see docs/method.md. */
const ADD_DISTANCES: Record<Metric, (states: States, sums: Float64Array, first: number) => void> = {
  angular({ layers, gram, norms }, sums, first) {
    let block = first
    for (let n = 1; n <= layers; n++) {
      for (let l = 0; l + n <= layers; l++) {
        const cosine = gram[l * (layers + 1) + l + n]! / (norms[l]! * norms[l + n]!)
        sums[block++]! += Math.acos(Math.min(1, Math.max(-1, cosine))) / Math.PI
      }
    }
  },
  cosine: addCosineDistances,
  'block-influence': addCosineDistances,
  'relative-magnitude'(states, sums, first) {
    addEuclideanDistances(states, sums, first, states.norms)
  },
  euclidean(states, sums, first) {
    addEuclideanDistances(states, sums, first, new Float64Array(states.layers + 1).fill(1))
  },
}

function addCosineDistances({ layers, gram, norms }: States, sums: Float64Array, first: number): void {
  let block = first
  for (let n = 1; n <= layers; n++) {
    for (let l = 0; l + n <= layers; l++) {
      const cosine = gram[l * (layers + 1) + l + n]! / (norms[l]! * norms[l + n]!)
      sums[block++]! += 1 - Math.min(1, Math.max(-1, cosine))
    }
  }
}

/** @param units  of each state: what the distance of a block that it leaves is measured in */
function addEuclideanDistances(
  { layers, gram, squares }: States,
  sums: Float64Array,
  first: number,
  units: Float64Array,
): void {
  let block = first
  for (let n = 1; n <= layers; n++) {
    for (let l = 0; l + n <= layers; l++) {
      const squared = squares[l]! + squares[l + n]! - 2 * gram[l * (layers + 1) + l + n]!
      sums[block++]! += Math.sqrt(Math.max(0, squared)) / units[l + n]!
    }
  }
}

/**
 * Adds the distance of every block at one position to `sums`: between state l and state l + n by each metric, such
 * as the angular one, arccos(cosine) / pi (Gromov et al. 2024, eq. 5).
 * @param gram  [layers + 1, layers + 1] inner products of the states, row-major float64
 * @param sums  for each metric in turn one entry per block, in the order of `blockIndex`
 * @throws UndirectedStateError if a state is zero or not finite
 */
export function addDistances(gram: Float64Array, layers: number, metrics: readonly Metric[], sums: Float64Array): void {
  const size = layers + 1
  const squares = new Float64Array(size)
  const norms = new Float64Array(size)
  for (let k = 0; k < size; k++) {
    const squaredNorm = gram[k * size + k]!
    if (!(squaredNorm > 0 && squaredNorm < Infinity)) throw new UndirectedStateError(k, squaredNorm)
    squares[k] = squaredNorm
    norms[k] = Math.sqrt(squaredNorm)
  }
  const states = { layers, gram, squares, norms }
  let first = 0
  for (const metric of metrics) {
    ADD_DISTANCES[metric](states, sums, first)
    first += countBlocks(layers)
  }
}
