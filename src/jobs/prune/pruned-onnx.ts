import { join, posix } from 'node:path'
import { type LocatedModel, type ModelOptions, openModel, prepareModel } from '../../engine/model.js'
import { chooseOnnxFile } from '../../files/checkpoint/onnx-files.js'
import type { Replacement } from '../../files/weights/replacement.js'
import { cutBlocks } from '../../model/graph/cut.js'
import type { DecoderGraph } from '../../model/graph/decoder-graph.js'
import { serializeModel } from '../../model/graph/onnx/onnx.js'
import { replaceWeights } from '../../model/graph/replace-weights.js'
import type { Block } from '../../model/layers/block.js'
import type { WholeAndPruned } from '../../results/documents/prune-result.js'
import { countParameters } from '../run/parameters.js'
import type { KeptLayers } from '../write-model/layer-numbers.js'
import { type PlannedFile, type PlannedModel, sumPlanned, sumSizes } from '../write-model/planned-file.js'
import { planConfigs } from './config-files.js'
import { fixCacheShapes, renumberCaches } from './graph-caches.js'
import { packWeights } from './pack-weights.js'
import type { Section } from './section.js'

interface Options extends ModelOptions {
  removed: Block[]
  allDtypes?: boolean | undefined
  replacements?: ReadonlyMap<string, Replacement> | undefined
}

/**
 * Graphs, weights and configs of an ONNX model without some of its layers: the graph that `openModel` chooses, or
 * with `allDtypes` one of every precision there is. Weights are stored as they were, inside a graph or in files
 * beside it.
 * @throws LayerpruneError if a graph cannot be read or cut
 */
export async function planPrunedOnnx(
  { id, folder, source }: LocatedModel,
  layers: KeptLayers,
  { removed, allDtypes, replacements = new Map(), ...options }: Options,
): Promise<PlannedModel> {
  const others = allDtypes ? (chooseOnnxFile(source.names, id, {})?.others ?? []) : []
  const choices = [options, ...others.map((dtype) => ({ ...options, dtype }))]
  const files: PlannedFile[] = []
  const dataFiles: Record<string, number> = {}
  const sources: string[] = []
  let parameters: WholeAndPruned | undefined
  for (const choice of choices) {
    const opened = await openModel({ ...choice, format: 'onnx' }, 'change')
    const { decoder, file, config } = await prepareModel(opened, choice)
    const cut = cutBlocks(replaceWeights(decoder, replacements), removed)
    renumberCaches(cut.model.graph, layers)
    fixCacheShapes(cut.model.graph, config)
    parameters ??= { whole: countAll(decoder), pruned: countAll(cut) }
    sources.push(join(folder, file), ...opened.weightFiles)
    const data = await packWeights(cut, join(folder, file))
    const inFolder = (name: string) => posix.join(posix.dirname(file), name)
    if (data.length > 0) dataFiles[posix.basename(file)] = data.length
    files.push({ name: file, parts: [serializeModel(cut.model)] })
    files.push(...data.map((planned) => ({ ...planned, name: inFolder(planned.name) })))
  }
  const configs = await planConfigs(folder, {
    layers,
    isGraph: true,
    edit: (config) => countDataFiles(config, dataFiles),
    onNote: options.onNote,
  })
  const bytes = { whole: await sumSizes(sources), pruned: sumPlanned(files) }
  return { files: [...files, ...configs.files], sizes: { parameters: parameters!, bytes } }
}

function countAll(decoder: DecoderGraph): number {
  return Object.values(countParameters(decoder)).reduce((sum, count) => sum + count, 0)
}

/** States how many data files each graph has, for transformers.js. */
function countDataFiles(config: Section, counts: Record<string, number>): void {
  const settings = { ...(config['transformers.js_config'] as Section | undefined) }
  delete settings.use_external_data_format
  if (Object.keys(counts).length > 0) settings.use_external_data_format = counts
  if (Object.keys(settings).length > 0) config['transformers.js_config'] = settings
  else delete config['transformers.js_config']
}
