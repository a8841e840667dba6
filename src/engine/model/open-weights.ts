import { join, posix } from 'node:path'
import { LayerpruneError } from '../../base/errors.js'
import { formatBits, formatList } from '../../base/format-numbers.js'
import { nameOption } from '../../base/name-option.js'
import type { ChosenWeights, TensorFormat, WeightOptions } from '../../files/checkpoint/choose-weights.js'
import type { ModelConfig } from '../../files/checkpoint/config.js'
import { readLogicalTensors } from '../../files/checkpoint/logical-tensors.js'
import type { ModelSource, ModelSourceOptions } from '../../files/checkpoint/model-source.js'
import type { Dtype } from '../../files/checkpoint/onnx-files.js'
import { describePacking, type Packing } from '../../files/checkpoint/packed/packing.js'
import { listIgnoredQuantization } from '../../files/checkpoint/packed/read-packed.js'
import { openPytorch } from '../../files/checkpoint/pytorch/pytorch-checkpoint.js'
import { openSafetensors, type SafetensorsCheckpoint, type TensorLocation } from '../../files/checkpoint/safetensors.js'
import { listParts } from '../../files/checkpoint/weight-expression.js'
import { describeCheckpoint } from '../../files/gguf/checkpoint.js'
import { type BuildOptions, buildDecoder } from '../../model/builder/build-decoder.js'
import { findMatrixType } from '../../model/graph/cast-per-run.js'
import type { DecoderGraph } from '../../model/graph/decoder-graph.js'
import { FLOAT_DTYPES } from '../../model/graph/onnx/element-types.js'
import { listExternalFiles } from '../../model/graph/onnx/external-data.js'
import { readOnnxDecoder } from '../../model/graph/onnx/onnx-file.js'
import { describePrecision, type GraphPrecision } from '../../model/graph/precision.js'
import type { LocatedAdapter, LocatedModel } from './locate-model.js'

/** A model with the graph of its decoder and facts about its checkpoint. */
export interface Model extends Omit<LocatedModel, 'source' | 'gguf'> {
  /** Its weights are in their files and not read yet; before it runs, `prepareModel` checks or quantises them. */
  decoder: DecoderGraph
  /**
   * The decoder as a graph whose runs continue texts, see `BuildOptions`; omitted if the graph was read, or computes in
   * int8.
   */
  buildContinued?: (() => DecoderGraph) | undefined
  precision: GraphPrecision
  format: ChosenWeights['format']
  /** How its weights are stored if they are no plain numbers. */
  packing: Packing | null
  /** The graph, the weights or the index of the weights that was read, relative to the folder. */
  file: string
  /** Real paths of the files that hold its weights as they were published; none if they are inside the graph. */
  weightFiles: string[]
  /** The tensors that its weights are stored in; undefined for an ONNX graph, which names its weights itself. */
  tensors: ReadonlyMap<string, TensorLocation> | undefined
  /** False if it is prepared but its weights are still to be checked by the run. */
  isChecked?: false
}

type Opened = Pick<
  Model,
  'decoder' | 'buildContinued' | 'precision' | 'format' | 'file' | 'packing' | 'weightFiles' | 'tensors'
>
type Computed = Extract<ChosenWeights, { computedIn: unknown }>
type Graph = Extract<ChosenWeights, { format: 'onnx' }>

/**
 * Opens chosen weights that are in the model's folder: reads the graph of the decoder, or builds it from tensors. Only
 * headers are read, nothing is written.
 * @throws LayerpruneError if something is missing, damaged or not supported
 */
export async function openWeights(
  { source, gguf, ...located }: LocatedModel,
  weights: ChosenWeights,
  options: WeightOptions & Pick<ModelSourceOptions, 'onNote'> = {},
  build: BuildOptions = {},
): Promise<Model> {
  const { config, adapter } = located
  if (weights.format === 'onnx') return { ...located, ...(await openFromOnnx(source, config, weights, options)) }
  const opened = openCheckpoint(await openStored({ config, source, gguf, adapter }, weights), config, weights, build)
  notePacking(opened, config, options)
  noteAdapter(adapter, options)
  return { ...located, ...opened }
}

/**
 * Opens the tensors of chosen weights, whatever files they are in, with the adapter that is merged into them.
 * @throws LayerpruneError if they are missing or damaged
 */
export async function openStored(
  { config, source, gguf, adapter }: Pick<LocatedModel, 'config' | 'source' | 'gguf' | 'adapter'>,
  { format }: Computed,
): Promise<SafetensorsCheckpoint> {
  if (format === 'gguf') return describeCheckpoint(gguf!.file, gguf!.decoder)
  const tensors = await openTensors({ config, source }, format)
  const files = adapter === undefined ? tensors.files : [...tensors.files, adapter.path]
  return { ...tensors, files, adapter }
}

/**
 * Opens the tensors beside a config.json, reading only headers; if there are none, the error says what is there.
 * @throws LayerpruneError if they are missing or damaged
 */
