import { join, relative } from 'node:path'
import { LayerpruneError } from '../../base/errors.js'
import { type DecoderGraph, findLogitSize } from '../graph/decoder-graph.js'
import { commonFolder, getExternalData, setExternalData } from '../graph/onnx/external-data.js'
import { cloneModel, DataLocation, type GraphProto, type TensorProto } from '../graph/onnx/onnx.js'
import { renameReads } from '../graph/redirect-state.js'
import type { Teacher } from './loss.js'

const PREFIX = 'teacher/'

/**
 * Joins a decoder and its distillation teacher in one graph; both read the same tokens.
 * @returns new graphs; the given ones are not changed
 * @throws LayerpruneError if their vocabularies differ in size
 */
export function joinTeacher(student: DecoderGraph, teacher: DecoderGraph): { student: DecoderGraph; teacher: Teacher } {
  assertSameTokens(student, teacher)
  const folder = commonFolder([student.weightsFolder, teacher.weightsFolder])!
  const model = cloneModel(student.model)
  const own = prefixNames(cloneModel(teacher.model).graph)
  moveWeights(model.graph.initializer, student.weightsFolder, folder)
  moveWeights(own.initializer, teacher.weightsFolder, folder)
  const { graph } = model
  graph.node.push(...own.node)
  graph.initializer.push(...own.initializer)
  graph.valueInfo.push(...own.valueInfo)
  graph.output.push(...own.output)
  const joined = { ...student, model, weightsFolder: folder }
  const states = teacher.states.map((state) => PREFIX + state)
  return { student: joined, teacher: { decoder: { ...joined, states }, logits: `${PREFIX}logits` } }
}

function assertSameTokens(student: DecoderGraph, teacher: DecoderGraph): void {
  const [own, other] = [student, teacher].map(findLogitSize)
  if (own !== undefined && own === other) return
  throw new LayerpruneError(
    `the teacher has ${other ?? 'no'} logits per token, the model that learns from it ${own ?? 'none'}`,
    { hint: 'take the whole model that the pruned one was made from' },
  )
}

/** Prefixes all tensors of a graph except its inputs, in place. */
function prefixNames(graph: GraphProto): GraphProto {
  const names = new Map<string, string>()
  for (const { name } of graph.initializer) names.set(name, PREFIX + name)
  for (const { output } of graph.node) for (const name of output) if (name) names.set(name, PREFIX + name)
  renameReads(graph, names)
  for (const node of graph.node) {
    node.name = PREFIX + node.name
    node.output = node.output.map((name) => names.get(name) ?? name)
  }
  for (const item of [...graph.initializer, ...graph.valueInfo, ...graph.output]) {
    item.name = names.get(item.name) ?? item.name
  }
  return graph
}

/** Makes weights point at their files from another folder, in place. */
function moveWeights(tensors: TensorProto[], from: string, to: string): void {
  for (const tensor of tensors) {
    if (tensor.dataLocation !== DataLocation.EXTERNAL) continue
    const { location, offsetBytes, sizeBytes } = getExternalData(tensor)
    setExternalData(tensor, {
      location: relative(to, join(from, location)),
      offsetBytes,
      sizeBytes: sizeBytes!,
    })
  }
}
