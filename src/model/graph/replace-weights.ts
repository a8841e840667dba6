import { decodeFloats } from '../../files/weights/decode-floats.js'
import { encodeFloats } from '../../files/weights/encode-floats.js'
import type { Replacement } from '../../files/weights/replacement.js'
import type { DecoderGraph } from './decoder-graph.js'
import { FLOAT_DTYPES } from './onnx/element-types.js'
import { setInlineData } from './onnx/external-data.js'
import { cloneModel } from './onnx/onnx.js'
import { readStoredPart, type StoredPart } from './stored-part.js'

/** Packed weights that change are written in this type; rounding error at most 1/256. */
export const REPLACED_DTYPE = 'BF16'

/**
 * A decoder with other values in some of its weights, rounded to the types in which these are stored, packed ones to
 * bfloat16, as in a checkpoint with the same replacements.
 * @returns a new graph; the given one is not changed
 */
export function replaceWeights(decoder: DecoderGraph, replacements: ReadonlyMap<string, Replacement>): DecoderGraph {
  const model = cloneModel(decoder.model)
  for (const tensor of model.graph.initializer) {
    const { tensor: name, rows } = readStoredPart(tensor.name)
    const replacement = replacements.get(name)
    if (replacement === undefined) continue
    const isPacked = decoder.packed?.has(tensor.name) ?? false
    const dtype = isPacked ? REPLACED_DTYPE : FLOAT_DTYPES.get(tensor.dataType)!
    const stored = new Uint8Array(encodeFloats(takeRows(replacement, rows), { name, dtype }))
    const rounded = isPacked ? Uint8Array.from(bytesOf(decodeFloats(stored, REPLACED_DTYPE))) : stored
    setInlineData(tensor, rounded)
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

function bytesOf({ buffer, byteOffset, byteLength }: Float32Array): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength)
}
