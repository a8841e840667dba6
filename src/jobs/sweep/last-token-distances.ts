import type { AskedBatch } from '../../engine/sessions/gram-source.js'
import { addDistances, blockIndex, countBlocks } from '../similarity/distances.js'

/** Sums of distances over texts. */
export interface SavedDistances {
  texts: number
  sums: number[]
}

/** Angular distances of all blocks at the last token of each text, from a run that compares all tokens. */
export class LastTokenDistances {
  readonly #layers: number
  readonly #sums: Float64Array
  #texts: number

  /** @param saved  of a run that is resumed */
  constructor(layers: number, saved?: SavedDistances) {
    this.#layers = layers
    this.#sums = saved ? Float64Array.from(saved.sums) : new Float64Array(countBlocks(layers))
    this.#texts = saved?.texts ?? 0
  }

  save(): SavedDistances {
    return { texts: this.#texts, sums: [...this.#sums] }
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
