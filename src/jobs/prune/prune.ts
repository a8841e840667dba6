import { basename, join, resolve } from 'node:path'
import { InterruptedError, UsageError } from '../../base/errors.js'
import type { OnProgress } from '../../base/progress.js'
import {
  chooseModelWeights,
  type Format,
  type LocatedModel,
  locateModel,
  type ModelOptions,
  provideWeights,
} from '../../engine/model.js'
import { isGguf } from '../../files/checkpoint/gguf-names.js'
import type { Replacement } from '../../files/weights/replacement.js'
import type { CardContent } from '../../results/documents/card-content.js'
import { makePlan, PLAN_FILE, type Plan } from '../../results/documents/plan.js'
import type { PruneResult } from '../../results/documents/prune-result.js'
import { publicName } from '../../results/documents/public-name.js'
import { SCHEMAS } from '../../results/documents/schemas.js'
import { publicUses } from '../../results/documents/text-uses.js'
import { findCompanions, listCompanions } from '../write-model/companion-files.js'
import { keepLayers } from '../write-model/layer-numbers.js'
import { formatModelCard } from '../write-model/model-card.js'
import {
  assertRoom,
  checkOutputFolder,
  claimFolder,
  fillFolder,
  type OutputFolder,
} from '../write-model/output-folder.js'
import { type PlannedFile, type PlannedModel, sizeOf, sumPlanned, textFile } from '../write-model/planned-file.js'
import { writePlannedFiles } from '../write-model/write-planned.js'
import { readCardFacts } from './gguf/card-facts.js'
import { planPrunedGguf } from './gguf/pruned-gguf.js'
import { planPrunedOnnx } from './pruned-onnx.js'
import { planPrunedSafetensors } from './pruned-safetensors.js'

export interface PruneOptions extends ModelOptions {
  /** Folder to write the pruned model to. */
  output: string
  /** Which layers to remove; its model's number of layers must be the model's. */
  plan: Pick<Plan, 'strategy' | 'removed' | 'scores' | 'dataset' | 'texts'>
  /** Prunes an ONNX graph of every precision that the model has, instead of one. */
  allDtypes?: boolean | undefined
  /** Writes models of families whose pruned models were not compared with the whole ones; the card says so. */
  unproven?: boolean | undefined
  /** Replaces a model that is in the output folder. */
  force?: boolean | undefined
  /** Returns what would be written, and writes nothing. */
  dryRun?: boolean | undefined
  /** New values of tensors, by their names in the whole checkpoint or graph. */
  replacements?: ReadonlyMap<string, Replacement> | undefined
  /** For the model card: the command that made the model, and further sections. */
  card?: CardContent | undefined
  /** Stops the work without leaving files. */
  signal?: AbortSignal | undefined
  onProgress?: OnProgress | undefined
}

/**
 * Writes a model without some of its layers: from tensors by copying those that are kept into safetensors or GGUF, from
 * ONNX by cutting the graph. Config, index and card are made to fit; tokenizer, generation config, chat template and
 * licence are copied. The folder appears under its name once it is complete, or not at all.
 * @throws UsageError if layers or options do not fit the model
 * @throws InterruptedError if `signal` was aborted
 * @throws LayerpruneError if the model cannot be read or pruned, or the output cannot be written
 */
export async function pruneModel(options: PruneOptions): Promise<PruneResult> {
  const { output, force, onNote } = options
  const asked = { ...options, format: chooseFormat(options), onNote: undefined }
  const model = await locateModel({ ...asked, onNote })
  const chosen = chooseModelWeights(model, asked, 'change')
  await provideWeights(model, chosen)
  const plan = makePlan({
    ...options.plan,
    model: { id: model.id, layers: model.config.layers, family: model.config.modelType },
  })
  const place = {
    source: isOneFile(model) ? join(model.folder, model.gguf!.name) : model.folder,
    known: await listCompanions(model.source),
    force,
    onNote,
  }
  if (options.dryRun) return pruneInto(await checkOutputFolder(output, place), { model, chosen, plan }, options)
  const folder = await claimFolder(output, place)
  try {
    return await pruneInto(folder, { model, chosen, plan }, options)
  } finally {
    folder.lock.release()
  }
}

interface Located {
  model: LocatedModel
  chosen: ReturnType<typeof chooseModelWeights>
  plan: Plan
}

