import type { DecoderGraph } from '../graph/decoder-graph.js'
import { integerAttribute } from '../graph/onnx/constants.js'
import {
  BATCH,
  cloneModel,
  DataType,
  type GraphProto,
  MICROSOFT_DOMAIN,
  type ModelProto,
  makeInt64Tensor,
  makeNode,
  type NodeProto,
} from '../graph/onnx/onnx.js'
import { removeDeadNodes } from '../graph/onnx/topology.js'
import { BLOCK_SIZE, type BlockBits } from './blocks.js'
import type { ExportForm } from './dtypes.js'
import { castToHalf } from './half-precision.js'
import { type ExportedWeight, makeBlocks, makeFloats } from './weight-forms.js'
import { findWeightValues, type WeightValues } from './weight-values.js'

/** A graph to publish: its weights are computed when it is written. */
export interface ExportedGraph {
  model: ModelProto
  /** In the order in which the graph reads them. */
  weights: ExportedWeight[]
}

/** Matrices with fewer outputs, such as routers of experts, stay floating-point: they are small, and errors in them cost most. */
const LEAST_OUTPUTS = 64
/** How accurate products of blocks are: 4 rounds tokens to int8 in blocks too. */
const ACCURACY_LEVEL = 4

/** How transformers.js calls the number of texts. */
const PUBLISHED_BATCH = 'batch_size'

/**
 * Turns a decoder's graph with caches into one that can be published: of operators that every provider of ONNX Runtime
 * has, with weights of its own in the given form, instead of ones that are computed when it is loaded.
 */
export function makeExportedGraph(decoder: Pick<DecoderGraph, 'model'>, form: ExportForm): ExportedGraph {
  const model = cloneModel(decoder.model)
  const { graph } = model
  const values = findWeightValues(graph)
  const writer = new ExportWriter(graph, values, form)
  graph.node = graph.node.filter((node) => !values.nodes.has(node)).flatMap((node) => writer.rewrite(node))
  graph.initializer = [...graph.initializer.filter(({ name }) => !values.isWeight(name)), ...writer.constants.values()]
  const halves = new Set<string>()
  for (const { tensors } of writer.weights.values()) {
    for (const tensor of tensors) if (tensor.dataType === DataType.FLOAT16) halves.add(tensor.name)
  }
  if (form.type === DataType.FLOAT16) castToHalf(graph, (name) => halves.has(name))
  graph.valueInfo = []
  renameBatch(graph)
  removeDeadNodes(graph)
  const weights = [...writer.weights.values()]
  graph.initializer.push(...weights.flatMap(({ tensors }) => tensors))
  return { model, weights }
}

class ExportWriter {
  readonly weights = new Map<string, ExportedWeight>()
  readonly constants = new Map<string, GraphProto['initializer'][number]>()
  readonly #values: WeightValues
  readonly #form: ExportForm
  /** Stored tables that ids are looked up in. */
  readonly #tables: ReadonlySet<string>
  /** Their numbers of rows: a matrix of so many outputs is the head. */
  readonly #tableRows: ReadonlySet<number>

  constructor(graph: GraphProto, values: WeightValues, form: ExportForm) {
    this.#values = values
    this.#form = form
    const lookUps = graph.node.filter((node) => !values.nodes.has(node) && isLookUp(node, values))
    this.#tables = new Set(lookUps.map(({ input }) => input[0]!))
    this.#tableRows = new Set([...this.#tables].map((table) => values.shapeOf(table)[0]!))
  }

