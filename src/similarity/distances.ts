import type { Metric } from './metrics.js'

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

/** Inner product, lengths and squared lengths of two states a and b to how far they lie apart. */
type PairDistance = (dot: number, a: number, b: number, aSquared: number, bSquared: number) => number

const angularDistance: PairDistance = (dot, a, b) =>
  Math.acos(Math.min(1, Math.max(-1, dot / (a * b)))) / Math.PI

const cosineDistance: PairDistance = (dot, a, b) => 1 - Math.min(1, Math.max(-1, dot / (a * b)))

const euclideanDistance: PairDistance = (dot, _a, _b, aSquared, bSquared) =>
  Math.sqrt(Math.max(0, aSquared + bSquared - 2 * dot))

/** Of state a, which enters a block, and state b, which leaves it; docs/method.md has the papers. */
const DISTANCES: Record<Metric, PairDistance> = {
  angular: angularDistance,
  cosine: cosineDistance,
  'block-influence': cosineDistance,
  'relative-magnitude': (dot, a, b, aSquared, bSquared) =>
    euclideanDistance(dot, a, b, aSquared, bSquared) / b,
  euclidean: euclideanDistance,
}

/**
 * Adds the distance of every block at one position to `sums`: between state l and state l + n by each metric, such
 * as the angular one, arccos(cosine) / pi (Gromov et al. 2024, eq. 5).
 * @param gram  [layers + 1, layers + 1] inner products of the states, row-major float64
 * @param sums  for each metric in turn one entry a block, in the order of `blockIndex`
 * @throws UndirectedStateError where a state is zero or not finite
 */
export function addDistances(
  gram: Float64Array,
  layers: number,
  metrics: readonly Metric[],
  sums: Float64Array,
): void {
  const size = layers + 1
  const squares = new Float64Array(size)
  for (let k = 0; k < size; k++) {
    const squaredNorm = gram[k * size + k]!
    if (!(squaredNorm > 0 && squaredNorm < Infinity)) throw new UndirectedStateError(k, squaredNorm)
    squares[k] = squaredNorm
  }
  const norms = squares.map(Math.sqrt)
  let entry = 0
  for (const metric of metrics) {
    const distance = DISTANCES[metric]
    for (let n = 1; n <= layers; n++) {
      for (let l = 0; l + n <= layers; l++) {
        const dot = gram[l * size + l + n]!
        sums[entry++]! += distance(dot, norms[l]!, norms[l + n]!, squares[l]!, squares[l + n]!)
      }
    }
  }
}
