import { encodeFloats } from '../weights/encode-floats.js'
import type { Replacement } from '../weights/replacement.js'
import type { DecoderGraph } from './decoder-graph.js'
import { FLOAT_DTYPES } from './element-types.js'
import { setInlineData } from './external-data.js'
import { cloneModel } from './onnx.js'

/**
 * A decoder with other values in some of its weights, rounded to the types in which these are stored, as in a
 * checkpoint with the same replacements.
 * @returns a new graph; the given one is not changed
 */
export function replaceWeights(
  decoder: DecoderGraph,
  replacements: ReadonlyMap<string, Replacement>,
): DecoderGraph {
  const model = cloneModel(decoder.model)
  for (const tensor of model.graph.initializer) {
    const replacement = replacements.get(tensor.name)
    if (replacement === undefined) continue
    const dtype = FLOAT_DTYPES.get(tensor.dataType)!
    setInlineData(tensor, new Uint8Array(encodeFloats(replacement.data, { name: tensor.name, dtype })))
    tensor.floatData = []
    tensor.int32Data = []
  }
  return { ...decoder, model }
}
