import { join, posix } from 'node:path'
import { LayerpruneError, UsageError } from '../base/errors.js'
import { formatBits, formatList } from '../base/format-numbers.js'
import type { ProgressOptions } from '../base/progress.js'
import type { Adapter } from '../files/checkpoint/adapter/adapter.js'
import { isAdapter, openAdapter } from '../files/checkpoint/adapter/open-adapter.js'
import {
  type ChosenWeights,
  chooseWeights,
  type Purpose,
  type TensorFormat,
  type WeightOptions,
} from '../files/checkpoint/choose-weights.js'
import { decoderPart, interpretConfig, type ModelConfig, readConfigFile } from '../files/checkpoint/config.js'
import { findGguf, findParts } from '../files/checkpoint/gguf-names.js'
import { readLogicalTensors } from '../files/checkpoint/logical-tensors.js'
import { type ModelSource, type ModelSourceOptions, readModelName } from '../files/checkpoint/model-source.js'
import type { Dtype } from '../files/checkpoint/onnx-files.js'
import { openModelSource } from '../files/checkpoint/open-model-source.js'
import { ADAPTER_FILE } from '../files/checkpoint/other-forms.js'
import { listIgnoredQuantization } from '../files/checkpoint/packed/ignored.js'
import { describePacking, type Packing } from '../files/checkpoint/packed/packing.js'
import { openPytorch } from '../files/checkpoint/pytorch/pytorch-checkpoint.js'
import {
  openSafetensors,
  type SafetensorsCheckpoint,
  type TensorLocation,
} from '../files/checkpoint/safetensors.js'
import { isShardIndex, listShards } from '../files/checkpoint/shards.js'
import { listParts } from '../files/checkpoint/weight-expression.js'
import { describeCheckpoint } from '../files/gguf/checkpoint.js'
import { type GgufDecoder, readGgufDecoder } from '../files/gguf/config.js'
import { type GgufFile, openGguf } from '../files/gguf/gguf-file.js'
import { isOnlyOnHub } from '../files/hub/only-on-hub.js'
import { readHubSettings } from '../files/hub/settings.js'
import {
  type BuildOptions,
  buildDecoder,
  isKnownDecoder,
  isKnownFamily,
} from '../model/builder/build-decoder.js'
import { unknownFamily } from '../model/families/unknown-family.js'
import { findMatrixType } from '../model/graph/cast-per-run.js'
import { assertFiniteWeights } from '../model/graph/checks/finite-weights.js'
import type { DecoderGraph } from '../model/graph/decoder-graph.js'
import { FLOAT_DTYPES } from '../model/graph/onnx/element-types.js'
import { listExternalFiles } from '../model/graph/onnx/external-data.js'
import { readOnnxDecoder } from '../model/graph/onnx/onnx-file.js'
import { describePrecision, type GraphPrecision } from '../model/graph/precision.js'

export type { Format, TensorFormat } from '../files/checkpoint/choose-weights.js'

export interface ModelOptions extends ModelSourceOptions, WeightOptions {}

/** A model whose config was read; its weights are not chosen yet. */
export interface LocatedModel {
  /** As the user named it. */
  id: string
  /** Commit of the Hub; null for a folder that the user named. */
  revision: string | null
  /** Branch, tag or commit that was asked for; null if none was. */
  askedRevision: string | null
  /** The adapter that is merged into its weights as they are read; its own folder and id are those of the adapter. */
  adapter?: LocatedAdapter
  /** Real folder of its files. */
  folder: string
  /** Folder of the tokenizer, or the GGUF file that holds it. */
  tokenizer: string
  config: ModelConfig
  /** The GGUF file that its config was read from. */
  gguf?: LocatedGguf
  /** Where its files are; its config is in the folder. */
  source: ModelSource
}

/** An adapter and the model that it is merged into. */
export interface LocatedAdapter extends Adapter {
  /** The base as it was named, by the user or by adapter_config.json. */
  base: string
  /** Commit of a base on the Hub; null for a folder. */
  baseRevision: string | null
}

/** A model in a GGUF file, which is its config, its weights and its tokenizer. */
export interface LocatedGguf {
  /** Of its first part, relative to the folder. */
  name: string
  file: GgufFile
  decoder: GgufDecoder
}

