/** The start of a safetensors file: length and JSON, filled up with spaces so that the data starts at a multiple of 8. */
export function encodeHeader(header: object): Uint8Array {
  const json = Buffer.from(JSON.stringify(header))
  const lengthBytes = Math.ceil(json.byteLength / 8) * 8
  const bytes = Buffer.alloc(8 + lengthBytes, ' ')
  bytes.writeBigUInt64LE(BigInt(lengthBytes))
  json.copy(bytes, 8)
  return bytes
}
