import { open } from 'node:fs/promises'
import { LayerpruneError } from '../../base/errors.js'
import { readFully } from '../checkpoint/read-fully.js'
import type { TensorLocation } from '../checkpoint/safetensors.js'
import { decodeFloats } from './decode-floats.js'

/**
 * The numbers of a tensor of a checkpoint, in row-major order.
 * @throws LayerpruneError if its file cannot be read, or it does not hold floating-point numbers
 */
export async function readTensor({
  name,
  dtype,
  file,
  offsetBytes,
  sizeBytes,
}: TensorLocation): Promise<Float32Array> {
  if (dtype !== 'F32' && dtype !== 'F16' && dtype !== 'BF16') {
    throw new LayerpruneError(`tensor ${name} is stored as ${dtype}, expected F32, F16 or BF16`)
  }
  const bytes = new Uint8Array(sizeBytes)
  const handle = await open(file).catch((cause: Error) => {
    throw new LayerpruneError(`cannot read ${file}: ${cause.message}`, { cause })
  })
  try {
    await readFully(handle, file, bytes, offsetBytes)
  } finally {
    await handle.close()
  }
  return decodeFloats(bytes, dtype)
}
