import { posix } from 'node:path'
import { LayerpruneError, UsageError } from '../../base/errors.js'
import { nameOption } from '../../base/name-option.js'

/** transformers.js's dtype names with the suffix each has in a file name, best precision first. */
const DTYPE_SUFFIXES = {
  fp32: '',
  fp16: '_fp16',
  q8: '_quantized',
  int8: '_int8',
  uint8: '_uint8',
  q4: '_q4',
  q4f16: '_q4f16',
  bnb4: '_bnb4',
  q2: '_q2',
  q2f16: '_q2f16',
  q1: '_q1',
  q1f16: '_q1f16',
} as const

/** A precision that a graph is published in, as transformers.js names it. */
export type GraphDtype = keyof typeof DTYPE_SUFFIXES

/** A precision that a model can be read in: that of a graph, or one that only safetensors are stored in. */
export type Dtype = GraphDtype | 'bf16'

/** Every precision of graphs, best first. */
export const GRAPH_DTYPES = Object.keys(DTYPE_SUFFIXES) as GraphDtype[]

/** Every precision, best first. */
export const DTYPES: Dtype[] = ['fp32', 'bf16', ...GRAPH_DTYPES.filter((name) => name !== 'fp32')]

/** What weights may be stored as, and be chosen by. */
export const FORMATS = ['gguf', 'onnx', 'pytorch', 'safetensors'] as const

/** Where a published model keeps its graphs: the names begin with one of these. */
const GRAPH_FOLDERS = ['onnx/', '']

export interface OnnxFile {
  /** Relative to the model folder, parts joined by `/`. */
  file: string
  /** Other precisions that the model has, best first. */
  others: GraphDtype[]
}

/**
 * Chooses the graph file of a model, by dtype as transformers.js does, or by name.
 * @param names      files of the model, relative to its folder, parts joined by `/`
 * @param model      the model's name for messages
 * @param modelFile  path inside the folder, as in `onnx/model_plain.onnx`; wins over `dtype`
 * @param dtype      if omitted, the best precision present
 * @returns undefined if the model has no graph and none was asked for
 * @throws LayerpruneError if what was asked for is not there
 */
export function chooseOnnxFile(
  names: string[],
  model: string,
  { dtype, modelFile }: { dtype?: Dtype | undefined; modelFile?: string | undefined },
): OnnxFile | undefined {
  const graphs = names.filter((name) => name.endsWith('.onnx'))
  if (modelFile !== undefined) return { file: findNamed(graphs, model, modelFile), others: [] }
  for (const folder of GRAPH_FOLDERS) {
    const present = listDtypes(graphs, folder)
    const chosen = dtype === undefined ? present[0] : present.find((name) => name === dtype)
    if (chosen !== undefined) {
      return { file: nameGraph(folder, chosen), others: present.filter((name) => name !== chosen) }
    }
    if (present.length > 0) {
      throw new LayerpruneError(`${model} has no ${dtype} graph; it has ${present.join(', ')}`, {
        hint: nameOption('dtype', present[0]),
      })
    }
  }
  if (graphs.length > 0) {
    throw new LayerpruneError(`${model} has no model*.onnx by a known name; it has ${graphs.join(', ')}`, {
      hint: nameOption('modelFile', graphs[0]),
    })
  }
  return undefined
}

/** Whether a model has a graph of a precision where `chooseOnnxFile` finds it. */
export function hasGraph(names: string[], dtype: GraphDtype): boolean {
  const present = GRAPH_FOLDERS.map((folder) => listDtypes(names, folder)).find(({ length }) => length > 0)
  return present?.includes(dtype) ?? false
}

function listDtypes(graphs: string[], folder: string): GraphDtype[] {
  return GRAPH_DTYPES.filter((name) => graphs.includes(nameGraph(folder, name)))
}

function nameGraph(folder: string, dtype: GraphDtype): string {
  return `${folder}model${DTYPE_SUFFIXES[dtype]}.onnx`
}

function findNamed(graphs: string[], model: string, modelFile: string): string {
  const file = posix.normalize(modelFile.replaceAll('\\', '/'))
  if (posix.isAbsolute(file) || file === '..' || file.startsWith('../')) {
    throw new UsageError(`${nameOption('modelFile', modelFile)} lies outside the model folder ${model}`)
  }
  if (!graphs.includes(file)) {
    throw new LayerpruneError(`${model} has no graph ${posix.basename(file)}; it has ${graphs.join(', ') || 'none'}`)
  }
  return file
}
