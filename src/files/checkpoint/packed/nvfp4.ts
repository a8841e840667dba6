import type { TensorLocation } from '../safetensors-header.js'
import type { WeightExpression } from '../weight-expression.js'
import type { RawTensors } from './raw-tensors.js'
import { combineGroups, readFp4, stored } from './scales.js'

/** Numbers that share an 8-bit scale. */
const GROUP = 16

/** 4-bit floats with 8-bit scales, divided (compressed-tensors) or multiplied (ModelOpt) by one global scale. */
export function readNvfp4(raw: RawTensors, module: string, packed: TensorLocation): void {
  const shape = [...packed.shape.slice(0, -1), 2 * packed.shape.at(-1)!]
  const scales = raw.get(`${module}.weight_scale`, 'F8_E4M3')
  const divisor = raw.find(`${module}.weight_global_scale`)
  const global = divisor ?? raw.get(`${module}.weight_scale_2`)
  const grid: WeightExpression = {
    kind: 'combined',
    shape: scales.shape,
    operation: divisor === undefined ? 'Mul' : 'Div',
    left: stored(scales),
    right: stored(
      global,
      scales.shape.map(() => 1),
    ),
    block: scales.shape,
  }
  raw.pack(`${module}.weight`, packed, combineGroups('Mul', readFp4(packed, shape), grid, GROUP))
}
