import { join, posix } from 'node:path'
import { buildDecoder, isKnownDecoder, isKnownFamily } from './builder/build-decoder.js'
import { decoderPart, interpretConfig, type ModelConfig, readConfigFile } from './checkpoint/config.js'
import { type ModelSource, type ModelSourceOptions, openModelSource } from './checkpoint/model-source.js'
import { chooseOnnxFile, type Dtype, hasGraph } from './checkpoint/onnx-files.js'
import {
  findSafetensors,
  INDEX_FILE,
  listShards,
  openSafetensors,
  type SafetensorsCheckpoint,
} from './checkpoint/safetensors.js'
import { LayerpruneError, UsageError } from './errors.js'
import { unknownFamily } from './families/unknown-family.js'
import { findMatrixType } from './graph/cast-per-run.js'
import type { DecoderGraph } from './graph/decoder-graph.js'
import { FLOAT_DTYPES } from './graph/element-types.js'
import { listExternalFiles } from './graph/external-data.js'
import { assertFiniteWeights } from './graph/finite-weights.js'
import { readOnnxDecoder } from './graph/onnx-file.js'
import { describePrecision, type GraphPrecision } from './graph/precision.js'
import { readHubSettings } from './hub/settings.js'
import { describeQuantized, quantizeDecoder } from './int8/quantize-decoder.js'

/** Precisions besides fp32 in which commands that measure a model may compute safetensors. */
export const MEASURED_DTYPES: NonNullable<ModelOptions['computedDtypes']> = ['bf16', 'fp16', 'q8']

/** Formats that a decoder can be read from. */
export type Format = 'onnx' | 'safetensors'

export interface ModelOptions extends ModelSourceOptions {
  /** Which published precision to read; if omitted, fp32 from safetensors, or the best graph present. */
  dtype?: Dtype | undefined
  /** A graph file inside the folder, by name; wins over `dtype`. */
  modelFile?: string | undefined
  /** Precisions besides fp32 that safetensors may be computed in: for measuring a model, not for changing it. */
  computedDtypes?: ('bf16' | 'fp16' | 'q8')[] | undefined
  /** The model is only described: its weights are not checked, nor quantised for q8. */
  describesOnly?: boolean | undefined
  /** If omitted, safetensors if present and of a known family: they are the model itself. */
  format?: Format | undefined
}

/** A decoder ready to be tapped, with what its checkpoint says of it. */
export interface Model {
  /** As the user named it. */
  id: string
  /** Commit of the Hub; null for a folder that the user named. */
  revision: string | null
  /** Branch, tag or commit that was asked for; null if none was. */
  askedRevision: string | null
  /** Real folder of config and tokenizer. */
  folder: string
  config: ModelConfig
  decoder: DecoderGraph
  precision: GraphPrecision
  format: Format
  /** The graph, the weights or the index of the weights that was read, relative to the folder. */
  file: string
  /** Real paths of the files that hold its weights as they were published; none if they are inside the graph. */
  weightFiles: string[]
}

/** A model whose config was read and whose weights were chosen, not yet opened. */
export interface LocatedModel
  extends Pick<Model, 'id' | 'revision' | 'askedRevision' | 'folder' | 'config' | 'format'> {
  /** Name of the file that its safetensors are opened by; undefined if it has none. */
  checkpoint: string | undefined
  /** Where its files are; its config, its tokenizer, and its safetensors if chosen, are in the folder. */
  source: ModelSource
}

const CONFIG_FILES = ['config.json', 'genai_config.json', 'generation_config.json']
const TOKENIZER_FILES = [
  'tokenizer.json',
  'tokenizer_config.json',
  'special_tokens_map.json',
  'added_tokens.json',
  'chat_template.jinja',
]

/**
 * Reads the config of a model and chooses which of its weights to read.
 * @throws UsageError if the options contradict each other
 * @throws LayerpruneError if the model or its config is missing or damaged
 */