export function openTensors(
  { config, source: { folder, names } }: Pick<LocatedModel, 'config' | 'source'>,
  format: TensorFormat,
): Promise<SafetensorsCheckpoint> {
  if (format === 'safetensors') return openSafetensors(folder, names)
  return openPytorch(folder, names, config.raw.tie_word_embeddings === true)
}

/** Says how packed weights are stored, and what the config quantises besides. */
function notePacking(
  { packing, file }: Opened,
  config: ModelConfig,
  { onNote }: Pick<ModelSourceOptions, 'onNote'>,
): void {
  if (packing === null) return
  onNote?.(`the weights of ${file} are ${packing.form}, ${formatBits(packing.bits)} each: they are decoded in each run`)
  const ignored = listIgnoredQuantization(config.raw)
  if (ignored.length === 0) return
  onNote?.(`config.json also quantises ${formatList(ignored)}, which is ignored: the numbers are those of the weights`)
}

function noteAdapter(adapter: LocatedAdapter | undefined, { onNote }: Pick<ModelSourceOptions, 'onNote'>): void {
  if (adapter === undefined) return
  onNote?.(
    `${adapter.file} of ${adapter.id} is merged into the weights of ${adapter.base} in each run; to prune the model, merge it first with peft (merge_and_unload)`,
  )
}

function openCheckpoint(
  checkpoint: SafetensorsCheckpoint,
  config: ModelConfig,
  { format, file = 'model.safetensors', computedIn }: Computed,
  build: BuildOptions,
): Opened {
  const built = buildDecoder(config, checkpoint, build)
  const { tensors, packed } = readLogicalTensors(config.raw, checkpoint)
  const packing = describePacking(packed.form, packed.tensors.values())
  const weightFiles = listWeightFiles(built)
  const precision = { dtype: computedIn, sharesScaleInBatch: false }
  const castsPerRun = computedIn !== 'fp32'
  const buildContinued =
    computedIn === 'q8'
      ? undefined
      : () => ({ ...(castsPerRun && { castsPerRun }), ...buildDecoder(config, checkpoint, { continued: true }) })
  const opened = { buildContinued, precision, format, file, packing, weightFiles, tensors }
  switch (computedIn) {
    case 'fp32':
      return { ...opened, decoder: built }
    case 'q8':
      return { ...opened, decoder: { ...built, int8: 'awaited' } }
    default:
      assertStoredIn(computedIn, built, packing, file)
      return { ...opened, decoder: { ...built, castsPerRun: true } }
  }
}

/** Norms and biases are often stored in float32 beside the matrices: only the matrices count. */
function assertStoredIn(dtype: Dtype, { model }: DecoderGraph, packing: Packing | null, file: string): void {
  if (packing !== null) {
    throw new LayerpruneError(
      `${file} stores its matrices in ${packing.form}, but ${nameOption('dtype', dtype)} was given`,
      {
        hint: 'omit `dtype`: they are decoded in each run, and computed with in float32',
      },
    )
  }
  const type = findMatrixType(model.graph)
  const stored = type === undefined ? 'fp32' : FLOAT_DTYPES.get(type)!.replace(/^F/, 'fp').toLowerCase()
  if (stored === dtype) return
  throw new LayerpruneError(`${file} stores its matrices in ${stored}, but ${nameOption('dtype', dtype)} was given`, {
    hint: nameOption('dtype', stored),
  })
}

async function openFromOnnx(
  { folder, provide }: ModelSource,
  { layers }: ModelConfig,
  { format, file, others }: Graph,
  { dtype, modelFile, onNote }: WeightOptions & Pick<ModelSourceOptions, 'onNote'>,
): Promise<Opened> {
  const decoder = await readOnnxDecoder(join(folder, file), layers, (locations) =>
    provide(locations.map((location) => posix.join(posix.dirname(file), location))),
  )
  const precision = describePrecision(decoder)
  if (dtype === 'fp32' && precision.dtype !== 'fp32') {
    throw new LayerpruneError(`fp32 was requested, but ${file} computes in ${precision.dtype}`, {
      hint: `${nameOption('dtype', precision.dtype)}, or another ${nameOption('modelFile')}`,
    })
  }
  if (dtype === undefined && modelFile === undefined) {
    const alsoThere = others.length > 0 ? `; also there: ${others.join(', ')}` : ''
    onNote?.(`reading ${file} (${precision.dtype}${alsoThere})`)
  }
  const weightFiles = listWeightFiles(decoder)
  return { decoder, precision, format, file, packing: null, weightFiles, tensors: undefined }
}

function listWeightFiles({ model, weightsFolder, packed = new Map() }: DecoderGraph): string[] {
  const ofPacked = [...packed.values()].flatMap((expression) => listParts(expression).map(({ part }) => part.file))
  return [...new Set([...listExternalFiles(model.graph, weightsFolder), ...ofPacked])]
}
