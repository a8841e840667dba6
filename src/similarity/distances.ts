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

/**
 * Adds the angular distance of every block at one position to `sums`: arccos(cosine) / pi between state l and
 * state l + n (Gromov et al. 2024, eq. 5).
 * @param gram  [layers + 1, layers + 1] inner products of the states, row-major float64
 * @param sums  one entry a block, in the order of `blockIndex`; each distance is in [0, 1]
 * @throws UndirectedStateError where a state is zero or not finite
 */
export function addAngularDistances(gram: Float64Array, layers: number, sums: Float64Array): void {
  const size = layers + 1
  const norms = new Float64Array(size)
  for (let k = 0; k < size; k++) {
    const squaredNorm = gram[k * size + k]!
    if (!(squaredNorm > 0 && squaredNorm < Infinity)) throw new UndirectedStateError(k, squaredNorm)
    norms[k] = Math.sqrt(squaredNorm)
  }
  let block = 0
  for (let n = 1; n <= layers; n++) {
    for (let l = 0; l + n <= layers; l++) {
      const cosine = gram[l * size + l + n]! / (norms[l]! * norms[l + n]!)
      sums[block++]! += Math.acos(Math.min(1, Math.max(-1, cosine))) / Math.PI
    }
  }
}
