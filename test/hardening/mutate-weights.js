// Damage to safetensors files as tables of numbers and names.
import { mutateTexts } from './mutate-json.js'
import { pick } from './random.js'

/** Bits of NaN, Inf and -Inf by stored dtype, little-endian. */
const NOT_FINITE = {
  F32: [0x7fc00000, 0x7f800000, 0xff800000],
  F16: [0x7e00, 0x7c00, 0xfc00],
  BF16: [0x7fc0, 0x7f80, 0xff80],
}

function splitFile(bytes) {
  const start = 8 + Number(bytes.readBigUInt64LE())
  return { header: bytes.subarray(8, start), data: bytes.subarray(start), start }
}

/** One number of one tensor becomes NaN, Inf or -Inf. */
export function mutateToNotFinite(sound, random) {
  const bytes = Buffer.from(sound)
  const { header, start } = splitFile(bytes)
  const tensors = Object.values(JSON.parse(header)).filter(
    ({ dtype, data_offsets: offsets }) => NOT_FINITE[dtype] && offsets[1] > offsets[0],
  )
  const { dtype, data_offsets: offsets } = pick(tensors, random)
  const width = dtype === 'F32' ? 4 : 2
  const at = start + offsets[0] + width * random((offsets[1] - offsets[0]) / width)
  bytes.writeUIntLE(pick(NOT_FINITE[dtype], random), at, width)
  return bytes
}

const BYTES_OF = { F64: 8, F32: 4, I32: 4, U32: 4, F16: 2, BF16: 2, U8: 1, I8: 1, F8_E4M3: 1 }

/** Another type of as many bytes, or a shape of as many numbers, or another name: what belongs to a tensor no longer fits. */
export function mutateLayout(sound, random) {
  const { header, data } = splitFile(sound)
  const tensors = JSON.parse(header)
  const name = pick(
    Object.keys(tensors).filter((key) => key !== '__metadata__'),
    random,
  )
  const { [name]: tensor, ...others } = tensors
  const { dtype, shape } = tensor
  const sameSize = Object.keys(BYTES_OF).filter((other) => BYTES_OF[other] === BYTES_OF[dtype])
  const bytes = shape.reduce((product, size) => product * size, BYTES_OF[dtype] ?? 1)
  const changed = pick(
    [
      { [name]: { ...tensor, dtype: pick(sameSize, random) } },
      { [name]: { ...tensor, shape: shape.toReversed() } },
      { [name]: { ...tensor, shape: [shape.reduce((product, size) => product * size, 1)] } },
      { [name]: { ...tensor, shape: [...shape, 1] } },
      { [name]: { ...tensor, dtype: 'U8', shape: [1, bytes] } },
      { [`${name}_`]: tensor },
      { [name.replace('layers.0', 'layers.7')]: tensor },
    ],
    random,
  )
  const json = Buffer.from(JSON.stringify({ ...others, ...changed }))
  const length = Buffer.alloc(8)
  length.writeBigUInt64LE(BigInt(json.length))
  return Buffer.concat([length, json, data])
}

/** A name or a text in the header becomes hostile. */
export function mutateHeaderTexts(sound, random) {
  const { header, data } = splitFile(sound)
  const changed = mutateTexts(header, random)
  const length = Buffer.alloc(8)
  length.writeBigUInt64LE(BigInt(changed.length))
  return Buffer.concat([length, changed, data])
}
