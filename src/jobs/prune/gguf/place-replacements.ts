import { UsageError } from '../../../base/errors.js'
import type { GgufDecoder } from '../../../files/gguf/config.js'
import type { GgufFile } from '../../../files/gguf/gguf-file.js'
import { nameTensors } from '../../../files/gguf/tensor-names.js'
import type { Replacement } from '../../../files/weights/replacement.js'

/**
 * New values of tensors by the names that a GGUF file has for them.
 * @param replacements by the names of a checkpoint of the family
 * @throws UsageError if one is not a whole tensor of the file, or has another shape
 */
export function placeReplacements(
  { tensors }: GgufFile,
  decoder: GgufDecoder,
  replacements: ReadonlyMap<string, Replacement>,
): Map<string, Replacement> {
  if (replacements.size === 0) return new Map()
  const named = nameTensors(tensors.values(), decoder.architecture.tensors, decoder)
  const placed = new Map<string, Replacement>()
  for (const [name, replacement] of replacements) {
    const found = named.find((tensor) => tensor.name === name)
    const isWhole = found !== undefined && found.sizeBytes === found.tensor.sizeBytes
    if (!isWhole || `${found.shape}` !== `${replacement.shape}`) {
      throw new UsageError(
        `replaced tensor ${name} of the shape [${replacement.shape.join(', ')}] is not a tensor of the GGUF file`,
      )
    }
    placed.set(found.tensor.name, replacement)
  }
  return placed
}
