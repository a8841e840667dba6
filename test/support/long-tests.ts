/** `.ci/nightly` sets it: these tests then take every fixture and repeat more often than in `npm test`. */
export const LONG_TESTS = process.env.LAYERPRUNE_LONG_TESTS === '1'

/** One in so many of some cases, spread over all of them; in the long form all. */
export function sample<T>(cases: readonly T[], every: number): T[] {
  return LONG_TESTS ? [...cases] : cases.filter((_, index) => index % every === 0)
}
