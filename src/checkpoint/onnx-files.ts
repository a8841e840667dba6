import { posix } from 'node:path'
import { LayerpruneError, UsageError } from '../errors.js'

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

/** A precision that a model file is published in, as transformers.js names it. */
export type Dtype = keyof typeof DTYPE_SUFFIXES

/** Every dtype name, best precision first. */
export const DTYPES = Object.keys(DTYPE_SUFFIXES) as Dtype[]

/** Where a published model keeps its graphs: the names begin with one of these. */
const GRAPH_FOLDERS = ['onnx/', '']

export interface OnnxFile {
  /** Relative to the model folder, parts joined by `/`. */
  file: string
  /** Other precisions that the model has, best first. */
  others: Dtype[]
}

/**
 * Chooses the graph file of a model, by dtype as transformers.js does, or by name.
 * @param names      files of the model, relative to its folder, parts joined by `/`
 * @param model      the model's name for messages
 * @param modelFile  path inside the folder, as in `onnx/model_plain.onnx`; wins over `dtype`
 * @param dtype      left out, the best precision present
 * @returns undefined where the model has no graph and none was asked for
 * @throws LayerpruneError where what was asked for is not there
 */
export function chooseOnnxFile(
  names: string[],
  model: string,
  { dtype, modelFile }: { dtype?: Dtype | undefined; modelFile?: string | undefined },
): OnnxFile | undefined {
  const graphs = names.filter((name) => name.endsWith('.onnx'))
  if (modelFile !== undefined) return { file: findNamed(graphs, model, modelFile), others: [] }
  for (const folder of GRAPH_FOLDERS) {
    const fileOf = (name: Dtype) => `${folder}model${DTYPE_SUFFIXES[name]}.onnx`
    const present = DTYPES.filter((name) => graphs.includes(fileOf(name)))
    const chosen = dtype === undefined ? present[0] : present.find((name) => name === dtype)
    if (chosen !== undefined) {
      return { file: fileOf(chosen), others: present.filter((name) => name !== chosen) }
    }
    if (present.length > 0) {
      throw new LayerpruneError(`${model} has no ${dtype} graph; it has ${present.join(', ')}`, {
        hint: `--dtype ${present[0]}`,
      })
    }
  }
  if (graphs.length > 0) {
    throw new LayerpruneError(`${model} has no model*.onnx by a known name; it has ${graphs.join(', ')}`, {
      hint: `--model-file ${graphs[0]}`,
    })
  }
  return undefined
}

function findNamed(graphs: string[], model: string, modelFile: string): string {
  const file = posix.normalize(modelFile.replaceAll('\\', '/'))
  if (posix.isAbsolute(file) || file === '..' || file.startsWith('../')) {
    throw new UsageError(`--model-file ${modelFile} lies outside the model folder ${model}`)
  }
  if (!graphs.includes(file)) {
    throw new LayerpruneError(
      `${model} has no graph ${posix.basename(file)}; it has ${graphs.join(', ') || 'none'}`,
    )
  }
  return file
}