  /** The nodes that take the place of one that reads tokens. */
  rewrite(node: NodeProto): NodeProto[] {
    const { isWeight } = this.#values
    if (isLookUp(node, this.#values)) return this.#lookUp(node)
    const product = readProduct(node, this.#values)
    if (product !== undefined) return this.#multiply(node, product)
    if (node.opType === 'FusedMatMul') throw new Error(`node ${node.name} has no form to publish`)
    node.input = node.input.map((name) => (isWeight(name) ? this.#floats(name) : name))
    return [node]
  }

  #lookUp({ input, output, attribute }: NodeProto): NodeProto[] {
    const [table, ids] = input as [string, string]
    const shape = this.#values.shapeOf(table)
    const blocks = this.#blocks({ source: table, shape })
    if (blocks === undefined) {
      const node = makeNode('Gather', [this.#floats(table, this.#form.type), ids], output)
      node.attribute = attribute
      return [node]
    }
    const { numbers, scales, bits } = blocks
    const flat = this.#integers([shape[0]!, (shape[1]! * bits) / 8])
    const rows = `${numbers}/rows`
    return [
      makeNode('Reshape', [numbers, flat], [rows]),
      makeNode(
        'GatherBlockQuantized',
        [rows, ids, scales],
        output,
        { bits, block_size: BLOCK_SIZE, gather_axis: 0, quantize_axis: 1 },
        MICROSOFT_DOMAIN,
      ),
    ]
  }

  #multiply({ output }: NodeProto, { input, weight, byOutput, shape }: Product): NodeProto[] {
    const { type } = this.#form
    const [outputs, inputs] = byOutput ? shape : shape.toReversed()
    const blocks = this.#blocks({ source: weight, isTransposed: !byOutput, shape: [outputs!, inputs!] })
    if (blocks !== undefined) {
      const { numbers, scales, bits } = blocks
      const attributes = { K: inputs!, N: outputs!, bits, block_size: BLOCK_SIZE, accuracy_level: ACCURACY_LEVEL }
      return [makeNode('MatMulNBits', [input, numbers, scales], output, attributes, MICROSOFT_DOMAIN)]
    }
    const table = this.#values.storedAs(weight)
    if (byOutput && table !== undefined && this.#tables.has(table)) {
      return this.#multiplyByTable(input, output[0]!, this.#floats(table, type), outputs!, inputs!)
    }
    const matrix = this.#matrix({ source: weight, isTransposed: byOutput, shape: [inputs!, outputs!] })
    return [makeNode('MatMul', [input, matrix], output)]
  }

  /** Reads a table [outputs, inputs] that ids are looked up in too, so that it is stored once. */
  #multiplyByTable(input: string, output: string, table: string, outputs: number, inputs: number): NodeProto[] {
    const [rows, product, shape] = ['rows', 'product', 'shape'].map((part) => `${output}/${part}`) as [
      string,
      string,
      string,
    ]
    const flat = this.#integers([-1, inputs])
    const sizes = `${shape}/tokens`
    return [
      makeNode('Reshape', [input, flat], [rows]),
      makeNode('Gemm', [rows, table], [product], { transB: 1 }),
      makeNode('Shape', [input], [sizes], { end: -1 }),
      makeNode('Concat', [sizes, this.#integers([outputs])], [shape], { axis: 0 }),
      makeNode('Reshape', [product, shape], [output]),
    ]
  }

  /** A matrix [rows, width] in blocks; undefined if its form is another. */
  #blocks({ source, isTransposed = false, shape }: Matrix): Blocks | undefined {
    const { bits: usual, vocabularyBits, type } = this.#form
    const [rows, width] = shape as [number, number]
    if (usual === undefined || shape.length !== 2 || width % BLOCK_SIZE !== 0 || rows < LEAST_OUTPUTS) return undefined
    const bits = this.#tableRows.has(rows) ? vocabularyBits : usual
    const stored = this.#values.storedAs(source) ?? source
    const key = `blocks ${stored} ${isTransposed}`
    if (!this.weights.has(key)) {
      this.weights.set(key, makeBlocks({ source, isTransposed, name: stored, shape }, { bits, scales: type }))
    }
    const [numbers, scales] = this.weights.get(key)!.tensors.map(({ name }) => name) as [string, string]
    return { numbers, scales, bits }
  }

  #matrix({ source, isTransposed, shape }: { source: string; isTransposed: boolean; shape: number[] }): string {
    const stored = this.#values.storedAs(source) ?? source
    const key = `matrix ${stored} ${isTransposed}`
    if (!this.weights.has(key)) {
      const name = isTransposed ? `${stored}_transposed` : stored
      this.weights.set(key, makeFloats({ source, isTransposed, name, shape }, this.#form.type))
    }
    return this.weights.get(key)!.tensors[0]!.name
  }

  #floats(source: string, type: ExportForm['type'] = DataType.FLOAT): string {
    const stored = this.#values.storedAs(source) ?? source
    const key = `floats ${stored} ${type}`
    if (!this.weights.has(key)) {
      this.weights.set(key, makeFloats({ source, name: stored, shape: this.#values.shapeOf(source) }, type))
    }
    return this.weights.get(key)!.tensors[0]!.name
  }

  #integers(values: number[]): string {
    const name = `integers[${values.length}]:${values}`
    this.constants.set(name, makeInt64Tensor(name, [values.length], values))
    return name
  }
}

interface Matrix {
  source: string
  isTransposed?: boolean
  /** Once exchanged. */
  shape: number[]
}

/** Names of the tensors of a matrix in blocks. */
interface Blocks {
  numbers: string
  scales: string
  bits: BlockBits
}

interface Product {
  input: string
  weight: string
  /** Whether the matrix is [outputs, inputs] instead of [inputs, outputs]. */
  byOutput: boolean
  shape: number[]
}

/** The product of tokens with a matrix of weights; undefined if a node is none. */
function readProduct(node: NodeProto, { isWeight, shapeOf }: WeightValues): Product | undefined {
  const [input, weight] = node.input
  const isPlain =
    node.opType === 'MatMul' || (node.opType === 'FusedMatMul' && integerAttribute(node, 'transA', 0) === 0)
  if (!isPlain || !isWeight(weight!) || isWeight(input!)) return undefined
  const shape = shapeOf(weight!)
  if (shape.length !== 2) return undefined
  return { input: input!, weight: weight!, byOutput: integerAttribute(node, 'transB', 0) === 1, shape }
}

function isLookUp(node: NodeProto, { isWeight }: WeightValues): boolean {
  return node.opType === 'Gather' && isWeight(node.input[0]!) && integerAttribute(node, 'axis', 0) === 0
}

function renameBatch(graph: GraphProto): void {
  for (const { type } of [...graph.input, ...graph.output]) {
    if (type?.value.case !== 'tensorType') continue
    for (const { value } of type.value.value.shape?.dim ?? []) {
      if (value.case === 'dimParam' && value.value === BATCH) value.value = PUBLISHED_BATCH
    }
  }
}
