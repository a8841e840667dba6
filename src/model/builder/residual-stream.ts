import type { Norm } from '../families/describe/description.js'
import type { DecoderWriter } from './decoder-writer.js'
import { writeNorm, writeSumAndNorm } from './norm.js'

/** The residual stream. Its last addition waits for the norm that follows, so that one node does both. */
export class ResidualStream {
  readonly #writer: DecoderWriter
  #sum: string
  #pending: string | null = null

  constructor(writer: DecoderWriter, start: string) {
    this.#writer = writer
    this.#sum = start
  }

  add(branch: string): void {
    this.#sum = this.value()
    this.#pending = branch
  }

  value(): string {
    if (this.#pending !== null) {
      this.#sum = this.#writer.op('Add', [this.#sum, this.#pending])
      this.#pending = null
    }
    return this.#sum
  }

  /** The normed stream, which itself does not change; without a norm, the stream. */
  norm(norm: Norm | null): string {
    if (norm === null) return this.value()
    if (this.#pending === null) return writeNorm(this.#writer, norm, this.#sum)
    const [normed, sum] = writeSumAndNorm(this.#writer, norm, this.#sum, this.#pending)
    this.#sum = sum
    this.#pending = null
    return normed
  }

  /** Norms the stream itself. */
  replace(norm: Norm | null): void {
    if (norm !== null) this.#sum = this.norm(norm)
  }

  /** Goes on with another stream, made of this one. */
  set(stream: string): void {
    this.#sum = stream
    this.#pending = null
  }

  /** Multiplies the stream itself by a factor. */
  scale(factor: string): void {
    this.#sum = this.#writer.op('Mul', [this.value(), factor])
  }
}
