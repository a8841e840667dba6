import { readFileSync, writeFileSync } from 'node:fs'

interface StoredTensor {
  dtype: string
  shape: number[]
  data: Buffer
}

/** Tensors of a safetensors file, without its metadata. */
export function readTensors(path: string): Map<string, StoredTensor> {
  const bytes = readFileSync(path)
  const dataStart = 8 + Number(bytes.readBigUInt64LE())
  const header = JSON.parse(bytes.toString('utf8', 8, dataStart)) as Record<
    string,
    { dtype: string; shape: number[]; data_offsets: [number, number] }
  >
  return new Map(
    Object.entries(header).flatMap(([name, entry]) => {
      if (name === '__metadata__') return []
      const [begin, end] = entry.data_offsets
      const data = bytes.subarray(dataStart + begin, dataStart + end)
      return [[name, { dtype: entry.dtype, shape: entry.shape, data }]]
    }),
  )
}

export function writeTensors(path: string, tensors: Map<string, StoredTensor>): void {
  let end = 0
  const header: Record<string, unknown> = {}
  for (const [name, { dtype, shape, data }] of tensors) {
    header[name] = { dtype, shape, data_offsets: [end, end + data.length] }
    end += data.length
  }
  const json = Buffer.from(JSON.stringify(header))
  const length = Buffer.alloc(8)
  length.writeBigUInt64LE(BigInt(json.length))
  writeFileSync(path, Buffer.concat([length, json, ...[...tensors.values()].map(({ data }) => data)]))
}