export async function locateModel(options: ModelOptions): Promise<LocatedModel> {
  const source = await openModelSource(options)
  const { id, revision, folder, names } = source
  await source.provide(CONFIG_FILES)
  const config = await readConfig(source)
  const checkpoint = findSafetensors(names)
  const format = chooseFormat(source, config, checkpoint, options)
  await source.provide(TOKENIZER_FILES)
  if (format === 'safetensors' && checkpoint !== undefined) {
    await source.provide([checkpoint])
    if (checkpoint === INDEX_FILE) await source.provide(await listShards(folder))
  }
  const askedRevision = options.revision ?? null
  return { id, revision, askedRevision, folder, config, format, checkpoint, source }
}

/** If sizes have unknown names, the family is unknown. */
async function readConfig({ folder, names }: ModelSource): Promise<ModelConfig> {
  const { content, path } = await readConfigFile(folder, names)
  try {
    return interpretConfig(content, path)
  } catch (error) {
    const decoder = decoderPart(content)
    if (!(error instanceof LayerpruneError) || isKnownFamily(String(decoder.model_type))) throw error
    throw unknownFamily(decoder, error.message)
  }
}

/**
 * Opens a model: reads its config, and its graph from ONNX or by building it from safetensors.
 * @throws UsageError if the options contradict each other
 * @throws LayerpruneError if something is missing, damaged or not supported
 */
export async function openModel(options: ModelOptions): Promise<Model> {
  const { checkpoint, source, ...located } = await locateModel(options)
  const { config, format } = located
  const opened =
    format === 'safetensors'
      ? await openFromSafetensors(source, config, checkpoint, options)
      : await openFromOnnx(source, config, options)
  return { ...located, ...opened }
}

function chooseFormat(
  { id, names }: ModelSource,
  config: ModelConfig,
  checkpoint: string | undefined,
  { format, dtype, modelFile, computedDtypes = [], onNote }: ModelOptions,
): Format {
  const computed = computedDtypes.find((name) => name === dtype)
  if (format === 'safetensors' && modelFile !== undefined) {
    throw new UsageError(`--model-file ${modelFile} names a graph, but --format safetensors was given`)
  }
  if (format === 'safetensors' && dtype !== undefined && dtype !== 'fp32' && !computed) {
    throw new UsageError(
      `safetensors are computed in ${['fp32', ...computedDtypes].join(' or ')}, but --dtype ${dtype} was given`,
      {
        hint: 'omit --dtype, or take a graph with --format onnx',
      },
    )
  }
  if (format !== undefined) return format
  if (modelFile !== undefined) return 'onnx'
  if (computed) return chooseComputedFormat(computed, names, config, checkpoint, onNote)
  if (dtype !== undefined && dtype !== 'fp32') return 'onnx'
  if (checkpoint !== undefined && isKnownDecoder(config)) {
    const hasGraph = names.some((name) => name.endsWith('.onnx'))
    onNote?.(
      `reading ${checkpoint} in fp32${hasGraph ? '; an ONNX graph is present too; read it with --format onnx' : ''}`,
    )
    return 'safetensors'
  }
  const graph = chooseOnnxFile(names, id, { dtype })
  if (graph && checkpoint !== undefined) {
    onNote?.(
      `${config.wrapper ?? config.family} models cannot be read from ${checkpoint} yet, so a graph is read`,
    )
  }
  return graph ? 'onnx' : 'safetensors'
}

/**
 * Safetensors, if present and of a known family. A published q8 graph rounds the activations of a whole batch by one
 * scale, which costs far more accuracy than rounding weights; a published fp16 graph is what was asked for.
 */
function chooseComputedFormat(
  dtype: 'bf16' | 'fp16' | 'q8',
  names: string[],
  config: ModelConfig,
  checkpoint: string | undefined,
  onNote?: (message: string) => void,
): Format {
  if (checkpoint === undefined || !isKnownDecoder(config)) return 'onnx'
  if (dtype === 'q8') {
    const other = hasGraph(names, 'q8') ? '; a q8 graph is present too; read it with --format onnx' : ''
    onNote?.(`reading ${checkpoint} in q8: int8 weights, activations rounded token by token${other}`)
    return 'safetensors'
  }
  if (dtype === 'fp16' && hasGraph(names, 'fp16')) {
    onNote?.(`reading the fp16 graph; --format safetensors reads ${checkpoint}, and computes in float32`)
    return 'onnx'
  }
  onNote?.(`reading ${checkpoint} in ${dtype}: weights as they are stored, computed in float32`)
  return 'safetensors'
}

