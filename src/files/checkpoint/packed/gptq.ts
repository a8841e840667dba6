import { quoteName, type TensorLocation } from '../safetensors-header.js'
import type { WeightExpression } from '../weight-expression.js'
import { assertShape, type RawTensors, refused } from './raw-tensors.js'
import { combineBlocks, findGroupSize, stored } from './scales.js'
import { assertGroupIndex } from './small-tensor.js'

type Section = Record<string, unknown>

/**
 * The weights of a GPTQ checkpoint (AutoGPTQ, GPTQModel): integers of 4 or 8 bits in words along the inputs, with
 * scales and zero points for groups of inputs, which are in order or named input by input.
 * @throws LayerpruneError if the checkpoint is of another layout, or tensors do not fit each other
 */
export function readGptq(raw: RawTensors, settings: Section): string {
  const { checkpoint_format: layout = 'gptq', desc_act: isReordered = true } = settings
  if (layout !== 'gptq' && layout !== 'gptq_v2') {
    throw refused(`checkpoint_format of GPTQ is ${quoteName(String(layout))}`)
  }
  const bitCounts = new Set<number>()
  for (const { tensor, module } of raw.endingIn('.qweight')) {
    const weight = readWeight(raw, module, tensor, {
      isFirstVersion: layout === 'gptq',
      isReordered: isReordered !== false,
    })
    bitCounts.add(weight.bits)
    const { shape } = weight.expression
    const transposed: WeightExpression = {
      kind: 'transposed',
      shape: [shape[1]!, shape[0]!],
      of: weight.expression,
    }
    raw.drop(`${module}.g_idx`)
    raw.pack(`${module}.weight`, tensor, transposed)
  }
  return `gptq ${[...bitCounts].sort((a, b) => a - b).join(' and ')}-bit`
}

/** The matrix as it is stored, [inputs, outputs]. */
function readWeight(
  raw: RawTensors,
  module: string,
  packed: TensorLocation,
  { isFirstVersion, isReordered }: { isFirstVersion: boolean; isReordered: boolean },
): { bits: 4 | 8; expression: WeightExpression } {
  const scales = raw.get(`${module}.scales`, 'F16', 'BF16', 'F32')
  const zeros = raw.get(`${module}.qzeros`, 'I32')
  const [groups, outputs] = scales.shape as [number, number]
  const bits = (32 * zeros.shape.at(-1)!) / outputs
  if (bits !== 4 && bits !== 8) throw refused(`tensor ${quoteName(zeros.name)} is of GPTQ with ${bits} bits`)
  assertShape(zeros, [groups, (outputs * bits) / 32])
  const inputs = (packed.shape[0]! * 32) / bits
  assertShape(packed, [(inputs * bits) / 32, outputs])
  const shape: [number, number] = [inputs, outputs]
  const integers: WeightExpression = { kind: 'row-words', shape, part: packed, bits }
  const stated = raw.find(`${module}.g_idx`)
  if (stated !== undefined) {
    const groupSize = isReordered ? undefined : findGroupSize(scales, inputs)
    assertGroupIndex(stated, { inputs, groups, groupSize })
  }
  const index = isReordered ? stated : undefined
  const block = [index === undefined ? findGroupSize(scales, inputs) : 1, 1]
  const spread = (of: WeightExpression): WeightExpression =>
    index === undefined ? of : { kind: 'gathered', shape, of, index }
  const zeroPoints = readZeros(zeros, [groups, outputs], bits, isFirstVersion)
  const shifted = combineBlocks('Sub', integers, spread(zeroPoints), block)
  return { bits, expression: combineBlocks('Mul', shifted, spread(stored(scales)), block) }
}

/** The first version of the layout stores zero points minus one, modulo 2^bits: the highest code means zero. */
function readZeros(
  part: TensorLocation,
  shape: [number, number],
  bits: 4 | 8,
  isFirstVersion: boolean,
): WeightExpression {
  if (!isFirstVersion) return { kind: 'integers', shape, part, bits }
  const table = Array.from({ length: 2 ** bits }, (_, code) => (code + 1) % 2 ** bits)
  return { kind: 'lookup', shape, part, bits, isHighFirst: false, table }
}
