import type { Tensor } from 'onnxruntime-node'
import type { DecoderGraph } from '../../model/graph/decoder-graph.js'
import { DataType, dimensions, elementType } from '../../model/graph/onnx/onnx.js'
import { createSession, type SessionOptions } from './session.js'
import type { Session } from './session-process.js'

type Ort = typeof import('onnxruntime-node')

/** Runs a decoder that was built to continue texts: each run reads only the tokens that are new. */
export class ContinuedSession {
  readonly #ort: Ort
  readonly #session: Session
  readonly #caches: Record<string, Tensor> = {}
  /** 1 for each token so far and 0 for padding, of each text. */
  readonly #masks: number[][]

  private constructor(ort: Ort, session: Session, { model }: DecoderGraph, batch: number) {
    this.#ort = ort
    this.#session = session
    this.#masks = Array.from({ length: batch }, () => [])
    for (const input of model.graph.input.filter(({ name }) => name.startsWith('past'))) {
      const shape = dimensions(input).map((size, axis) => (axis === 0 ? batch : typeof size === 'string' ? 0 : size))
      const count = shape.reduce((product, size) => product * size, 1)
      this.#caches[input.name] =
        elementType(input) === DataType.FLOAT16
          ? new ort.Tensor('float16', new Uint16Array(count), shape)
          : new ort.Tensor('float32', new Float32Array(count), shape)
    }
  }

  /**
   * @param batch number of texts
   * @throws LayerpruneError as `createSession`
   */
  static async open(decoder: DecoderGraph, batch: number, options: SessionOptions): Promise<ContinuedSession> {
    const ort = await import('onnxruntime-node')
    return new ContinuedSession(ort, await createSession(ort, decoder, options), decoder, batch)
  }

  /**
   * Reads the next tokens of each text; those of shorter ones are padded on the left.
   * @param kept  of how many of the last tokens, padding included, logits are returned; 0 for all
   * @returns float32 logits [kept, vocabulary] of each text
   */
  async read(texts: number[][], kept = 1): Promise<Float32Array[]> {
    const tokens = Math.max(...texts.map(({ length }) => length))
    const pad = (values: number[]) => [...Array.from({ length: tokens - values.length }, () => 0), ...values]
    for (const [text, ids] of texts.entries()) this.#masks[text]!.push(...pad(ids.map(() => 1)))
    const outputs = await this.#session.run({
      input_ids: this.#integers(texts.map(pad)),
      attention_mask: this.#integers(this.#masks),
      num_logits_to_keep: new this.#ort.Tensor('int64', [BigInt(kept)], []),
      ...this.#caches,
    })
    for (const [name, tensor] of Object.entries(outputs)) {
      if (name === 'logits') continue
      const past = name.replace(/^present\b/, 'past_key_values').replace(/^present_/, 'past_')
      this.#caches[past]!.dispose()
      this.#caches[past] = tensor
    }
    const size = outputs.logits!.dims.slice(1).reduce((product, length) => product * length, 1)
    const data = outputs.logits!.data as Float32Array
    return texts.map((_, text) => data.subarray(text * size, (text + 1) * size))
  }

  async close(): Promise<void> {
    for (const tensor of Object.values(this.#caches)) tensor.dispose()
    await this.#session.release()
  }

  #integers(rows: number[][]): Tensor {
    return new this.#ort.Tensor('int64', BigInt64Array.from(rows.flat(), BigInt), [rows.length, rows[0]!.length])
  }
}
