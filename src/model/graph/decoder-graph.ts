import type { WeightExpression } from '../../files/checkpoint/weight-expression.js'
import { dimensions, type ModelProto } from './onnx/onnx.js'

/**
 * A decoder as an ONNX graph with a known residual stream. The weights stay in their files: initializers refer to them
 * by a path relative to `weightsFolder`.
 */
export interface DecoderGraph {
  model: ModelProto
  /** Real path of the folder that every external data location is relative to. */
  weightsFolder: string
  /** Names of state 0..layers: state k enters layer k, the last is before the final norm. */
  states: string[]
  /**
   * Packed weights, by the names of their initializers, which are float32 and external without a location. Nodes that
   * decode them in each run are added when a session is created.
   */
  packed?: ReadonlyMap<string, WeightExpression>
  /** Whether 16-bit matrices are cast to float32 in each run instead of once, when they are loaded. */
  castsPerRun?: boolean
  /**
   * Whether matrices stay memory-mapped, with products that equal those of packed matrices bit for bit; otherwise ONNX
   * Runtime packs a float32 copy when they are loaded.
   */
  mapsMatrices?: boolean
  /** Whether its matrices are int8, or must be quantized before it can run. */
  int8?: 'awaited' | 'made'
  /** Tokens after which a text has other rotary frequencies, so that keys of earlier runs are no longer its own. */
  switchesAfter?: number
  /** Tokens of the longest text for which the model's sparse attention equals full attention. */
  indexTopK?: number | null
}

/** Last dimension of a decoder's logits, a name if it is symbolic; undefined if the graph has no logits. */
export function findLogitSize({ model }: Pick<DecoderGraph, 'model'>): number | string | undefined {
  const logits = model.graph.output.find(({ name }) => name === 'logits')
  return logits && dimensions(logits).at(-1)
}
