import { join, posix } from 'node:path'
import { cutBlocks } from '../graph/cut.js'
import { serializeModel } from '../graph/onnx.js'
import { type LocatedModel, type ModelOptions, openModel } from '../model.js'
import { replaceWeights } from '../repair/replace-weights.js'
import type { Block } from '../similarity/result.js'
import { planConfigs } from './config-files.js'
import { fixCacheShapes } from './fix-cache-shapes.js'
import type { Section } from './layer-keys.js'
import type { KeptLayers } from './layer-numbers.js'
import { packWeights } from './pack-weights.js'
import type { PlannedFile } from './planned-file.js'
import { renumberCaches } from './renumber-caches.js'
import type { Replacement } from './safetensors-files.js'

interface Options extends ModelOptions {
  removed: Block[]
  replacements?: ReadonlyMap<string, Replacement> | undefined
}

/**
 * Graph, weights and configs of an ONNX model without some of its layers: the graph that `openModel` chooses, with
 * its weights stored as they were, inside it or in files beside it.
 * @throws LayerpruneError where the graph cannot be read or cut
 */
export async function planPrunedOnnx(
  { folder, config }: LocatedModel,
  layers: KeptLayers,
  { removed, replacements = new Map(), ...options }: Options,
): Promise<PlannedFile[]> {
  const { decoder, file } = await openModel({ ...options, format: 'onnx' })
  const cut = cutBlocks(replaceWeights(decoder, replacements), removed)
  const graph = cut.model.graph!
  renumberCaches(graph, layers)
  fixCacheShapes(graph, config)
  const data = await packWeights(cut, join(folder, file))
  const inFolder = (name: string) => posix.join(posix.dirname(file), name)
  const configs = await planConfigs(folder, {
    layers,
    isGraph: true,
    edit: (config) => countDataFiles(config, posix.basename(file), data.length),
    onNote: options.onNote,
  })
  return [
    { name: file, parts: [serializeModel(cut.model)] },
    ...data.map((planned) => ({ ...planned, name: inFolder(planned.name) })),
    ...configs,
  ]
}

/** Tells transformers.js how many data files the graph has. */
function countDataFiles(config: Section, graphFile: string, count: number): void {
  const settings = { ...(config['transformers.js_config'] as Section | undefined) }
  delete settings.use_external_data_format
  if (count > 0) settings.use_external_data_format = { [graphFile]: count }
  if (Object.keys(settings).length > 0) config['transformers.js_config'] = settings
  else delete config['transformers.js_config']
}
