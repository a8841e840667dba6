import { countCastBytes, type LoadedWeight } from './loaded-weights.js'
import { allocatedBytes } from './memory-figures.js'

/** What weights take once their graph is loaded, in bytes. */
export interface WeightBytes {
  heldBytes: number
  /** On top of that at the peak. */
  passingBytes: number
}

export function measureWeightBytes(weights: LoadedWeight[]): WeightBytes {
  const held = weights.map(({ bytes, isMapped }) => (isMapped ? bytes : allocatedBytes(bytes)))
  return { heldBytes: held.reduce((sum, bytes) => sum + bytes, 0), passingBytes: countPassingBytes(weights) }
}

/** What is taken on top of what is held: a second copy of a weight while it is packed for the processor or cast. */
export function countPassingBytes(weights: LoadedWeight[]): number {
  const ordered = weights.filter(({ isMapped }) => !isMapped).map(({ bytes }) => bytes)
  return Math.max(0, ...ordered, allocatedBytes(countCastBytes(weights)))
}
