import type { WrittenType } from './convert-chunk.js'
import type { PlacedTensor } from './placed-tensor.js'

/** Matrices that llama.cpp computes with in float32. */
const ALWAYS_FLOAT32 =
  /^(position_embd|token_types|blk\.\d+\.(ffn_gate_inp|ffn_gate_inp_shexp|shortconv\.conv))\.weight$/

/** The type that a tensor is written in: vectors, norms, biases and routers are float32, as in all of llama.cpp's files. */
export function chooseType({ name, shape }: PlacedTensor, dtype: WrittenType): WrittenType {
  const isSmall = shape.length <= 1 || name.endsWith('_norm.weight') || !name.endsWith('.weight')
  return isSmall || ALWAYS_FLOAT32.test(name) ? 'F32' : dtype
}
