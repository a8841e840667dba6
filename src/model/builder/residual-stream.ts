import type { Norm } from '../families/describe/description.js'
import type { DecoderWriter } from './decoder-writer.js'
import { writeNorm, writeSumAndNorm } from './norm.js'

/** The residual stream. Its last addition is deferred until the next norm, so that one node does both. */
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

  /** Returns the normed stream, or the stream if there is no norm; the stream itself does not change. */
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

  /** Continues with a stream derived from this one. */
  set(stream: string): void {
    this.#sum = stream
    this.#pending = null
  }

  /** Multiplies the stream itself by a factor. */
  scale(factor: string): void {
    this.#sum = this.#writer.op('Mul', [this.value(), factor])
  }
}
