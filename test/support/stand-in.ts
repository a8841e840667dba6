import { cpSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { FIXTURES } from './paths.js'

const LLAMA = join(FIXTURES, 'families/llama')
const LAYER = /^model\.layers\.(\d+)\./
/** What a layer adds to the residual stream comes out of these. */
const LAST_PRODUCTS = /\.(o_proj|down_proj)\.weight$/

interface Entry {
  dtype: string
  shape: number[]
  data_offsets: [number, number]
}

/**
 * A small random Llama that stands in for one of 30 layers: those of the fixture again and again, but for layers
 * 11..18, which add nothing. So [11, 19) is its best block of 8 layers, at a distance of 0.
 */
export function makeStandIn(folder: string): void {
  cpSync(LLAMA, folder, { recursive: true })
  const config = JSON.parse(readFileSync(join(LLAMA, 'config.json'), 'utf8'))
  writeFileSync(
    join(folder, 'config.json'),
    JSON.stringify({ ...config, num_hidden_layers: 30, max_position_embeddings: 512 }),
  )
  const { tensors, data } = readTensors(join(LLAMA, 'model.safetensors'))
  const header: Record<string, Entry> = {}
  const parts: Buffer[] = []
  let end = 0
  const add = (name: string, { data_offsets: [from, to], ...entry }: Entry, idle: boolean) => {
    const bytes = Buffer.from(data.subarray(from, to))
    if (idle) bytes.fill(0)
    parts.push(bytes)
    header[name] = { ...entry, data_offsets: [end, end + bytes.length] }
    end += bytes.length
  }
  for (const [name, entry] of tensors) {
    if (!LAYER.test(name)) add(name, entry, false)
  }
  for (let layer = 0; layer < 30; layer++) {
    const idle = layer >= 11 && layer < 19
    for (const [name, entry] of tensors) {
      if (Number(LAYER.exec(name)?.[1] ?? -1) !== layer % config.num_hidden_layers) continue
      add(name.replace(LAYER, `model.layers.${layer}.`), entry, idle && LAST_PRODUCTS.test(name))
    }
  }
  const text = Buffer.from(JSON.stringify(header))
  const length = Buffer.alloc(8)
  length.writeBigUInt64LE(BigInt(text.length))
  writeFileSync(join(folder, 'model.safetensors'), Buffer.concat([length, text, ...parts]))
}

function readTensors(file: string): { tensors: [string, Entry][]; data: Buffer } {
  const bytes = readFileSync(file)
  const start = 8 + Number(bytes.readBigUInt64LE())
  const { __metadata__, ...header } = JSON.parse(bytes.subarray(8, start).toString())
  return { tensors: Object.entries(header as Record<string, Entry>), data: bytes.subarray(start) }
}
