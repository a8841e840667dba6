import type { WeightExpression } from '../../files/checkpoint/weight-expression.js'
import { dimensions, type ModelProto } from './onnx/onnx.js'

/**
 * A decoder as an ONNX graph that knows its residual stream. The weights stay in their files: initializers
 * point at them by a path relative to `weightsFolder`.
 */
export interface DecoderGraph {
  model: ModelProto
  /** Real path of the folder that every external data location is relative to. */
  weightsFolder: string
  /** Names of state 0..layers: state k enters layer k, the last is before the final norm. */
  states: string[]
  /**
   * Weights that are not stored as plain numbers, by the names of their initializers: float32, external, without a
   * place. They are computed in each run, by nodes that are written when a session is made.
   */
  packed?: ReadonlyMap<string, WeightExpression>
  /** Whether 16-bit matrices stay so in memory and are cast to float32 in each run; otherwise once, when they are loaded. */
  castsPerRun?: boolean
  /**
   * Whether matrices stay mapped from their files, with products that give the numbers of packed ones to the last bit;
   * otherwise ONNX Runtime packs a float32 copy when they are loaded.
   */
  mapsMatrices?: boolean
  /** Whether its matrices are int8, or to be made so first: until then it cannot run. */
  int8?: 'awaited' | 'made'
  /** Tokens of the longest text for which the model's sparse attention equals full attention. */
  indexTopK?: number | null
}

/** Numbers in a row of a decoder's logits, a name if the graph does not say how many; undefined if it has none. */
export function findLogitSize({ model }: Pick<DecoderGraph, 'model'>): number | string | undefined {
  const logits = model.graph.output.find(({ name }) => name === 'logits')
  return logits && dimensions(logits).at(-1)
}
