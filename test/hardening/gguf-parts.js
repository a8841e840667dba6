// A GGUF model in two parts, and damage to them as a whole: swapped, doubled, cut short, with wrong counts.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { idOfGgmlType } from '../../dist/files/checkpoint/ggml-types.js'
import { readGgufHeader } from '../../dist/files/gguf/header.js'
import { pick } from './random.js'

const FOLDER = fileURLToPath(new URL('../fixtures/gguf', import.meta.url))
const UINT16 = 2
const INT32 = 5
/** Before the metadata: the magic, the version and two counts. */
const START_BYTES = 24

const u32 = (value) => Buffer.from(Uint32Array.of(value).buffer)
const u64 = (value) => Buffer.from(BigUint64Array.of(BigInt(value)).buffer)
const text = (value) => Buffer.concat([u64(Buffer.byteLength(value)), Buffer.from(value)])
const fill = (bytes, alignment) => {
  const length = Math.ceil(bytes.length / alignment) * alignment
  return Buffer.concat([bytes, Buffer.alloc(length - bytes.length)])
}

/** The files of a model of the fixtures, split as llama.cpp's gguf-split does. */
export async function splitGguf(name, stem = 'model') {
  const path = join(FOLDER, name)
  const header = await readGgufHeader(path)
  const bytes = readFileSync(path)
  const all = [...header.tensors.values()]
  const half = Math.ceil(all.length / 2)
  const parts = [all.slice(0, half), all.slice(half)].map((tensors, part) =>
    encodePart(header, bytes, { tensors, part, count: 2, total: all.length }),
  )
  return Object.fromEntries(parts.map((bytes, part) => [`${stem}-0000${part + 1}-of-00002.gguf`, bytes]))
}

function encodePart(header, bytes, { tensors, part, count, total }) {
  const own = part === 0 ? [bytes.subarray(START_BYTES, header.tensorsStart)] : []
  const keys = [
    [text('split.no'), u32(UINT16), u32(part).subarray(0, 2)],
    [text('split.count'), u32(UINT16), u32(count).subarray(0, 2)],
    [text('split.tensors.count'), u32(INT32), u32(total)],
  ]
  const keyCount = keys.length + (part === 0 ? header.metadata.size : 0)
  let offset = 0
  const described = tensors.flatMap(({ name, shape, type, sizeBytes }) => {
    const place = u64(offset)
    offset += Math.ceil(sizeBytes / header.alignment) * header.alignment
    return [text(name), u32(shape.length), ...shape.toReversed().map(u64), u32(idOfGgmlType(type.name)), place]
  })
  const start = [Buffer.from('GGUF'), u32(header.version), u64(tensors.length), u64(keyCount)]
  const numbers = tensors.map(({ offsetBytes, sizeBytes }) =>
    fill(bytes.subarray(offsetBytes, offsetBytes + sizeBytes), header.alignment),
  )
  return Buffer.concat([
    fill(Buffer.concat([...start, ...own, ...keys.flat(), ...described]), header.alignment),
    ...numbers,
  ])
}

/** Damage to one part that must be seen, given the other one and a part of another model. */
export function mutatePart(others) {
  return (sound, random) => {
    switch (random(4)) {
      case 0:
        return pick(others, random)
      case 1:
        return sound.subarray(0, random(sound.length - 1))
      case 2:
        return Buffer.alloc(0)
      default:
        return changeCount(sound, random)
    }
  }
}

/** Another number of the part, of all parts, or of all tensors. */
function changeCount(sound, random) {
  const bytes = Buffer.from(sound)
  const key = pick(['split.no', 'split.count', 'split.tensors.count'], random)
  const at = bytes.indexOf(key) + key.length + 4
  bytes.writeUInt16LE(pick([0, 1, 2, 3, 0x7fff, 0xffff], random), at)
  return bytes
}
