import { isObject } from '../../../base/is-object.js'
import { float8Values } from '../float8.js'
import { quoteName, type TensorLocation } from '../safetensors-header.js'
import type { IntegersExpression, WeightExpression } from '../weight-expression.js'
import { assertShape, damaged, type RawTensors, refused } from './raw-tensors.js'
import { combineGroups, readFp4, readScales, stored } from './scales.js'

type Section = Record<string, unknown>

const BITS = [2, 3, 4, 5, 6, 8] as const

/** Bits of the floats that modes other than `affine` have. */
const FLOAT_BITS: Record<string, number> = { mxfp4: 4, nvfp4: 4, mxfp8: 8 }

/**
 * The weights of an MLX checkpoint: integers in row words with a scale and bias per group, or 4- or 8-bit floats.
 * @throws LayerpruneError if the config does not say how, or tensors do not fit each other
 */
export function readMlx(raw: RawTensors, settings: Section): string {
  const bitCounts = new Set<number>()
  for (const { tensor: scales, module } of raw.endingIn('.scales')) {
    const own = isObject(settings[module]) ? settings[module] : {}
    const { group_size: group, mode = 'affine' } = { ...settings, ...own }
    if (!Number.isSafeInteger(group) || (group as number) < 1) {
      throw refused(`group_size of MLX is ${quoteName(String(group))}`)
    }
    const weight = raw.get(`${module}.weight`, 'U32')
    const shape = [...scales.shape.slice(0, -1), scales.shape.at(-1)! * (group as number)]
    const bits = (32 * weight.shape.at(-1)!) / shape.at(-1)!
    const expected = FLOAT_BITS[String(mode)] ?? bits
    assertShape(weight, [...shape.slice(0, -1), (shape.at(-1)! * expected) / 32])
    bitCounts.add(bits)
    const known = {
      weight,
      scales,
      biases: raw.find(`${module}.biases`),
      shape,
      bits,
      group: group as number,
    }
    raw.pack(weight.name, weight, readWeight(known, String(mode)))
  }
  return `mlx ${[...bitCounts].sort((a, b) => a - b).join(' and ')}-bit`
}

interface MlxWeight {
  weight: TensorLocation
  scales: TensorLocation
  biases: TensorLocation | undefined
  shape: number[]
  bits: number
  group: number
}

function readWeight(known: MlxWeight, mode: string): WeightExpression {
  const { weight, scales, shape, group } = known
  switch (mode) {
    case 'affine':
      return readAffine(known)
    case 'mxfp4':
      return combineGroups('Mul', readFp4(weight, shape), readScales(scales), group)
    case 'nvfp4':
      return combineGroups('Mul', readFp4(weight, shape), readFloat8(scales, scales.shape), group)
    case 'mxfp8':
      return combineGroups('Mul', readFloat8(weight, shape), readScales(scales), group)
    default:
      throw refused(`mode of MLX is ${quoteName(mode)}`)
  }
}

function readAffine({ weight, scales, biases, shape, bits: found, group }: MlxWeight): WeightExpression {
  const bits = BITS.find((known) => known === found)
  if (bits === undefined) throw refused(`tensor ${quoteName(weight.name)} is of MLX with ${found} bits`)
  if (biases === undefined) throw damaged(`tensor ${quoteName(weight.name)} has scales, but no biases`)
  assertShape(biases, scales.shape)
  const integers: IntegersExpression = { kind: 'integers', shape, part: weight, bits }
  return combineGroups('Add', combineGroups('Mul', integers, stored(scales), group), stored(biases), group)
}

function readFloat8(part: TensorLocation, shape: number[]): WeightExpression {
  return { kind: 'lookup', shape, part, bits: 8, isHighFirst: false, table: float8Values('F8_E4M3') }
}
