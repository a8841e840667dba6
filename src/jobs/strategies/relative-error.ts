import type { State } from '../../engine/sessions/decoder-pieces.js'
import { decodeFloats } from '../../files/weights/decode-floats.js'
import type { EncodedText } from '../../texts/tokens/windows.js'

/** Mean over unpadded tokens of |state - reference|^2 / |reference|^2: layers normalize, so errors count relatively. */
export function relativeError(state: State, reference: State, texts: EncodedText[]): number {
  const [, tokens, hidden] = reference.dims as [number, number, number]
  const [actual, expected] = [state, reference].map(valuesOf) as [Float32Array, Float32Array]
  let sum = 0
  let count = 0
  for (const [text, { ids }] of texts.entries()) {
    for (let token = 0; token < ids.length; token++) {
      const start = (text * tokens + token) * hidden
      let error = 0
      let size = 0
      for (let at = start; at < start + hidden; at++) {
        error += (actual[at]! - expected[at]!) ** 2
        size += expected[at]! ** 2
      }
      sum += error / size
    }
    count += ids.length
  }
  return sum / count
}

function valuesOf({ type, data }: State): Float32Array {
  if (type === 'float32') return data as Float32Array
  const { buffer, byteOffset, byteLength } = data
  return decodeFloats(new Uint8Array(buffer as ArrayBuffer, byteOffset, byteLength), 'F16')
}
