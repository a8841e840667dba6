import { GGML_TYPES, idOfGgmlType } from '../../checkpoint/ggml-types.js'
import type { GgufFile } from '../gguf-file.js'
import type { GgufTensor } from '../header.js'
import type { WrittenTensor } from './encode.js'
import type { FactorTensor } from './state-rope.js'
import type { WrittenValue } from './written-value.js'

/** What messages call a file that is not written yet. */
const FILE = 'the GGUF file'

/** A file as it will be read once it is written; its tensors have no place. */
export function planHeader(
  metadata: ReadonlyMap<string, WrittenValue>,
  written: WrittenTensor[],
  factors: FactorTensor[],
): GgufFile {
  const entries = [...metadata].map(([key, value]) => [key, describeEntry(value)] as const)
  const tensors = written.map(({ name, shape, sizeBytes, type }): [string, GgufTensor] => {
    const values = factors.find((factor) => factor.name === name)?.values
    const place = { file: FILE, offsetBytes: 0, sizeBytes }
    return [name, { name, shape, type: GGML_TYPES.get(idOfGgmlType(type))!, ...place, ...(values && { values }) }]
  })
  const header = {
    file: FILE,
    version: 3,
    metadata: new Map(entries),
    tensors: new Map(tensors),
    alignment: 1,
    tensorsStart: 0,
    dataStart: 0,
    sizeBytes: 0,
  }
  return { header, headers: [header], tensors: header.tensors }
}

function describeEntry(written: WrittenValue) {
  const place = { startBytes: 0, endBytes: 0 }
  if (written.type !== 'array') {
    return { type: written.type, elementType: null, value: rounded(written.type, written.value), count: 1, ...place }
  }
  const { type, elementType, value } = written
  return { type, elementType, value, count: value.length, ...place }
}

function rounded<T>(type: string, value: T): T | number {
  return type === 'float32' ? Math.fround(Number(value)) : value
}
