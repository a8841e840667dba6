import { LayerpruneError } from '../../base/errors.js'
import { readPart } from '../checkpoint/read-fully.js'
import type { TensorLocation } from '../checkpoint/safetensors.js'
import { decodeFloats } from './decode-floats.js'

/**
 * The numbers of a tensor of a checkpoint, in row-major order.
 * @throws LayerpruneError if its file cannot be read, or it does not hold floating-point numbers
 */
export async function readTensor(tensor: TensorLocation): Promise<Float32Array> {
  const { name, dtype } = tensor
  if (dtype !== 'F32' && dtype !== 'F16' && dtype !== 'BF16') {
    throw new LayerpruneError(`tensor ${name} is stored as ${dtype}, expected F32, F16 or BF16`)
  }
  return decodeFloats(await readPart(tensor), dtype)
}
