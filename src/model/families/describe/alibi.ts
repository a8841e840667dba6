/** Slopes of a geometric series; unless heads are a power of two, the next series fills the rest (ALiBi's appendix). */
export function makeAlibiSlopes(heads: number): number[] {
  const power = 2 ** Math.floor(Math.log2(heads))
  const slope = (index: number, count: number) => 2 ** ((-8 * index) / count)
  const first = Array.from({ length: power }, (_, index) => slope(index + 1, power))
  const rest = Array.from({ length: heads - power }, (_, index) => slope(2 * index + 1, 2 * power))
  return [...first, ...rest]
}
