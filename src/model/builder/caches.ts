import type { GraphWriter } from '../graph/onnx/graph-writer.js'
import { BATCH, DataType, makeNode, makeValueInfo, type ValueInfoProto } from '../graph/onnx/onnx.js'

/** Names of the dimensions that a graph with caches has besides those of its tokens. */
const PAST = 'past_sequence_length'
export const TOTAL = 'total_sequence_length'

/** The kind of a state that does not grow with the text. */
export type StateKind = 'conv' | 'ssm' | 'recurrent'

/**
 * What a run returns and the next run reads, layer by layer, under the names that transformers.js 4 knows:
 * `past_key_values.N.key` and `present.N.key`, `past_conv.N` and `present_conv.N`, and so on.
 */
export class Caches {
  readonly inputs: ValueInfoProto[] = []
  readonly outputs: ValueInfoProto[] = []
  readonly #writer: GraphWriter
  #layer = 0

  constructor(writer: GraphWriter) {
    this.#writer = writer
  }

  /** The caches that follow belong to this layer. */
  enterLayer(layer: number): void {
    this.#layer = layer
  }

  /**
   * Adds the keys or values of the new tokens to those of earlier ones.
   * @param added [batch, heads, tokens, size]
   * @returns [batch, heads, earlier and new tokens, size]
   */
  extend(part: 'key' | 'value', added: string, [heads, size]: [heads: number, size: number]): string {
    const name = `${this.#layer}.${part}`
    const past = this.#input(`past_key_values.${name}`, [BATCH, heads, PAST, size])
    const all = this.#writer.op('Concat', [past, added], { axis: 2 })
    this.#output(`present.${name}`, all, [BATCH, heads, TOTAL, size])
    return all
  }

  /**
   * A state that each run replaces; it is zero before the first token.
   * @param shape without the batch
   * @param write writes the nodes that read the state, and returns what they output and the new state
   */
  replace(kind: StateKind, shape: number[], write: (past: string) => [output: string, present: string]): string {
    const name = `${kind}.${this.#layer}`
    const [output, present] = write(this.#input(`past_${name}`, [BATCH, ...shape]))
    this.#output(`present_${name}`, present, [BATCH, ...shape])
    return output
  }

  #input(name: string, shape: (number | string)[]): string {
    this.inputs.push(makeValueInfo(name, DataType.FLOAT, shape))
    return name
  }

  #output(name: string, tensor: string, shape: (number | string)[]): void {
    this.#writer.nodes.push(makeNode('Identity', [tensor], [name]))
    this.outputs.push(makeValueInfo(name, DataType.FLOAT, shape))
  }
}

/** A batch whose texts continue earlier runs; texts are padded on the left, as transformers pads for generation. */
export interface ContinuedTexts {
  caches: Caches
  /** int64 scalars: tokens of earlier runs, and of earlier and this run. */
  past: string
  total: string
  /** int64 [batch, total]: each token's position in its text, 0 for padding. */
  allPositions: string
  /** int64 [batch, tokens]: those of the tokens of this run. */
  positions: string
  /** bool [batch, total] */
  arePadding: string
  /** float32 [batch, tokens, 1]: 1 for a token, 0 for padding. */
  areTokens: string
}

/** Writes what `ContinuedTexts` holds, from `attention_mask` [batch, total] and the number of new tokens. */
export function writeContinuedTexts(
  writer: GraphWriter,
  { attentionMask, tokens }: { attentionMask: string; tokens: string },
): ContinuedTexts {
  const scalar = (value: number) => writer.integers([value], [])
  const list = (value: string) => writer.op('Unsqueeze', [value, writer.integers([0])])
  const total = writer.op('Gather', [writer.op('Shape', [attentionMask]), scalar(1)])
  const past = writer.op('Sub', [total, tokens])
  const counted = writer.op('CumSum', [attentionMask, scalar(1)])
  const allPositions = writer.op('Max', [writer.op('Sub', [counted, scalar(1)]), scalar(0)])
  const ofThisRun = (tensor: string) => writer.op('Slice', [tensor, list(past), list(total), writer.integers([1])])
  const mask = writer.op('Unsqueeze', [ofThisRun(attentionMask), writer.integers([2])])
  return {
    caches: new Caches(writer),
    past,
    total,
    allPositions,
    positions: ofThisRun(allPositions),
    arePadding: writer.op('Equal', [attentionMask, scalar(0)]),
    areTokens: writer.op('Cast', [mask], { to: DataType.FLOAT }),
  }
}

/** Makes a tensor [batch, tokens, ...] zero at padding; without caches padding follows the text and does no harm. */
export function clearPadding(writer: GraphWriter, continued: ContinuedTexts | null, tensor: string): string {
  return continued === null ? tensor : writer.op('Mul', [tensor, continued.areTokens])
}
