/** Fewest texts that a run stops after: with fewer, a difference far from normal could look certain. */
export const MIN_TEXTS = 16

/** Spread of the mixture over the size of an effect, mean / standard deviation: sharpest near this size. */
const EFFECT_SPREAD = 0.5

/**
 * Bound on P(Student's t is ever this large), however often and whenever one looks, if the mean of the
 * differences is zero or less: 1 / e, with e the likelihood ratio of effects spread as the upper half of
 * N(0, 0.5^2) against none. It depends on the t statistics only, whose ratio is a martingale for normal
 * differences of any variance, so Ville's inequality holds at every stopping time (mixture sequential t-test:
 * Lai 1976, Annals of Statistics 4; Wang & Ramdas 2023, arXiv 2310.03722).
 *
 * The whole N(0, s^2) has a closed form and is the average of its halves; for t > 0 the lower half's ratio is at
 * most 1, so the upper half's is at least twice the whole's less 1. A smaller mean shifts every t down.
 * @param t      mean / standard error over `texts`
 */
export function anytimeTail(t: number, texts: number): number {
  if (!(t > 0)) return 1
  const degrees = texts - 1
  const growth = 1 + texts * EFFECT_SPREAD ** 2
  const square = (t * t) / degrees
  const logRatio = (texts / 2) * (Math.log1p(square) - Math.log1p(square / growth)) - Math.log(growth) / 2
  return 1 / Math.max(1, 2 * Math.exp(logRatio) - 1)
}
