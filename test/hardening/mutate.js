// Damage to files: of their bytes, and of ONNX graphs as graphs, which get further than bytes do.
import { parseModel, serializeModel } from '../../dist/graph/onnx.js'

/** Whole numbers below a bound, the same ones for a seed (xorshift). */
export function makeRandom(seed) {
  let state = seed | 0 || 1
  return (bound) => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return (state >>> 0) % bound
  }
}

/** One to three changes of bytes, pieces, digits or the length. Half of them hit the first and last 512 bytes. */
export function mutateBytes(sound, random) {
  let bytes = Buffer.from(sound)
  for (let changes = 1 + random(3); changes > 0 && bytes.length > 0; changes--) bytes = change(bytes, random)
  return bytes
}

function change(bytes, random) {
  const at = choosePlace(bytes.length, random)
  switch (random(7)) {
    case 0:
      bytes[at] ^= 1 << random(8)
      return bytes
    case 1:
      bytes[at] = [0, 1, 0x7f, 0x80, 0xff][random(5)]
      return bytes
    case 2:
      bytes[at] = '0123456789-.e[]{},:"\\/'.charCodeAt(random(22))
      return bytes
    case 3:
      return Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + 1 + random(32))])
    case 4:
      return Buffer.concat([bytes.subarray(0, Math.min(bytes.length, at + random(32))), bytes.subarray(at)])
    case 5:
      return bytes.subarray(0, random(bytes.length))
    default:
      for (let i = at; i < Math.min(at + 8, bytes.length); i++) bytes[i] = random(256)
      return bytes
  }
}

function choosePlace(length, random) {
  const edge = Math.min(512, length)
  return [random(length), random(length), random(edge), length - 1 - random(edge)][random(4)]
}

const WHOLE_NUMBERS = [0n, 1n, 2n, -1n, 3n, 64n, 1n << 31n, -(1n << 40n)]
const FLOATS = [0, -1, 1e-30, 1e38, Number.NaN, Number.POSITIVE_INFINITY]

/** One or two changes of an ONNX graph: attributes, edges, operators, and shapes, types and values of its tensors. */
export function mutateGraph(sound, random) {
  const model = parseModel(new Uint8Array(sound))
  for (let changes = 1 + random(2); changes > 0; changes--) changeGraph(model.graph, random)
  return Buffer.from(serializeModel(model))
}

function changeGraph(graph, random) {
  const pick = (list) => list[random(list.length)]
  const node = pick(graph.node)
  const tensor = pick(graph.initializer)
  const attribute = pick(graph.node.flatMap((each) => each.attribute))
  switch (random(8)) {
    case 0:
      attribute.i = pick(WHOLE_NUMBERS)
      attribute.f = pick(FLOATS)
      if (attribute.ints.length > 0) attribute.ints[random(attribute.ints.length)] = pick(WHOLE_NUMBERS)
      return
    case 1:
      node.input[random(node.input.length)] = pick(pick(graph.node).output)
      return
    case 2:
      node.input[random(node.input.length)] = tensor.name
      return
    case 3:
      node.opType = pick(graph.node).opType
      return
    case 4:
      node.input.splice(random(node.input.length), 1)
      return
    case 5:
      if (tensor.dims.length > 0) tensor.dims[random(tensor.dims.length)] = pick(WHOLE_NUMBERS)
      return
    case 6:
      tensor.dataType = 1 + random(16)
      return
    default: {
      // shapes, axes, indices
      const values = pick(
        graph.initializer.filter(({ rawData }) => rawData.length > 0 && rawData.length <= 64),
      )
      if (values) values.rawData = Uint8Array.from(values.rawData, (byte) => (random(3) ? byte : random(256)))
    }
  }
}
