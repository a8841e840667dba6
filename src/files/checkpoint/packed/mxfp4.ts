import { assertShape, type RawTensors } from './raw-tensors.js'
import { combineGroups, readFp4, readScales } from './scales.js'

/** Numbers that share a scale. */
const GROUP = 32

/**
 * The experts of gpt-oss: 4-bit floats in blocks of 32, stored as [experts, outputs, blocks, 16] bytes.
 * @throws LayerpruneError if tensors do not fit each other
 */
export function readMxfp4(raw: RawTensors): string {
  for (const { tensor: codes, module } of raw.endingIn('_blocks')) {
    const [experts, outputs, blocks, bytes] = codes.shape as [number, number, number, number]
    assertShape(codes, [experts, outputs, blocks, GROUP / 2])
    const scales = raw.get(`${module}_scales`, 'U8', 'F8_E8M0')
    assertShape(scales, [experts, outputs, blocks])
    const inputs = blocks * bytes * 2
    const numbers = combineGroups('Mul', readFp4(codes, [experts, outputs, inputs]), readScales(scales), GROUP)
    raw.pack(module, codes, { kind: 'transposed', shape: [experts, inputs, outputs], of: numbers })
  }
  return 'mxfp4'
}
