import type { AskedBatch } from '../../engine/sessions/gram-source.js'
import { addDistances, blockIndex, countBlocks } from '../similarity/distances.js'

/** Angular distances of all blocks at the last token of each text, from a run that compares all tokens. */
export class LastTokenDistances {
  readonly #layers: number
  readonly #sums: Float64Array
  #texts = 0

  constructor(layers: number) {
    this.#layers = layers
    this.#sums = new Float64Array(countBlocks(layers))
  }

  /** @param gram inner products of the states at all tokens, [tokens, layers + 1, layers + 1] */
  addBatch({ asked }: AskedBatch, gram: Float64Array): void {
    const size = (this.#layers + 1) ** 2
    let end = 0
    for (const tokens of asked) {
      end += tokens.length * size
      addDistances(gram.subarray(end - size, end), this.#layers, ['angular'], this.#sums)
      this.#texts++
    }
  }

  /** `distances[n][l]`, as a similarity result has them. */
  means(): Record<string, number[]> {
    return Object.fromEntries(
      Array.from({ length: this.#layers }, (_, index) => {
        const n = index + 1
        const row = Array.from(
          { length: this.#layers - index },
          (_, start) => this.#sums[blockIndex(this.#layers, n, start)]! / this.#texts,
        )
        return [n, row]
      }),
    )
  }
}
