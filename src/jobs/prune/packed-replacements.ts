import type { SafetensorsCheckpoint } from '../../files/checkpoint/safetensors.js'
import type { Replacement } from '../../files/weights/replacement.js'
import { REPLACED_DTYPE } from '../../model/graph/replace-weights.js'
import type { KeptTensor } from '../write-model/safetensors-files.js'

type Tensors = SafetensorsCheckpoint['tensors']

const BYTES_OF_NUMBER = 2

/**
 * Makes the packed weights that get new values plain ones: a tensor of bfloat16 stands where the codes did, and what
 * else belonged to them is omitted.
 * @param logical the decoded tensors of the whole checkpoint
 * @returns the tensors of the pruned model, and the names of the modules, in its numbering, that are plain now
 */
export function unpackReplaced(
  kept: KeptTensor[],
  logical: Tensors,
  replacements: ReadonlyMap<string, Replacement>,
): { kept: KeptTensor[]; modules: string[] } {
  const modules: string[] = []
  let tensors = kept
  for (const [name, { shape, data }] of replacements) {
    const packed = logical.get(name)
    if (packed?.expression === undefined) continue
    const module = name.replace(/\.weight$/, '')
    const isPart = ({ source }: KeptTensor) => source.name.startsWith(`${module}.`) && source.name !== `${module}.bias`
    const codes = tensors.find(({ source }) => source.file === packed.file && source.offsetBytes === packed.offsetBytes)
    if (codes === undefined) continue
    const plainModule = codes.name.slice(0, -codes.source.name.slice(module.length).length)
    const source = {
      ...packed,
      name,
      shape,
      dtype: REPLACED_DTYPE,
      sizeBytes: data.length * BYTES_OF_NUMBER,
    } as const
    const plain: KeptTensor = { name: `${plainModule}.weight`, source }
    modules.push(plainModule)
    tensors = tensors.flatMap((tensor) => (tensor === codes ? [plain] : isPart(tensor) ? [] : [tensor]))
  }
  return { kept: tensors, modules }
}
