// Damage to files: of their bytes, and of ONNX graphs as graphs, which get further than bytes do.
import { parseModel, serializeModel } from '../../dist/model/graph/onnx/onnx.js'
import { HOSTILE_TEXTS } from './mutate-json.js'
import { pick } from './random.js'

/** One to three changes of bytes, pieces, digits or the length. Half of them hit the first and last 512 bytes. */
export function mutateBytes(sound, random) {
  let bytes = Buffer.from(sound)
  for (let changes = 1 + random(3); changes > 0 && bytes.length > 0; changes--) bytes = change(bytes, random)
  return bytes
}

/** As mutateBytes, of the pickle in a file of torch.save, whose length is kept: the archive stays sound around it. */
export function mutatePickle(sound, random) {
  const start = sound.indexOf(Buffer.from([0x80, 2]))
  const end = sound.indexOf('PK\x07\x08', start, 'latin1')
  const pickle = Buffer.alloc(end - start, '.')
  mutateBytes(sound.subarray(start, end), random).copy(pickle)
  return Buffer.concat([sound.subarray(0, start), pickle, sound.subarray(end)])
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
  const any = (list) => pick(list, random)
  const node = any(graph.node)
  const tensor = any(graph.initializer)
  const attribute = any(graph.node.flatMap((each) => each.attribute))
  switch (random(8)) {
    case 0:
      attribute.i = any(WHOLE_NUMBERS)
      attribute.f = any(FLOATS)
      if (attribute.ints.length > 0) attribute.ints[random(attribute.ints.length)] = any(WHOLE_NUMBERS)
      return
    case 1:
      node.input[random(node.input.length)] = any(any(graph.node).output)
      return
    case 2:
      node.input[random(node.input.length)] = tensor.name
      return
    case 3:
      node.opType = any(graph.node).opType
      return
    case 4:
      node.input.splice(random(node.input.length), 1)
      return
    case 5:
      if (tensor.dims.length > 0) tensor.dims[random(tensor.dims.length)] = any(WHOLE_NUMBERS)
      return
    case 6:
      tensor.dataType = 1 + random(16)
      return
    default: {
      // shapes, axes, indices
      const values = any(graph.initializer.filter(({ rawData }) => rawData.length > 0 && rawData.length <= 64))
      if (values) values.rawData = Uint8Array.from(values.rawData, (byte) => (random(3) ? byte : random(256)))
    }
  }
}

/** One to three names in an ONNX graph become hostile, some of them wherever they stand. */
export function mutateGraphNames(sound, random) {
  const model = parseModel(new Uint8Array(sound))
  const { graph } = model
  for (let changes = 1 + random(3); changes > 0; changes--) {
    const text = pick(HOSTILE_TEXTS, random)
    const node = pick(graph.node, random)
    const places = [
      [node, 'name'],
      [node, 'opType'],
      [node, 'domain'],
      [node.output, 0],
      [pick(graph.input, random), 'name'],
      [pick(graph.initializer, random), 'name'],
      [model, 'producerName'],
    ]
    const [parent, key] = pick(places, random)
    parent[key] = `${random(2) ? parent[key] : ''}${text}`
  }
  return Buffer.from(serializeModel(model))
}
