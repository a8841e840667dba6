import { quoteName, type TensorLocation } from '../safetensors-header.js'
import type { WeightExpression } from '../weight-expression.js'
import { assertShape, type RawTensors, refused } from './raw-tensors.js'
import { combineBlocks, findGroupSize, stored } from './scales.js'

type Section = Record<string, unknown>

/** For every 8 outputs, the index of each in the 8 integers of a word. */
const ORDER = [0, 4, 1, 5, 2, 6, 3, 7]

/**
 * The weights of an AWQ checkpoint: 4-bit words along the outputs, with scales and zero points for groups of inputs.
 * @throws LayerpruneError if the checkpoint is of another layout, or tensors do not fit each other
 */
export function readAwq(raw: RawTensors, { bits = 4, version = 'gemm' }: Section): string {
  if (bits !== 4) throw refused(`AWQ with ${quoteName(String(bits))} bits`)
  if (String(version).toLowerCase() !== 'gemm') throw refused(`version of AWQ is ${quoteName(String(version))}`)
  for (const { tensor, module } of raw.endingIn('.qweight')) {
    const of = readMatrix(raw, module, tensor)
    const [inputs, outputs] = of.shape as [number, number]
    raw.pack(`${module}.weight`, tensor, { kind: 'transposed', shape: [outputs, inputs], of })
  }
  return 'awq 4-bit'
}

/** The matrix as it is stored, [inputs, outputs]. */
function readMatrix(raw: RawTensors, module: string, packed: TensorLocation): WeightExpression {
  const scales = raw.get(`${module}.scales`, 'F16', 'BF16', 'F32')
  const zeros = raw.get(`${module}.qzeros`, 'I32')
  const [groups, outputs] = scales.shape as [number, number]
  const inputs = packed.shape[0]!
  assertShape(packed, [inputs, outputs / 8])
  assertShape(zeros, [groups, outputs / 8])
  const block = [findGroupSize(scales, inputs), 1]
  const integers = (part: TensorLocation, rows: number): WeightExpression => ({
    kind: 'integers',
    shape: [rows, outputs],
    part,
    bits: 4,
    order: ORDER,
  })
  const shifted = combineBlocks('Sub', integers(packed, inputs), integers(zeros, groups), block)
  return combineBlocks('Mul', shifted, stored(scales), block)
}
