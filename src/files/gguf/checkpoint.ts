import { LayerpruneError } from '../../base/errors.js'
import { GGML_BLOCKS, isGgmlBlockType } from '../checkpoint/ggml-types.js'
import type { SafetensorsCheckpoint, SafetensorsDtype, TensorLocation } from '../checkpoint/safetensors.js'
import { quoteName } from '../checkpoint/safetensors-header.js'
import type { StoredPart, WeightExpression } from '../checkpoint/weight-expression.js'
import type { GgufDecoder } from './config.js'
import type { GgufFile } from './gguf-file.js'
import { type NamedTensor, nameTensors } from './tensor-names.js'

const PLAIN_TYPES: readonly string[] = ['F32', 'F16', 'BF16', 'F64'] satisfies SafetensorsDtype[]

/**
 * The tensors of a GGUF file as a checkpoint of its family has them, where they lie in the file.
 * @throws LayerpruneError if one is stored in a type that cannot be read
 */
export function describeCheckpoint({ headers, tensors }: GgufFile, decoder: GgufDecoder): SafetensorsCheckpoint {
  const located = nameTensors(tensors.values(), decoder.architecture.tensors, decoder).map(locate)
  return {
    files: headers.map(({ file }) => file),
    tensors: new Map(located.map((location) => [location.name, location])),
    metadata: {},
  }
}

function locate({ name, shape, tensor, offsetBytes, sizeBytes }: NamedTensor): TensorLocation {
  const { type, file } = tensor
  const place = { file, offsetBytes, sizeBytes }
  if (PLAIN_TYPES.includes(type.name)) {
    return { name, dtype: type.name as SafetensorsDtype, shape, ...place }
  }
  if (isGgmlBlockType(type.name)) {
    const part: StoredPart = { name: tensor.name, dtype: 'U8', shape: [sizeBytes], ...place }
    const expression: WeightExpression = { kind: 'ggml-blocks', type: type.name, shape, part }
    return { name, dtype: 'U8', shape, ...place, expression }
  }
  throw new LayerpruneError(
    `${file}: tensor ${quoteName(tensor.name)} is stored as ${type.name}, which cannot be read`,
    { hint: `use a file in F16, BF16, F32 or one of ${Object.keys(GGML_BLOCKS).join(', ')}` },
  )
}
