/** `.ci/nightly` sets it: these tests then take every fixture and repeat more often than in `npm test`. */
export const LONG_TESTS = process.env.LAYERPRUNE_LONG_TESTS === '1'
