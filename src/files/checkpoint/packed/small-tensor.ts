import { closeSync, openSync, readSync } from 'node:fs'
import { quoteName, type TensorLocation } from '../safetensors-header.js'
import { assertShape, damaged } from './raw-tensors.js'

/** The bytes of a small tensor; throws LayerpruneError if it is larger than `mostBytes`, or its file ends before it. */
export function readSmallTensor({ name, file, offsetBytes, sizeBytes }: TensorLocation, mostBytes: number): Buffer {
  if (sizeBytes > mostBytes) {
    throw damaged(`tensor ${quoteName(name)} has ${sizeBytes} bytes, expected at most ${mostBytes}`)
  }
  const bytes = Buffer.alloc(sizeBytes)
  const handle = openSync(file, 'r')
  try {
    const readBytes = readSync(handle, bytes, 0, sizeBytes, offsetBytes)
    if (readBytes !== sizeBytes) throw damaged(`${file} is truncated in tensor ${quoteName(name)}`)
  } finally {
    closeSync(handle)
  }
  return bytes
}

/** @throws LayerpruneError if a vector of whole numbers has another length or type */
export function readWholeNumbers(tensor: TensorLocation, count: number): number[] {
  assertShape(tensor, [count])
  const { name, dtype } = tensor
  if (dtype !== 'I32' && dtype !== 'I64') throw damaged(`tensor ${quoteName(name)} is ${dtype}, expected I32 or I64`)
  const bytes = readSmallTensor(tensor, 8 * count)
  return Array.from({ length: count }, (_, index) =>
    dtype === 'I32' ? bytes.readInt32LE(4 * index) : Number(bytes.readBigInt64LE(8 * index)),
  )
}

/**
 * Checks that each input names the group that its scale and zero point are of.
 * @param groupSize  inputs of a group if they are grouped in their order; undefined in any order
 * @throws LayerpruneError if it does not
 */
export function assertGroupIndex(
  index: TensorLocation,
  { inputs, groups, groupSize }: { inputs: number; groups: number; groupSize: number | undefined },
): void {
  for (const [input, group] of readWholeNumbers(index, inputs).entries()) {
    const isRight = groupSize === undefined ? group >= 0 && group < groups : group === Math.floor(input / groupSize)
    if (isRight) continue
    const expected =
      groupSize === undefined
        ? `a group from 0 to ${groups - 1}`
        : `${Math.floor(input / groupSize)}, as desc_act is false`
    throw damaged(`tensor ${quoteName(index.name)} has ${group} for input ${input}, expected ${expected}`)
  }
}
