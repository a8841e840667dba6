import type { Rope, TemperatureScaling } from '../families/describe/description.js'
import { writeContinuedBias } from './cached-attention.js'
import { type Spans, writeSpans } from './causal-attention.js'
import type { DecoderWriter } from './decoder-writer.js'
import { type TextLengths, writeTextLengths } from './fused-attention.js'
import type { QueryKeyValue } from './projections.js'
import { type RopeTables, type TokenShape, writeRopeTables, writeTemperatureScaling } from './rope.js'
import type { SpanForm } from './span-bias.js'

type KeysAndValues = Pick<QueryKeyValue, 'key' | 'value'>

/** Tensors that layers share; each is written once, when the first layer needs it. */
export class SharedInputs {
  readonly shape: TokenShape
  /** State 0. */
  readonly embedded: string
  readonly #writer: DecoderWriter
  readonly #tables = new Map<string, RopeTables>()
  readonly #spans = new Map<string, Spans>()
  readonly #biases = new Map<string, string>()
  readonly #temperatures = new Map<string, string>()
  #lengths: TextLengths | undefined
  readonly #keysAndValues = new Map<string, KeysAndValues>()

  constructor(writer: DecoderWriter, shape: TokenShape, embedded: string) {
    this.#writer = writer
    this.embedded = embedded
    this.shape = shape
  }

  /** The tables of a rope. */
  tables(rope: Rope): RopeTables {
    return once(this.#tables, rope, () => writeRopeTables(this.#writer, rope, this.shape))
  }

  /** Keeps a layer's keys and values for later layers; replaces earlier ones of the same kind. */
  keep(kind: string, { key, value }: KeysAndValues): void {
    this.#keysAndValues.set(kind, { key, value })
  }

  /** Keys and values of the last producer of this kind. */
  keysAndValues(kind: string): KeysAndValues {
    return this.#keysAndValues.get(kind)!
  }

  /** Factors on the queries: float32 [tokens, 1], or [batch, tokens, 1] if texts are prefix trees or continued. */
  temperature(scaling: TemperatureScaling): string {
    return once(this.#temperatures, scaling, () => writeTemperatureScaling(this.#writer, scaling, this.shape))
  }

  /** The lengths of the texts of a batch. */
  lengths(): TextLengths {
    this.#lengths ??= writeTextLengths(this.#writer, this.shape)
    return this.#lengths
  }

  /** The bias of `writeContinuedBias` for a layer's window, chunks or ALiBi. */
  continuedBias({ heads, kvHeads, window, chunk, alibi }: SpanForm): string {
    const form = { heads, kvHeads, window, chunk, alibi }
    return once(this.#biases, form, () => writeContinuedBias(this.#writer, this.shape.continued!, form))
  }

  /** Spans of queries for a layer's window or chunks. */
  spans({ heads, kvHeads, window, chunk, alibi }: SpanForm): Spans {
    const form = { heads, kvHeads, window, chunk, alibi }
    return once(this.#spans, form, () => writeSpans(this.#writer, this.shape, form))
  }
}

function once<V>(known: Map<string, V>, form: object, write: () => V): V {
  const key = JSON.stringify(form)
  const value = known.get(key) ?? write()
  known.set(key, value)
  return value
}
