/** Pseudorandom numbers, the same for the same seed on any machine and in any version. */
export interface Random {
  /** A whole number from 0 to below `count`, all equally likely. */
  below(count: number): number
}

/** The generator sfc32 of PractRand, by Chris Doty-Humphrey; the seed is a whole number from 0 to 2^53 - 1. */
export function createRandom(seed: number): Random {
  let a = seed >>> 0
  let b = Math.floor(seed / 2 ** 32)
  let c = 0x9e3779b9
  let counter = 1
  const next = () => {
    const sum = (a + b + counter++) >>> 0
    a = b ^ (b >>> 9)
    b = (c + (c << 3)) >>> 0
    c = (((c << 21) | (c >>> 11)) + sum) >>> 0
    return sum
  }
  // a seed with few bits set takes some steps to spread
  for (let i = 0; i < 16; i++) next()
  return { below: (count) => Math.floor((count * (next() * 2 ** 21 + (next() >>> 11))) / 2 ** 53) }
}

export function shuffleInPlace<T>(items: T[], random: Random): T[] {
  for (let last = items.length - 1; last > 0; last--) {
    const other = random.below(last + 1)
    const item = items[last]!
    items[last] = items[other]!
    items[other] = item
  }
  return items
}
