import { basename, resolve } from 'node:path'
import { InterruptedError, LayerpruneError, UsageError } from '../../base/errors.js'
import { nameOption } from '../../base/name-option.js'
import type { OnProgress } from '../../base/progress.js'
import {
  chooseModelWeights,
  type LocatedModel,
  locateModel,
  type Model,
  type ModelOptions,
  openStored,
  openWeights,
  prepareModel,
  provideWeights,
} from '../../engine/model.js'
import type { SafetensorsCheckpoint } from '../../files/checkpoint/safetensors.js'
import { layerOfCache } from '../../model/graph/cache-names.js'
import { cutBlocks } from '../../model/graph/cut.js'
import { type DecoderGraph, findLogitSize } from '../../model/graph/decoder-graph.js'
import type { Block } from '../../model/layers/block.js'
import type { ExportCheck, ExportResult } from '../../results/documents/export-result.js'
import { SCHEMAS } from '../../results/documents/schemas.js'
import { renumberCaches } from '../prune/graph-caches.js'
import { listCompanions } from '../write-model/companion-files.js'
import { type KeptLayers, keepLayers } from '../write-model/layer-numbers.js'
import {
  assertRoom,
  checkOutputFolder,
  claimFolder,
  fillFolder,
  type OutputFolder,
} from '../write-model/output-folder.js'
import { type PlannedFile, sizeOf, textFile } from '../write-model/planned-file.js'
import { writePlannedFiles } from '../write-model/write-planned.js'
import { checkFiles, findTokenizer } from './check-files.js'
import { formatExportCard } from './export-card.js'
import { planModelfile } from './gguf/modelfile.js'
import { readIdentity } from './gguf/read-identity.js'
import { planGgufFiles, readGgufDtypes } from './gguf-files.js'
import { planBesideGraphs } from './onnx-config.js'
import { planGraph, readOnnxDtypes } from './onnx-files.js'
import type { PlannedExport } from './planned-export.js'
import { findKnownModel, type KnownModel } from './transformers-js.js'

export interface ExportOptions extends Omit<ModelOptions, 'dtype'> {
  /** Folder to write to. */
  output: string
  to: 'onnx' | 'gguf'
  /** Types to write; of graphs, the first is loaded if nothing else is asked for. q8 or Q8_0 if omitted. */
  dtype?: string[] | undefined
  /**
   * Of the model, in the names of GGUF files and in their metadata. If it is omitted, files are called as the output
   * folder, and their metadata name the model that they were made of, if they hold all of it.
   */
  name?: string | undefined
  /** Blocks of layers to leave out. */
  removed?: Block[] | undefined
  /** Whether the written files are run and compared with the model; by default they are. */
  check?: boolean | undefined
  /** Whether the Modelfile of Ollama is written beside a GGUF file. */
  modelfile?: boolean | undefined
  /** Replaces a model that is in the output folder. */
  force?: boolean | undefined
  /** Returns what would be written, and writes nothing. */
  dryRun?: boolean | undefined
  threads?: number | undefined
  /** For the model card: the command that made the model. */
  command?: string | undefined
  /** Stops the work without leaving files. */
  signal?: AbortSignal | undefined
  onProgress?: OnProgress | undefined
}

/**
 * Writes a model as files that run elsewhere, ONNX graphs with caches or GGUF, and checks them: each is run on a few
 * texts, and must predict them as the model does, as far as its type allows. The folder appears under its name once it is
 * complete, or not at all.
 * @throws UsageError if layers or options do not fit the model
 * @throws InterruptedError if `signal` was aborted
 * @throws LayerpruneError if the model cannot be read or written, or a written file predicts otherwise
 */
export async function exportModel(options: ExportOptions): Promise<ExportResult> {
  const { output, force, onNote, signal, to, dtype, ...others } = options
  if (options.modelfile && to !== 'gguf') throw new UsageError(`${nameOption('modelfile')} is for GGUF files`)
  const dtypes = to === 'onnx' ? readOnnxDtypes(dtype) : readGgufDtypes(dtype)
  const source = { ...others, onNote, signal }
  const located = await locateModel(source)
  const opened = await openSource(located, source)
  const work = { options, located, ...opened, dtypes: [...new Set(dtypes)] }
  const place = { source: located.folder, known: await listCompanions(located.source), force, onNote }
  if (options.dryRun) return exportInto(await checkOutputFolder(output, place), work)
  const folder = await claimFolder(output, place)
  try {
    return await exportInto(folder, work)
  } catch (cause) {
    throw signal?.aborted ? new InterruptedError('before the export was complete; nothing is left of it') : cause
  } finally {
    folder.lock.release()
  }
}

interface ExportWork {
  options: ExportOptions
  located: LocatedModel
  model: Model
  checkpoint: SafetensorsCheckpoint
  dtypes: string[]
}

/** @throws LayerpruneError if the model is a graph already */
async function openSource(
  located: LocatedModel,
  options: ModelOptions,
): Promise<Pick<ExportWork, 'model' | 'checkpoint'>> {
  const chosen = chooseModelWeights(located, options, 'change')
  if (chosen.format === 'onnx') {
    throw new LayerpruneError(`${located.id} is an ONNX graph already`, {
      hint: 'name the model that it was made of: safetensors, PyTorch files or GGUF',
    })
  }
  await provideWeights(located, chosen)
  const model = await prepareModel(await openWeights(located, chosen, options), options)
  return { model, checkpoint: await openStored(located, chosen) }
}