/** A model with the graph of its decoder, and what its checkpoint says of it. */
export interface Model extends Omit<LocatedModel, 'source' | 'gguf'> {
  /** Its weights are in their files and not read yet; before it runs, `prepareModel` checks or quantises them. */
  decoder: DecoderGraph
  /** What it is computed in. */
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

const CONFIG_FILES = ['config.json', 'genai_config.json', 'generation_config.json']
const TOKENIZER_FILES = [
  'tokenizer.json',
  'tokenizer_config.json',
  'special_tokens_map.json',
  'added_tokens.json',
  'chat_template.jinja',
]

/**
 * Finds a model and reads its config; of a model on the Hub nothing else is downloaded.
 * @throws UsageError if a revision is asked for but the model is a folder, or a key is to be ignored that is not there
 * @throws LayerpruneError if the model or its config is missing or damaged
 */
export async function locateModel(options: ModelOptions): Promise<LocatedModel> {
  const named = await openModelSource(options)
  const { id, revision } = named
  const { source, adapter } = await locateBase(named, options)
  const { folder } = source
  const name = findGguf({ ...source, ...options })
  const askedRevision = readModelName(options).revision ?? null
  const shared = { id, revision, askedRevision, folder, source, ...(adapter && { adapter }) }
  const tokenizer = (await locateTokenizer(options)) ?? (adapter && (await locateAdaptersTokenizer(named)))
  if (name !== undefined) {
    const gguf = await locateGguf(source, name)
    const config = ignoreKeys(interpretGguf(gguf, join(folder, name)), options)
    return { ...shared, tokenizer: tokenizer ?? join(folder, name), config, gguf }
  }
  await source.provide(CONFIG_FILES)
  const config = ignoreKeys(await readConfig(source), options)
  return { ...shared, tokenizer: tokenizer ?? folder, config }
}

/**
 * The model that is run: the one that is named, or the base of an adapter.
 * @throws UsageError if a base is given for a model that is no adapter
 * @throws LayerpruneError if the adapter or its base is missing, damaged or not supported
 */
async function locateBase(
  named: ModelSource,
  { base, signal, onNote, onDownload }: ModelOptions,
): Promise<{ source: ModelSource; adapter?: LocatedAdapter }> {
  if (!isAdapter(named.names)) {
    if (base === undefined) return { source: named }
    throw new UsageError(`--base ${base} was given, but ${named.id} is no adapter`)
  }
  const adapter = await openAdapter(named)
  const model = base ?? adapter.config.base
  if (model === null) {
    throw new LayerpruneError(`${ADAPTER_FILE} of ${named.id} does not name its base model`, {
      hint: 'name it with --base, a folder or a Hub id',
    })
  }
  const stated = base === undefined && (await isOnlyOnHub(model)) ? adapter.config.baseRevision : null
  const source = await openModelSource({
    model,
    revision: stated ?? undefined,
    signal,
    onNote,
    onDownload,
  }).catch((cause: LayerpruneError) => {
    throw new LayerpruneError(`the base model of the adapter ${named.id}: ${cause.message}`, {
      hint: 'name the model that the adapter was trained on with --base, a folder or a Hub id',
      cause,
    })
  })
  if (isAdapter(source.names)) {
    throw new LayerpruneError(`the base model ${model} of the adapter ${named.id} is itself an adapter`, {
      hint: 'merge one of the two with peft (merge_and_unload)',
    })
  }
  return { source, adapter: { ...adapter, base: model, baseRevision: source.revision } }
}

/** The folder of an adapter if it has a tokenizer of its own. */
async function locateAdaptersTokenizer({ names, folder, provide }: ModelSource): Promise<string | undefined> {
  if (!names.includes('tokenizer.json')) return undefined
  await provide(TOKENIZER_FILES)
  return folder
}

/** Where the tokenizer is that the user names; undefined if it is the model's own. */
async function locateTokenizer(options: ModelOptions): Promise<string | undefined> {
  if (options.tokenizer === undefined) return undefined
  const { signal, onNote, onDownload } = options
  const source = await openModelSource({ model: options.tokenizer, signal, onNote, onDownload })
  const gguf = source.names.includes('tokenizer.json') ? undefined : findGguf({ ...source })
  await source.provide(gguf === undefined ? [...TOKENIZER_FILES, 'config.json'] : [gguf])
  return join(source.folder, gguf ?? '')
}

async function locateGguf({ folder, provide }: ModelSource, name: string): Promise<LocatedGguf> {
  await provide(findParts(name).map((part) => posix.join(posix.dirname(name), part)))
  const file = await openGguf(join(folder, name))
  return { name, file, decoder: readGgufDecoder(file) }
}

/** What the metadata of a GGUF file say of the decoder. `path` is how messages name the file. */
export function interpretGguf({ name, decoder }: LocatedGguf, path: string): ModelConfig {
  return { ...interpretConfig(decoder.config, path), origin: name, dialect: decoder.architecture.dialect }
}

/**
 * Notes which keys of the config the user lets be ignored.
 * @throws UsageError if the config has no such key
 */
function ignoreKeys(config: ModelConfig, { ignoreConfigKey = [], onNote }: ModelSourceOptions): ModelConfig {
  if (ignoreConfigKey.length === 0) return config
  const { origin = 'config.json' } = config
  const ignoredKeys = [...new Set(ignoreConfigKey)]
  for (const key of ignoredKeys) {
    if (!Object.hasOwn(config.raw, key)) throw new UsageError(`${origin} has no key ${key} to ignore`)
    onNote?.(
      `${origin}: ${key} is ignored, as --ignore-config-key says; if it matters, the numbers are wrong`,
    )
  }
  return { ...config, ignoredKeys }
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
 * Chooses which weights of a model to read, and says so if it could have been others.
 * @throws UsageError if the options contradict each other
 * @throws LayerpruneError if the model does not have what was asked for
 */
export function chooseModelWeights(
  { id, config, gguf, adapter, source: { names } }: LocatedModel,
  options: WeightOptions & Pick<ModelSourceOptions, 'onNote'>,
  purpose: Purpose,
): ChosenWeights {
  const isKnownFamily = isKnownDecoder(config)
  const facts = { id, names, family: config.modelType, isKnownFamily, gguf: gguf?.name }
  const { weights, note } = chooseWeights(facts, options, purpose)
  if (adapter !== undefined) assertMergeable(adapter, weights, purpose)
  if (note !== undefined) options.onNote?.(note)
  if (weights.format !== 'gguf' && names.includes(ADAPTER_FILE)) {
    options.onNote?.(
      `${ADAPTER_FILE} is beside the weights, which are read alone; transformers would load the adapter and its base instead`,
    )
  }
  if (weights.format !== 'onnx' && config.wrapper !== null) {
    options.onNote?.(
      `${config.wrapper}: only its decoder is run, on text alone; images and sound have no part in it`,
    )
  }
  return weights
}

/** @throws LayerpruneError if an adapter cannot be merged into such weights, or would have to be written merged */
function assertMergeable({ id, base }: LocatedAdapter, weights: ChosenWeights, purpose: Purpose): void {
  if (purpose !== 'measure') {
    throw new LayerpruneError(`${id} is an adapter, which is measured and evaluated but not changed`, {
      hint: `merge it into ${base} with peft (merge_and_unload), and name the merged model`,
    })
  }
  const { format, computedIn } = { computedIn: 'fp32', ...weights }
  if (format === 'onnx' || format === 'gguf') {
    throw new LayerpruneError(`the adapter ${id} cannot be merged into the ${format} weights of ${base}`, {
      hint: 'name the checkpoint that it was trained on with --base: safetensors or PyTorch files',
    })
  }
  if (computedIn === 'fp32' || computedIn === 'q8') return
  throw new LayerpruneError(`an adapter is merged in fp32, but --dtype ${computedIn} was given`, {
    hint: 'omit --dtype',
  })
}

/**
 * Makes sure that the tokenizer and the chosen weights are in the model's folder. Files beside a graph are not: which
 * they are is in the graph.
 * @throws LayerpruneError if one cannot be downloaded, or the index of shards is damaged
 */
export async function provideWeights({ folder, source }: LocatedModel, { format, file }: ChosenWeights) {
  if (format === 'gguf') return
  await source.provide(TOKENIZER_FILES)
  if (file === undefined) return
  await source.provide([file])
  if (format !== 'onnx' && isShardIndex(file)) await source.provide(await listShards(folder, file))
}

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
  const { config } = located
  switch (weights.format) {
    case 'safetensors':
    case 'pytorch': {
      const { adapter } = located
      const tensors = await openTensors({ config, source }, weights.format)
      const files = adapter === undefined ? tensors.files : [...tensors.files, adapter.path]
      const opened = openCheckpoint({ ...tensors, files, adapter }, config, weights, build)
      notePacking(opened, config, options)
      noteAdapter(adapter, options)
      return { ...located, ...opened }
    }
    case 'gguf': {
      const checkpoint = describeCheckpoint(gguf!.file, gguf!.decoder)
      const opened = openCheckpoint(checkpoint, config, weights, build)
      notePacking(opened, config, options)
      return { ...located, ...opened }
    }
    case 'onnx':
      return { ...located, ...(await openFromOnnx(source, config, weights, options)) }
  }
}

/**
 * Opens a model: reads its config, and its graph from ONNX or by building it from tensors. Its weights are neither
 * read nor changed.
 * @param build  how a graph is built; one that is read stays as it is
 * @throws UsageError if the options contradict each other
 * @throws LayerpruneError if something is missing, damaged or not supported
 */
export async function openModel(
  options: ModelOptions,
  purpose: Purpose = 'measure',
  build: BuildOptions = {},
): Promise<Model> {
  const located = await locateModel(options)
  const weights = chooseModelWeights(located, options, purpose)
  await provideWeights(located, weights)
  return openWeights(located, weights, options, build)
}

export interface PrepareOptions extends Pick<ModelSourceOptions, 'signal' | 'onNote'>, ProgressOptions {
  /** Whether the run checks plain weights itself, while it reads them. */
  checksInRun?: boolean | undefined
}

/**
 * Makes an opened model ready to run: checks that its weights are finite and, if they are to be int8, makes them so
 * unless they are in the cache.
 * @throws LayerpruneError if a weight is not finite, or int8 weights cannot be made or written
 */
export async function prepareModel(
  model: Model,
  { signal, onNote, onProgress, checksInRun = false }: PrepareOptions = {},
): Promise<Model> {
  const { tensors } = model
  if (checksInRun && model.decoder.int8 === undefined && model.packing === null)
    return { ...model, isChecked: false }
  let { decoder } = model
  if (decoder.int8 === 'awaited') {
    const { quantizeDecoder } = await import('./int8/quantize-decoder.js')
    const cacheFolder = readHubSettings().layerpruneFolder
    decoder = await quantizeDecoder(decoder, { cacheFolder, tensors, signal, onNote, onProgress })
  }
  await assertFiniteWeights(decoder, { tensors, signal, onProgress })
  return { ...model, decoder }
}

type Opened = Pick<Model, 'decoder' | 'precision' | 'format' | 'file' | 'packing' | 'weightFiles' | 'tensors'>
type Computed = Extract<ChosenWeights, { computedIn: unknown }>
type Graph = Extract<ChosenWeights, { format: 'onnx' }>

/**
 * Opens the tensors beside a config.json, reading only headers; a model without any is reported with what it has
 * instead.
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
  onNote?.(
    `the weights of ${file} are ${packing.form}, ${formatBits(packing.bits)} each: they are decoded in each run`,
  )
  const ignored = listIgnoredQuantization(config.raw)
  if (ignored.length === 0) return
  onNote?.(
    `config.json also quantises ${formatList(ignored)}, which is ignored: the numbers are those of the weights`,
  )
}

function noteAdapter(
  adapter: LocatedAdapter | undefined,
  { onNote }: Pick<ModelSourceOptions, 'onNote'>,
): void {
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
  const opened = { precision, format, file, packing, weightFiles, tensors }
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
      `${file} stores its matrices in ${packing.form}, but --dtype ${dtype} was given`,
      {
        hint: 'omit --dtype: they are decoded in each run, and computed with in float32',
      },
    )
  }
  const type = findMatrixType(model.graph)
  const stored = type === undefined ? 'fp32' : FLOAT_DTYPES.get(type)!.replace(/^F/, 'fp').toLowerCase()
  if (stored === dtype) return
  throw new LayerpruneError(`${file} stores its matrices in ${stored}, but --dtype ${dtype} was given`, {
    hint: `--dtype ${stored}`,
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
      hint: `--dtype ${precision.dtype}, or another --model-file`,
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
  const ofPacked = [...packed.values()].flatMap((expression) =>
    listParts(expression).map(({ part }) => part.file),
  )
  return [...new Set([...listExternalFiles(model.graph, weightsFolder), ...ofPacked])]
}
