const STATE_SIZE = 624
const SHIFT = 397
/** Lists of at most this many items are copied to draw from, whatever the number drawn. */
const SMALL_SIZE = 21

/** Python's `random.Random`: the Mersenne Twister MT19937 (Matsumoto and Nishimura 1998), with its samples by seed. */
export class PythonRandom {
  readonly #state = new Uint32Array(STATE_SIZE)
  #position = STATE_SIZE

  /** @param seed whole number from 0 to 2^32 - 1 */
  constructor(seed: number) {
    this.#seedWithKey([seed])
  }

  /** A whole number from 0 to below `count`, which is at least 1 and at most 2^31. */
  below(count: number): number {
    const bits = 32 - Math.clz32(count)
    while (true) {
      const number = this.#nextWord() >>> (32 - bits)
      if (number < count) return number
    }
  }

  /** As many items at different places of a list, in the order drawn: `random.sample`. Throws if there are fewer. */
  sample<T>(items: readonly T[], count: number): T[] {
    if (count > items.length) throw new RangeError(`cannot draw ${count} of ${items.length} items`)
    const copies = count > 5 ? SMALL_SIZE + 4 ** Math.ceil(Math.log(count * 3) / Math.log(4)) : SMALL_SIZE
    return items.length <= copies ? this.#drawFromCopy(items, count) : this.#drawPlaces(items, count)
  }

  #drawFromCopy<T>(items: readonly T[], count: number): T[] {
    const pool = [...items]
    return Array.from({ length: count }, (_, drawn) => {
      const place = this.below(items.length - drawn)
      const item = pool[place]!
      pool[place] = pool[items.length - drawn - 1]!
      return item
    })
  }

  #drawPlaces<T>(items: readonly T[], count: number): T[] {
    const places = new Set<number>()
    while (places.size < count) places.add(this.below(items.length))
    return [...places].map((place) => items[place]!)
  }

  #seedWithKey(key: number[]): void {
    const state = this.#state
    state[0] = 19650218
    for (let i = 1; i < STATE_SIZE; i++) state[i] = mix(state[i - 1]!, 1812433253) + i
    let [i, j] = [1, 0]
    for (let step = Math.max(STATE_SIZE, key.length); step > 0; step--) {
      state[i] = (state[i]! ^ mix(state[i - 1]!, 1664525)) + key[j]! + j
      i = this.#nextPlace(i)
      j = (j + 1) % key.length
    }
    for (let step = STATE_SIZE - 1; step > 0; step--) {
      state[i] = (state[i]! ^ mix(state[i - 1]!, 1566083941)) - i
      i = this.#nextPlace(i)
    }
    state[0] = 0x80000000
  }

  #nextPlace(place: number): number {
    if (place + 1 < STATE_SIZE) return place + 1
    this.#state[0] = this.#state[STATE_SIZE - 1]!
    return 1
  }

  #nextWord(): number {
    if (this.#position === STATE_SIZE) this.#twist()
    let word = this.#state[this.#position++]!
    word ^= word >>> 11
    word ^= (word << 7) & 0x9d2c5680
    word ^= (word << 15) & 0xefc60000
    return (word ^ (word >>> 18)) >>> 0
  }

  #twist(): void {
    const state = this.#state
    for (let i = 0; i < STATE_SIZE; i++) {
      const word = (state[i]! & 0x80000000) | (state[(i + 1) % STATE_SIZE]! & 0x7fffffff)
      state[i] = state[(i + SHIFT) % STATE_SIZE]! ^ (word >>> 1) ^ (word & 1 ? 0x9908b0df : 0)
    }
    this.#position = 0
  }
}

/** Spreads the high bits of a word over the low ones and multiplies, modulo 2^32. */
function mix(word: number, factor: number): number {
  return Math.imul(word ^ (word >>> 30), factor)
}