async function exportInto(folder: OutputFolder, work: ExportWork): Promise<ExportResult> {
  const { options, located, model } = work
  const { removed = [], output, to, signal, onProgress, dryRun = false, check = true } = options
  const layers = keepLayers(model.config.layers, removed)
  const decoder = buildKept(model, removed, layers)
  const known = to === 'onnx' ? findKnown(model, decoder, layers) : undefined
  const { exports, beside } = await planExports(work, { decoder, layers, known })
  const files = [...exports.flatMap((planned) => planned.files), ...beside]
  const describe = async (checks: ExportCheck[]) => {
    const result = describeExport(folder, { work, exports, files, layers, known }, checks)
    const card = textFile('README.md', await formatExportCard(result, describeOrigin(located, options)))
    return { card, result: addFile(result, card) }
  }
  await located.source.provide(['README.md'])
  const planned = (await describe([])).result
  await assertRoom(folder, planned.sizeBytes)
  if (dryRun) return planned
  let result = planned
  await fillFolder(folder, async (temporary) => {
    const write = (some: PlannedFile[]) => writePlannedFiles(temporary, some, { named: output, signal, onProgress })
    await write(files)
    const tokenizer = findTokenizer(located.tokenizer, located.source.names)
    const source = { decoder, tokenizer, maxPositions: model.config.maxPositions }
    const described = await describe(check ? await checkFiles(temporary, source, exports, options) : [])
    await write([described.card])
    result = described.result
  })
  return result
}

/** The decoder without the layers that are left out, as a graph that continues texts. */
function buildKept(model: Model, removed: Block[], layers: KeptLayers): DecoderGraph {
  const whole = model.buildContinued!()
  if (findLogitSize(whole) === undefined) {
    throw new LayerpruneError(`${model.id} has no head, so it predicts no tokens`, {
      hint: 'name the whole model, not its base',
    })
  }
  if (removed.length === 0) return whole
  const cut = cutBlocks(whole, removed)
  renumberCaches(cut.model.graph, layers)
  return cut
}

function findKnown({ config }: Model, { model }: DecoderGraph, { kept }: KeptLayers): KnownModel | undefined {
  const caches = model.graph.input.map(({ name }) => name).filter((name) => layerOfCache(name) !== undefined)
  return findKnownModel(config.family, kept.length, caches)
}

interface Kept {
  decoder: DecoderGraph
  layers: KeptLayers
  known: KnownModel | undefined
}

/** The files of each type, and what lies beside them. */
async function planExports(
  { options, located, checkpoint, dtypes }: ExportWork,
  { decoder, layers, known }: Kept,
): Promise<{ exports: PlannedExport[]; beside: PlannedFile[] }> {
  const { to, output, name = basename(resolve(output)), onNote } = options
  if (to === 'gguf') {
    const identity = await readIdentity(located, options)
    const source = { located, checkpoint, layers, identity }
    const exports = await planGgufFiles(source, readGgufDtypes(dtypes), { name, onNote })
    const written = { files: exports.map((planned) => planned.name), metadata: exports[0]!.metadata, identity }
    return { exports, beside: options.modelfile ? [await planModelfile(located, written, options)] : [] }
  }
  const graphs = readOnnxDtypes(dtypes).map((dtype) => planGraph(decoder, dtype))
  return { exports: graphs, beside: await planBesideGraphs(located, layers, graphs, known) }
}

interface Written {
  work: ExportWork
  exports: PlannedExport[]
  files: PlannedFile[]
  layers: KeptLayers
  known: KnownModel | undefined
}

function describeExport(
  { path }: OutputFolder,
  { work: { options, model }, exports, files, layers, known }: Written,
  checks: ExportCheck[],
): ExportResult {
  const { id, config } = model
  const { to, removed = [], dryRun } = options
  const listed = files.map((file) => ({ name: file.name, sizeBytes: sizeOf(file) }))
  return {
    schema: SCHEMAS.export,
    model: { id, layers: config.layers, family: config.modelType },
    to,
    layers: layers.kept.length,
    removed,
    exported: exports.map(({ dtype, name, sizeBytes }, index) => ({
      ...{ dtype, name, sizeBytes },
      check: checks[index] ?? null,
    })),
    knownToTransformersJs: to === 'onnx' ? known !== undefined : null,
    output: path,
    files: listed,
    sizeBytes: listed.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0),
    ...(dryRun && { dryRun }),
  }
}

function addFile(result: ExportResult, file: PlannedFile): ExportResult {
  const added = { name: file.name, sizeBytes: sizeOf(file) }
  return { ...result, files: [...result.files, added], sizeBytes: result.sizeBytes + added.sizeBytes }
}

function describeOrigin({ gguf, folder, revision }: LocatedModel, { output, command }: ExportOptions) {
  const isOneFile = gguf !== undefined && revision === null
  return {
    folder: isOneFile ? undefined : folder,
    isFromHub: revision !== null,
    name: basename(resolve(output)),
    command,
  }
}
