import { encodeHeader } from './encode-header.js'
import type { Replacement } from './replacement.js'

/** A safetensors file of float32 tensors, with metadata texts by name in the header. */
export function encodeTensors(tensors: ReadonlyMap<string, Replacement>, metadata: Record<string, string>): Uint8Array {
  const header: Record<string, object> = { __metadata__: metadata }
  let offset = 0
  for (const [name, { shape, data }] of tensors) {
    header[name] = { dtype: 'F32', shape, data_offsets: [offset, offset + data.byteLength] }
    offset += data.byteLength
  }
  const parts = [...tensors.values()].map(({ data }) => new Uint8Array(data.buffer, data.byteOffset, data.byteLength))
  return Buffer.concat([encodeHeader(header), ...parts])
}
