import { readdir, stat } from 'node:fs/promises'
import { resolve } from 'node:path'
import { type ModelConfig, readModelConfig } from './checkpoint/config.js'
import { type Dtype, findOnnxFile } from './checkpoint/onnx-files.js'
import { openSafetensors } from './checkpoint/safetensors.js'
import { LayerpruneError, UsageError } from './errors.js'
import { buildDecoder, isKnownFamily } from './graph/build/build-decoder.js'
import type { DecoderGraph } from './graph/decoder-graph.js'
import { readOnnxDecoder } from './graph/onnx-file.js'
import { describePrecision, type GraphPrecision } from './graph/precision.js'

/** What a decoder can be read from. */
export const FORMATS = ['onnx', 'safetensors'] as const

export type Format = (typeof FORMATS)[number]

export interface ModelOptions {
  /** Folder with config.json, the tokenizer and the weights. */
  model: string
  /** Which published precision to read; left out, fp32 from safetensors, or the best graph present. */
  dtype?: Dtype | undefined
  /** A graph file inside the folder, by name; wins over `dtype`. */
  modelFile?: string | undefined
  /** Left out: safetensors where they are there and their family is known, for they are the model itself. */
  format?: Format | undefined
  /** Told what was chosen where the caller left a choice. */
  onNote?: ((message: string) => void) | undefined
}

/** A decoder ready to be tapped, with what its checkpoint says of it. */
export interface Model {
  /** As the user named it. */
  id: string
  /** Real folder of config and tokenizer. */
  folder: string
  config: ModelConfig
  decoder: DecoderGraph
  precision: GraphPrecision
  format: Format
  /** The graph, the weights or the index of the weights that was read, relative to the folder. */
  file: string
}

/** A model folder whose config was read and whose weights were chosen, not yet opened. */
export interface LocatedModel extends Pick<Model, 'id' | 'folder' | 'config' | 'format'> {
  /** Name of the file that its safetensors are opened by; undefined where it has none. */
  checkpoint: string | undefined
}

/**
 * Reads the config of a model folder and chooses which of its weights to read.
 * @throws UsageError where the options contradict each other
 * @throws LayerpruneError where the folder or its config is missing or damaged
 */
export async function locateModel(options: ModelOptions): Promise<LocatedModel> {
  const folder = resolve(options.model)
  await assertFolder(folder, options.model)
  const config = await readModelConfig(folder)
  const checkpoint = await findCheckpoint(folder)
  const format = await chooseFormat(folder, config, checkpoint, options)
  return { id: options.model, folder, config, format, checkpoint }
}

/**
 * Opens a model folder: reads its config, and its graph from ONNX or by building it from safetensors.
 * @throws UsageError where the options contradict each other
 * @throws LayerpruneError where something is missing, damaged or not supported
 */
export async function openModel(options: ModelOptions): Promise<Model> {
  const { checkpoint, ...located } = await locateModel(options)
  const { folder, config, format } = located
  const opened =
    format === 'safetensors'
      ? await openFromSafetensors(folder, config, checkpoint)
      : await openFromOnnx(folder, config, options)
  return { ...located, ...opened }
}

async function findCheckpoint(folder: string): Promise<string | undefined> {
  const names = (await readdir(folder)).sort()
  const index = 'model.safetensors.index.json'
  return (
    ['model.safetensors', index].find((name) => names.includes(name)) ??
    names.find((name) => name.endsWith('.safetensors'))
  )
}

async function chooseFormat(
  folder: string,
  config: ModelConfig,
  checkpoint: string | undefined,
  { format, dtype, modelFile, onNote }: ModelOptions,
): Promise<Format> {
  if (format === 'safetensors' && modelFile !== undefined) {
    throw new UsageError(`--model-file ${modelFile} names a graph, and --format safetensors was asked for`)
  }
  if (format === 'safetensors' && dtype !== undefined && dtype !== 'fp32') {
    throw new UsageError(`safetensors are computed in fp32, and --dtype ${dtype} was asked for`, {
      hint: 'leave --dtype out, or take a graph with --format onnx',
    })
  }
  if (format !== undefined) return format
  if (modelFile !== undefined || (dtype !== undefined && dtype !== 'fp32')) return 'onnx'
  if (checkpoint !== undefined && isKnownFamily(config.family)) {
    const other = (await hasGraph(folder)) ? '; a graph is there too: --format onnx reads that' : ''
    onNote?.(`reading ${checkpoint} in fp32${other}`)
    return 'safetensors'
  }
  const graph = await findOnnxFile(folder, { dtype })
  if (graph && checkpoint !== undefined) {
    onNote?.(`${config.family} models cannot be read from ${checkpoint} yet, so a graph is read`)
  }
  return graph ? 'onnx' : 'safetensors'
}

async function hasGraph(folder: string): Promise<boolean> {
  const names = await readdir(folder)
  const lists = [names, names.includes('onnx') ? await readdir(resolve(folder, 'onnx')) : []]
  return lists.flat().some((name) => name.endsWith('.onnx'))
}

type Opened = Pick<Model, 'decoder' | 'precision' | 'file'>

/** Without weights of that form, opening them says what the folder has instead. */
async function openFromSafetensors(
  folder: string,
  config: ModelConfig,
  file = 'model.safetensors',
): Promise<Opened> {
  const decoder = buildDecoder(config, await openSafetensors(folder))
  return { decoder, precision: { dtype: 'fp32', sharesScaleInBatch: false }, file }
}

async function openFromOnnx(folder: string, config: ModelConfig, options: ModelOptions): Promise<Opened> {
  const onnx = await findOnnxFile(folder, options)
  if (!onnx) {
    throw new LayerpruneError(`${options.model} has no .onnx graph in onnx/ or at its top`, {
      hint: 'download the onnx folder of the model, or name the file with --model-file',
    })
  }
  const decoder = await readOnnxDecoder(onnx.path, config.layers)
  const precision = describePrecision(decoder)
  if (options.dtype === 'fp32' && precision.dtype !== 'fp32') {
    throw new LayerpruneError(`fp32 was asked for, and ${onnx.file} computes in ${precision.dtype}`, {
      hint: `--dtype ${precision.dtype}, or another --model-file`,
    })
  }
  if (options.dtype === undefined && options.modelFile === undefined) {
    const others = onnx.others.length > 0 ? `; also there: ${onnx.others.join(', ')}` : ''
    options.onNote?.(`reading ${onnx.file} (${precision.dtype}${others})`)
  }
  return { decoder, precision, file: onnx.file }
}

async function assertFolder(folder: string, named: string): Promise<void> {
  const info = await stat(folder).catch((cause: NodeJS.ErrnoException) => {
    const reason = cause.code === 'ENOENT' ? 'does not exist' : `cannot be read: ${cause.message}`
    throw new LayerpruneError(`model folder ${named} ${reason}`, {
      hint: 'give a folder with config.json, tokenizer.json and the weights, as downloaded from the Hub',
      cause,
    })
  })
  if (!info.isDirectory()) {
    throw new LayerpruneError(`${named} is a file, expected the model's folder`, {
      hint: 'name the folder with --model and a graph inside it with --model-file',
    })
  }
}
