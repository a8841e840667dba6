import { quoteName, type TensorLocation } from '../safetensors-header.js'
import { damaged, type RawTensors } from './raw-tensors.js'
import { scale, stored } from './scales.js'

/**
 * 8-bit floats with scales for blocks, rows or whole tensors, named like the tensor and `_scale_inv` or `_scale`.
 * @param block rows and columns of the blocks that have a scale, if they have
 * @throws LayerpruneError if a tensor has no scales, or scales of another shape
 */
export function readFp8(tensors: RawTensors, block?: readonly number[]): void {
  for (const codes of tensors.ofDtypes('F8_E4M3', 'F8_E5M2')) {
    const scales = findScales(tensors, codes)
    if (scales === undefined) continue
    tensors.pack(codes.name, codes, scale(stored(codes), scales, block))
  }
}

/** Undefined if the tensor is itself a scale of another. */
function findScales(tensors: RawTensors, { name }: TensorLocation): TensorLocation | undefined {
  if (/_scale(_inv)?$/.test(name)) return undefined
  const scales = tensors.find(`${name}_scale_inv`) ?? tensors.find(`${name}_scale`)
  if (scales !== undefined) return scales
  throw damaged(
    `tensor ${quoteName(name)} is an 8-bit float without scales: expected ${quoteName(`${name}_scale_inv`)} or ${quoteName(`${name}_scale`)}`,
  )
}