async function pruneInto(
  folder: OutputFolder,
  { model, chosen, plan }: Located,
  options: PruneOptions,
): Promise<PruneResult> {
  const { files, sizes, unproven } = await planFiles(model, chosen.format, plan, options)
  const result: PruneResult = {
    schema: SCHEMAS.prune,
    plan,
    format: chosen.format === 'pytorch' ? 'safetensors' : chosen.format,
    layers: model.config.layers - plan.layersToSkip,
    output: folder.path,
    files: files.map((file) => ({ name: file.name, sizeBytes: sizeOf(file) })),
    sizeBytes: sumPlanned(files),
    ...sizes,
    ...(unproven === undefined ? {} : { unproven }),
    ...(model.config.ignoredKeys && { ignoredConfigKeys: [...model.config.ignoredKeys] }),
  }
  await assertRoom(folder, result.sizeBytes)
  if (options.dryRun) return { ...result, dryRun: true }
  await writeFolder(folder, files, options)
  return result
}

async function planFiles(
  model: LocatedModel,
  format: Format,
  plan: Plan,
  options: PruneOptions,
): Promise<PlannedModel> {
  const { files: weights, sizes, unproven } = await planWeights(model, format, plan, options)
  await model.source.provide(['README.md'])
  const isFromHub = model.revision !== null
  const card = await formatModelCard({
    folder: isOneFile(model) ? undefined : model.folder,
    plan,
    isFromHub,
    revision: options.revision,
    unproven,
    format: format === 'pytorch' ? 'safetensors' : format,
    name: options.card?.name ?? basename(resolve(options.output)),
    content: options.card ?? {},
    stated: format === 'gguf' ? readCardFacts(model.gguf!.file.header) : undefined,
  })
  const files = [
    ...weights,
    ...(format === 'gguf' ? [] : await findCompanions(model.source)),
    textFile('README.md', card),
    textFile(PLAN_FILE, `${JSON.stringify(withoutPaths(plan, isFromHub), null, 2)}\n`),
  ]
  return { files, sizes, unproven }
}

async function planWeights(
  model: LocatedModel,
  format: Format,
  plan: Plan,
  options: PruneOptions,
): Promise<PlannedModel> {
  const layers = keepLayers(model.config.layers, plan.removed)
  switch (format) {
    case 'gguf':
      return planPrunedGguf({ ...model, gguf: model.gguf! }, layers, options.replacements)
    case 'onnx':
      return planPrunedOnnx(model, layers, { ...options, removed: plan.removed })
    default:
      return planPrunedSafetensors(model, format, layers, options)
  }
}

/** Whether the user named a GGUF file: what else lies in its folder is no part of the model. */
function isOneFile({ gguf, id, revision }: LocatedModel): boolean {
  return gguf !== undefined && revision === null && isGguf(id)
}

async function writeFolder(
  folder: OutputFolder,
  files: PlannedFile[],
  { output, signal, onProgress }: PruneOptions,
): Promise<void> {
  try {
    await fillFolder(folder, (temporary) => writePlannedFiles(temporary, files, { named: output, signal, onProgress }))
  } catch (cause) {
    throw signal?.aborted ? new InterruptedError('before the pruned model was complete; nothing is left of it') : cause
  }
}

/** @throws UsageError if options that name one graph are given with `allDtypes` */
function chooseFormat({ allDtypes, format, dtype, modelFile, replacements }: PruneOptions): Format | undefined {
  if (!allDtypes) return format
  if ((format ?? 'onnx') !== 'onnx' || dtype !== undefined || modelFile !== undefined) {
    throw new UsageError('`allDtypes` prunes every graph: `format: onnx` alone fits, without `dtype` and `modelFile`')
  }
  if (replacements !== undefined) {
    throw new UsageError('`allDtypes` cannot be repaired: weights are fitted for one graph')
  }
  return 'onnx'
}

/** Local paths are private: they are removed before the model may be published. */
function withoutPaths(plan: Plan, isFromHub: boolean): Plan {
  const { model, dataset, texts } = plan
  return {
    ...plan,
    ...(!isFromHub && { model: { ...model, id: basename(resolve(model.id)) } }),
    ...(typeof dataset?.id === 'string' && { dataset: { ...dataset, id: publicName(dataset.id) } }),
    ...(texts && { texts: publicUses(texts) }),
  }
}
