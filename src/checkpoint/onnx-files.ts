import { readdir } from 'node:fs/promises'
import { basename, join, relative, resolve, sep } from 'node:path'
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

/** Where a published model keeps its graphs. */
const GRAPH_FOLDERS = ['onnx', '.']

export interface OnnxFile {
  /** Relative to the model folder. */
  file: string
  path: string
  /** Other precisions that the folder has, best first. */
  others: Dtype[]
}

/**
 * Chooses the graph file of a model folder, by dtype as transformers.js does, or by name.
 * @param modelFile path inside the folder, as in `onnx/model_plain.onnx`; wins over `dtype`
 * @param dtype left out, the best precision present
 * @returns undefined where the folder has no graph and none was asked for
 * @throws LayerpruneError where what was asked for is not there
 */
export async function findOnnxFile(
  folder: string,
  { dtype, modelFile }: { dtype?: Dtype | undefined; modelFile?: string | undefined },
): Promise<OnnxFile | undefined> {
  const graphs = await listGraphs(folder)
  if (modelFile !== undefined) return namedFile(folder, modelFile, graphs)
  for (const graphFolder of GRAPH_FOLDERS) {
    const present = DTYPES.filter((name) =>
      graphs.includes(join(graphFolder, `model${DTYPE_SUFFIXES[name]}.onnx`)),
    )
    const chosen = dtype === undefined ? present[0] : present.find((name) => name === dtype)
    if (chosen !== undefined) {
      const file = join(graphFolder, `model${DTYPE_SUFFIXES[chosen]}.onnx`)
      return { file, path: join(folder, file), others: present.filter((name) => name !== chosen) }
    }
    if (present.length > 0) {
      throw new LayerpruneError(`${folder} has no ${dtype} graph; it has ${present.join(', ')}`, {
        hint: `--dtype ${present[0]}`,
      })
    }
  }
  if (graphs.length > 0) {
    throw new LayerpruneError(`${folder} has no model*.onnx by a known name; it has ${graphs.join(', ')}`, {
      hint: `--model-file ${graphs[0]}`,
    })
  }
  return undefined
}

function namedFile(folder: string, modelFile: string, graphs: string[]): OnnxFile {
  const path = resolve(folder, modelFile)
  const file = relative(folder, path)
  if (file.startsWith(`..${sep}`))
    throw new UsageError(`--model-file ${modelFile} lies outside the model folder ${folder}`)
  if (!graphs.includes(file)) {
    throw new LayerpruneError(
      `${folder} has no graph ${basename(modelFile)}; it has ${graphs.join(', ') || 'none'}`,
    )
  }
  return { file, path, others: [] }
}

async function listGraphs(folder: string): Promise<string[]> {
  const lists = await Promise.all(
    GRAPH_FOLDERS.map(async (graphFolder) => {
      const names = await readdir(join(folder, graphFolder)).catch((cause) => {
        if (cause.code === 'ENOENT' || cause.code === 'ENOTDIR') return []
        throw new LayerpruneError(`${join(folder, graphFolder)} cannot be read: ${cause.message}`, { cause })
      })
      return names.filter((name) => name.endsWith('.onnx')).map((name) => join(graphFolder, name))
    }),
  )
  return lists.flat().sort()
}
