const MAX_STEPS = 500
const PRECISION = 1e-15
const TINY = 1e-300

/**
 * P(T >= t) of Student's t distribution: half the regularised incomplete beta function
 * I_x(df / 2, 1 / 2) at x = df / (df + t^2) for t >= 0 (Abramowitz & Stegun 26.7.1).
 * @param degreesOfFreedom  at least 1
 */
export function upperTail(t: number, degreesOfFreedom: number): number {
  if (t < 0) return 1 - upperTail(-t, degreesOfFreedom)
  const square = t * t
  const total = degreesOfFreedom + square
  return regularizedBeta(degreesOfFreedom / total, square / total, degreesOfFreedom / 2, 0.5) / 2
}

/** The t that T exceeds with a probability above 0 and at most 0.5, to 12 digits. */
export function upperQuantile(probability: number, degreesOfFreedom: number): number {
  let [low, high] = [0, 1]
  while (upperTail(high, degreesOfFreedom) > probability) high *= 2
  while (high - low > 1e-12 * high) {
    const middle = (low + high) / 2
    if (upperTail(middle, degreesOfFreedom) > probability) low = middle
    else high = middle
  }
  return high
}

/** I_x(a, b), with y = 1 - x given apart so that neither loses digits. */
function regularizedBeta(x: number, y: number, a: number, b: number): number {
  if (x === 0 || y === 0) return x === 0 ? 0 : 1
  const logFront = logGamma(a + b) - logGamma(a) - logGamma(b) + a * Math.log(x) + b * Math.log(y)
  const front = Math.exp(logFront)
  return x < (a + 1) / (a + b + 2) ? (front * betaFraction(x, a, b)) / a : 1 - (front * betaFraction(y, b, a)) / b
}

/** The continued fraction of the incomplete beta function (Abramowitz & Stegun 26.5.8), by Lentz's method. */
function betaFraction(x: number, a: number, b: number): number {
  const awayFromZero = (value: number) => (Math.abs(value) < TINY ? TINY : value)
  let c = 1
  let d = 1 / awayFromZero(1 - ((a + b) * x) / (a + 1))
  let fraction = d
  for (let m = 1; m <= MAX_STEPS; m++) {
    const even = (m * (b - m) * x) / ((a + 2 * m - 1) * (a + 2 * m))
    const odd = (-(a + m) * (a + b + m) * x) / ((a + 2 * m) * (a + 2 * m + 1))
    let step = 1
    for (const coefficient of [even, odd]) {
      d = 1 / awayFromZero(1 + coefficient * d)
      c = awayFromZero(1 + coefficient / c)
      step = c * d
      fraction *= step
    }
    if (Math.abs(step - 1) < PRECISION) break
  }
  return fraction
}

/** Logarithm of the gamma function for x > 0: Stirling's series (Abramowitz & Stegun 6.1.41) above 10. */
function logGamma(x: number): number {
  let factor = 1
  let z = x
  for (; z < 10; z++) factor *= z
  const inverse = 1 / z
  const square = inverse * inverse
  const series = inverse * (1 / 12 - square * (1 / 360 - square * (1 / 1260 - square * (1 / 1680 - square / 1188))))
  return (z - 0.5) * Math.log(z) - z + Math.log(2 * Math.PI) / 2 + series - Math.log(factor)
}