type Opened = Pick<Model, 'decoder' | 'precision' | 'file' | 'weightFiles'>

/** If there are no safetensors, opening them reports what the folder has instead. */
async function openFromSafetensors(
  { folder, names }: ModelSource,
  config: ModelConfig,
  file = 'model.safetensors',
  options: ModelOptions,
): Promise<Opened> {
  const { dtype = 'fp32', describesOnly, signal } = options
  const checkpoint = await openSafetensors(folder, names)
  const { tensors } = checkpoint
  const built = buildDecoder(config, checkpoint)
  if (dtype !== 'fp32' && dtype !== 'q8') assertStoredIn(dtype, built, file)
  const decoder = await computeIn(dtype, built, { ...options, tensors })
  if (!describesOnly) await assertFiniteWeights(decoder, { tensors, signal })
  const precision = { dtype, sharesScaleInBatch: false }
  return { decoder, precision, file, weightFiles: listWeightFiles(built) }
}

async function computeIn(
  dtype: Dtype,
  built: DecoderGraph,
  { describesOnly, tensors, signal, onNote }: ModelOptions & Pick<SafetensorsCheckpoint, 'tensors'>,
): Promise<DecoderGraph> {
  if (dtype === 'fp32') return built
  if (dtype !== 'q8') return { ...built, castsPerRun: true }
  if (describesOnly) return describeQuantized(built)
  return quantizeDecoder(built, { cacheFolder: readHubSettings().layerpruneFolder, tensors, signal, onNote })
}

/** Norms and biases are often stored in float32 beside the matrices: only the matrices count. */
function assertStoredIn(dtype: Dtype, { model }: DecoderGraph, file: string): void {
  const type = findMatrixType(model.graph)
  const stored = type === undefined ? 'fp32' : FLOAT_DTYPES.get(type)!.replace(/^F/, 'fp').toLowerCase()
  if (stored === dtype) return
  throw new LayerpruneError(`${file} stores its matrices in ${stored}, but --dtype ${dtype} was given`, {
    hint: `--dtype ${stored}`,
  })
}

async function openFromOnnx(
  source: ModelSource,
  config: ModelConfig,
  options: ModelOptions,
): Promise<Opened> {
  const { id, folder, names } = source
  const onnx = chooseOnnxFile(names, id, options)
  if (!onnx) {
    throw new LayerpruneError(`${id} has no .onnx graph in onnx/ or at its top`, {
      hint: 'take a model that has one, or name the file with --model-file',
    })
  }
  await source.provide([onnx.file])
  const provide = (locations: string[]) =>
    source.provide(locations.map((location) => posix.join(posix.dirname(onnx.file), location)))
  const decoder = await readOnnxDecoder(join(folder, onnx.file), config.layers, provide)
  if (!options.describesOnly) await assertFiniteWeights(decoder, { signal: options.signal })
  const precision = describePrecision(decoder)
  if (options.dtype === 'fp32' && precision.dtype !== 'fp32') {
    throw new LayerpruneError(`fp32 was requested, but ${onnx.file} computes in ${precision.dtype}`, {
      hint: `--dtype ${precision.dtype}, or another --model-file`,
    })
  }
  if (options.dtype === undefined && options.modelFile === undefined) {
    const others = onnx.others.length > 0 ? `; also there: ${onnx.others.join(', ')}` : ''
    options.onNote?.(`reading ${onnx.file} (${precision.dtype}${others})`)
  }
  return { decoder, precision, file: onnx.file, weightFiles: listWeightFiles(decoder) }
}

function listWeightFiles({ model, weightsFolder }: DecoderGraph): string[] {
  return listExternalFiles(model.graph, weightsFolder)
}
