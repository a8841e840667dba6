import { readFp8 } from './fp8.js'
import { readNvfp4 } from './nvfp4.js'
import type { RawTensors } from './raw-tensors.js'

/** Blocks that share a scale, if those are neither of rows nor of all. */
const BLOCK = [128, 128]

/**
 * The weights of a checkpoint that NVIDIA's ModelOpt wrote: FP8 and NVFP4, as the tensors themselves show.
 * @throws LayerpruneError if tensors do not fit each other
 */
export function readModelOpt(raw: RawTensors): string {
  const packed = raw.endingIn('.weight_scale_2')
  for (const { module } of packed) readNvfp4(raw, module, raw.get(`${module}.weight`, 'U8'))
  readFp8(raw, BLOCK)
  return packed.length > 0 ? 'nvfp4' : 'fp8'
}
