/** A layer of a path: unchanged, or changed to replace the layers after it up to `end` too. */
export interface Piece {
  layer: number
  /** Number of the whole model's state that comes after it. */
  end: number
}

/** Numbers the pieces of a model, as paths name them: layers by their own numbers, changed layers after those. */
export class PieceNumbers {
  readonly #pieces: Piece[]
  readonly #changed = new Map<string, number>()

  constructor(layers: number) {
    this.#pieces = Array.from({ length: layers }, (_, layer) => ({ layer, end: layer + 1 }))
  }

  /** The same number each time for `layer`, changed to do what the layers up to `end` did too. */
  ofChanged({ layer, end }: Piece): number {
    const key = `${layer}:${end}`
    const known = this.#changed.get(key)
    if (known !== undefined) return known
    const number = this.#pieces.push({ layer, end }) - 1
    this.#changed.set(key, number)
    return number
  }

  at(number: number): Piece {
    return this.#pieces[number]!
  }
}
