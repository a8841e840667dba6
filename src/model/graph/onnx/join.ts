import { relative, resolve } from 'node:path'
import { LayerpruneError } from '../../../base/errors.js'
import type { DecoderGraph } from '../decoder-graph.js'
import { renameReads } from '../redirect-state.js'
import { commonFolder, getExternalData } from './external-data.js'
import { copyMessage, DataLocation, type ModelProto, opsetOf, type TensorProto } from './onnx.js'

/**
 * Joins two graphs. Inputs of the same name become one, unless they are kept apart; every other
 * tensor of the second graph, outputs included, gets `prefix` before its name. Its nodes are changed in place.
 * @returns a graph with the outputs of the first, whose weights are relative to a folder above both
 * @throws LayerpruneError if the graphs use other versions of the operators
 */
export function joinGraphs(
  first: DecoderGraph,
  second: DecoderGraph,
  { prefix, apart }: { prefix: string; apart: string[] },
): DecoderGraph {
  const [own, other] = [first.model.graph, second.model.graph]
  const versions = [opsetOf(first.model), opsetOf(second.model)]
  if (versions[0] !== versions[1]) {
    throw new LayerpruneError(
      `the graphs of the two models use versions ${versions.join(' and ')} of ONNX's operators and cannot be joined`,
      { hint: 'read both from the same format: `format: safetensors` or `format: onnx`' },
    )
  }
  const shared = new Set(own.input.map(({ name }) => name).filter((name) => !apart.includes(name)))
  const rename = (name: string) => (name === '' || shared.has(name) ? name : prefix + name)
  const written = [...other.initializer.map(({ name }) => name), ...other.node.flatMap(({ output }) => output)]
  const inputs = other.input.filter(({ name }) => !shared.has(name))
  const names = [...written, ...inputs.map(({ name }) => name)].map((name) => [name, rename(name)] as const)
  renameReads(other, new Map(names))
  for (const node of other.node) {
    node.output = node.output.map(rename)
    if (node.name !== '') node.name = prefix + node.name
  }
  const weightsFolder = commonFolder([first.weightsFolder, second.weightsFolder])!
  const graph = copyMessage(own, {
    node: [...own.node, ...other.node],
    input: [...own.input, ...inputs.map((input) => copyMessage(input, { name: rename(input.name) }))],
    initializer: [
      ...own.initializer.map((tensor) => relocate(tensor, first.weightsFolder, weightsFolder)),
      ...other.initializer.map((tensor) =>
        copyMessage(relocate(tensor, second.weightsFolder, weightsFolder), { name: rename(tensor.name) }),
      ),
    ],
    valueInfo: [...own.valueInfo, ...other.valueInfo.map((info) => copyMessage(info, { name: rename(info.name) }))],
  })
  const opsetImport = joinOpsets(first.model, second.model)
  return { ...first, model: copyMessage(first.model, { graph, opsetImport }), weightsFolder }
}

/** Operator sets of both models, without repeats; ONNX Runtime's own domains have only one version. */
function joinOpsets(first: ModelProto, second: ModelProto): ModelProto['opsetImport'] {
  const domains = new Set(first.opsetImport.map(({ domain }) => domain))
  return [...first.opsetImport, ...second.opsetImport.filter(({ domain }) => !domains.has(domain))]
}

/** A weight whose file is named relative to another folder. */
function relocate(tensor: TensorProto, from: string, to: string): TensorProto {
  if (tensor.dataLocation !== DataLocation.EXTERNAL) return tensor
  const location = relative(to, resolve(from, getExternalData(tensor).location))
  const externalData = tensor.externalData.map((entry) =>
    entry.key === 'location' ? copyMessage(entry, { value: location }) : entry,
  )
  return copyMessage(tensor, { externalData })
}
