import type { Tensor, TypedTensor } from 'onnxruntime-node'

/** A tensor without its numbers, whose bytes follow in a pipe. */
export interface TensorHeader {
  name: string
  type: keyof typeof ARRAYS
  dims: readonly number[]
  byteLength: number
}

/** Arrays of the element types that graphs take and give. */
const ARRAYS = {
  float32: Float32Array,
  float64: Float64Array,
  float16: Uint16Array,
  int64: BigInt64Array,
  int32: Int32Array,
  uint8: Uint8Array,
  bool: Uint8Array,
}

/** Headers of tensors and views of their bytes. */
export function describeTensors(tensors: Record<string, Tensor>): { headers: TensorHeader[]; contents: Uint8Array[] } {
  const headers: TensorHeader[] = []
  const contents: Uint8Array[] = []
  for (const [name, tensor] of Object.entries(tensors)) {
    const { data, dims } = tensor as TypedTensor<TensorHeader['type']>
    headers.push({ name, type: tensor.type as TensorHeader['type'], dims, byteLength: data.byteLength })
    contents.push(new Uint8Array(data.buffer, data.byteOffset, data.byteLength))
  }
  return { headers, contents }
}

/** Makes the tensor whose bytes were read. */
export function makeTensor(
  ort: typeof import('onnxruntime-node'),
  { type, dims }: TensorHeader,
  { buffer }: Uint8Array<ArrayBuffer>,
): Tensor {
  return new ort.Tensor(type as 'float32', new ARRAYS[type](buffer) as Float32Array, dims) as Tensor
}
