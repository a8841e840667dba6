/** Whole numbers below a bound, the same ones for a seed and the number of a case (xorshift). */
export function makeRandom(seed, number = 0) {
  let state = (Math.imul(seed | 0, 0x9e3779b1) ^ Math.imul((number | 0) + 1, 0x85ebca6b)) | 0 || 1
  const next = () => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return state >>> 0
  }
  for (let i = 0; i < 8; i++) next()
  return (bound) => next() % bound
}

export const pick = (list, random) => list[random(list.length)]
