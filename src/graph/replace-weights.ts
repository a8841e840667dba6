import { encodeFloats } from '../weights/encode-floats.js'
import type { Replacement } from '../weights/replacement.js'
import type { DecoderGraph } from './decoder-graph.js'
import { FLOAT_DTYPES } from './element-types.js'
import { setInlineData } from './external-data.js'
import { cloneModel } from './onnx.js'
import { readStoredPart, type StoredPart } from './stored-part.js'

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
    const { tensor: name, rows } = readStoredPart(tensor.name)
    const replacement = replacements.get(name)
    if (replacement === undefined) continue
    const dtype = FLOAT_DTYPES.get(tensor.dataType)!
    const values = takeRows(replacement, rows)
    setInlineData(tensor, new Uint8Array(encodeFloats(values, { name, dtype })))
    tensor.floatData = []
    tensor.int32Data = []
  }
  return { ...decoder, model }
}

function takeRows({ shape, data }: Replacement, rows: StoredPart['rows']): Float32Array {
  if (rows === undefined) return data
  const width = shape.length > 1 ? shape.at(-1)! : 1
  return data.subarray(rows[0] * width, rows[1] * width)
}
