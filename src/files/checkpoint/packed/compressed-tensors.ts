import { isObject } from '../../../base/is-object.js'
import { quoteName, type TensorLocation } from '../safetensors-header.js'
import type { WeightExpression } from '../weight-expression.js'
import { readFp8 } from './fp8.js'
import { readNvfp4 } from './nvfp4.js'
import { assertShape, damaged, type RawTensors, refused } from './raw-tensors.js'
import { combineGroups, combineWith, readFp4, scale, stored, subtractZeros } from './scales.js'
import { assertGroupIndex, readWholeNumbers } from './small-tensor.js'

type Section = Record<string, unknown>

interface Scheme {
  bits: number
  /** Columns that share a scale; null if all of a row do. */
  group: number | null
  block: number[] | undefined
}

/**
 * The weights of a checkpoint that compressed-tensors wrote: 8-bit floats and integers, packed integers, NVFP4, MXFP4.
 * @throws LayerpruneError if some are sparse or rotated, or do not fit the config
 */
export function readCompressedTensors(raw: RawTensors, settings: Section): string {
  const { format = 'dense', sparsity_config: sparsity, transform_config: transforms } = settings
  if (isObject(sparsity) && (sparsity.format ?? 'dense') !== 'dense') {
    throw refused(`compressed-tensors has sparse weights, ${quoteName(String(sparsity.format))}`)
  }
  if (isObject(transforms) && Object.keys(transforms).length > 0) {
    throw refused('compressed-tensors has a transform_config: inputs are rotated as the model runs')
  }
  const schemes = readSchemes(settings)
  for (const { tensor, module } of raw.endingIn('.weight_packed')) {
    if (raw.find(`${module}.weight_global_scale`) !== undefined) readNvfp4(raw, module, tensor)
    else if (tensor.dtype === 'U8') readMxfp4(raw, module, tensor)
    else readPacked(raw, module, tensor, schemes)
  }
  readFp8(raw, schemes.find(({ block }) => block !== undefined)?.block)
  for (const codes of raw.ofDtypes('I8')) {
    if (codes.name.endsWith('.weight')) readInt8(raw, codes, schemes)
  }
  return `compressed-tensors ${String(format)}`
}

function readSchemes({ config_groups: groups }: Section): Scheme[] {
  const found = isObject(groups) ? Object.values(groups) : []
  return found.flatMap((entry): Scheme[] => {
    const weights = isObject(entry) ? entry.weights : undefined
    if (!isObject(weights)) return []
    const { num_bits: bits, group_size: group, block_structure: block } = weights
    return [
      {
        bits: Number(bits),
        group: typeof group === 'number' && group > 0 ? group : null,
        block: Array.isArray(block) && block.length === 2 ? block.map(Number) : undefined,
      },
    ]
  })
}

/** Integers in 32-bit words along the rows, half of their range added to make them positive. */
function readPacked(raw: RawTensors, module: string, packed: TensorLocation, schemes: Scheme[]): void {
  const scales = raw.get(`${module}.weight_scale`)
  const [rows, words] = packed.shape as [number, number]
  const fitting = schemes.flatMap(({ bits, group }) => {
    const columns = (words * 32) / bits
    const groups = scales.shape[1] ?? 1
    return groups === (group === null ? 1 : columns / group) ? [{ bits, columns, group: group ?? columns }] : []
  })
  const [scheme] = fitting
  if (scheme === undefined || fitting.some(({ bits }) => bits !== scheme.bits)) {
    throw damaged(`tensor ${quoteName(packed.name)} fits no group of quantization_config, or more than one`)
  }
  const { bits, columns, group } = scheme
  if (bits !== 4 && bits !== 8) throw refused(`compressed-tensors has integers of ${bits} bits`)
  assertShape(scales, [rows, columns / group])
  const integers: WeightExpression = { kind: 'integers', shape: [rows, columns], part: packed, bits }
  const spread = spreadGroups(raw, module, [rows, columns / group], columns)
  const width = spread.isByColumn ? 1 : group
  const zeros = raw.find(`${module}.weight_zero_point`)
  const shifted =
    zeros === undefined
      ? combineWith('Sub', integers, 2 ** (bits - 1))
      : combineGroups('Sub', integers, spread.of(readZeros(zeros, rows, columns / group, bits)), width)
  const name = `${module}.weight`
  const stated = raw.find(`${module}.weight_shape`)
  if (stated !== undefined) assertStatedShape(stated, [rows, columns])
  raw.drop(`${module}.weight_shape`)
  raw.pack(name, packed, combineGroups('Mul', shifted, spread.of(stored(scales)), width))
}

/** Words of rows that are padded would need it; they are not read. */
function assertStatedShape(tensor: TensorLocation, [rows, columns]: [number, number]): void {
  const stated = readWholeNumbers(tensor, 2)
  if (stated[0] === rows && stated[1] === columns) return
  throw damaged(`tensor ${quoteName(tensor.name)} states [${stated.join(', ')}], its weight has [${rows}, ${columns}]`)
}

/** Zero points in 32-bit words along the columns of groups; half of their range is added to them too. */
function readZeros(part: TensorLocation, rows: number, groups: number, bits: 4 | 8): WeightExpression {
  assertShape(part, [(rows * bits) / 32, groups])
  return { kind: 'row-words', shape: [rows, groups], part, bits }
}

/** If columns were ordered by importance before they were grouped, each names its group. */
function spreadGroups(raw: RawTensors, module: string, [rows, groups]: [number, number], columns: number) {
  const index = raw.find(`${module}.weight_g_idx`)
  raw.drop(`${module}.weight_g_idx`)
  // as in compressed-tensors: with -1 in it the columns are in order
  if (index === undefined || readWholeNumbers(index, columns).includes(-1)) {
    return { isByColumn: false, of: (grid: WeightExpression) => grid }
  }
  assertGroupIndex(index, { inputs: columns, groups, groupSize: undefined })
  const of = (grid: WeightExpression): WeightExpression => {
    const byGroup: WeightExpression = { kind: 'transposed', shape: [groups, rows], of: grid }
    const byColumn: WeightExpression = { kind: 'gathered', shape: [columns, rows], of: byGroup, index }
    return { kind: 'transposed', shape: [rows, columns], of: byColumn }
  }
  return { isByColumn: true, of }
}

function readMxfp4(raw: RawTensors, module: string, packed: TensorLocation): void {
  const [rows, bytes] = packed.shape as [number, number]
  const shape = [rows, 2 * bytes]
  const scales = raw.get(`${module}.weight_scale`, 'U8', 'F8_E8M0')
  raw.pack(`${module}.weight`, packed, scale(readFp4(packed, shape), scales, [1, 32]))
}

function readInt8(raw: RawTensors, codes: TensorLocation, schemes: Scheme[]): void {
  const scales = raw.get(`${codes.name}_scale`)
  const group = schemes.find((scheme) => scheme.group !== null)?.group
  const block = group === undefined || group === null ? undefined : [1, group]
  const zeros = raw.find(`${codes.name}_zero_point`)
  const integers = zeros === undefined ? stored(codes) : subtractZeros(stored(codes), zeros, block)
  raw.pack(codes.name, codes, scale(integers, scales, block))
}
