import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { assertRegularFile } from '../checkpoint/regular-file.js'
import { LayerpruneError } from '../errors.js'
import { formatEdited } from './json-text.js'
import type { Section } from './layer-keys.js'
import type { KeptLayers } from './layer-numbers.js'
import { type PlannedFile, type PlannedModel, textFile } from './planned-file.js'
import { type PruneConfigOptions, pruneConfig } from './prune-config.js'

interface Options extends PruneConfigOptions {
  onNote?: ((message: string) => void) | undefined
  /** Edits the content of config.json last. */
  edit?: ((config: Section) => void) | undefined
}

/**
 * config.json and genai_config.json of a pruned model, those of them that the model has.
 * @throws LayerpruneError if config.json cannot say what the kept layers need
 */
export async function planConfigs(
  folder: string,
  { onNote, edit, ...options }: Options,
): Promise<PlannedModel> {
  const files: PlannedFile[] = []
  let unproven: string | undefined
  const original = await readJson(join(folder, 'config.json'))
  if (original !== undefined) {
    const pruned = pruneConfig(original.content, options)
    const { config, notes } = pruned
    unproven = pruned.unproven
    for (const note of notes) onNote?.(note)
    edit?.(config)
    files.push(textFile('config.json', formatEdited(config, original.text)))
  }
  const genai = await readJson(join(folder, 'genai_config.json'))
  if (genai !== undefined) {
    const config = cutGenaiConfig(genai.content, options.layers)
    files.push(textFile('genai_config.json', formatEdited(config, genai.text)))
  }
  return { files, unproven }
}

/**
 * The content of genai_config.json for the kept layers.
 * @throws LayerpruneError if it does not state the number of layers
 */
function cutGenaiConfig(original: Section, { whole, kept }: KeptLayers): Section {
  const config = structuredClone(original) as { model?: { decoder?: Section } }
  const decoder = config.model?.decoder
  if (decoder?.num_hidden_layers !== whole) {
    throw new LayerpruneError(
      `genai_config.json: model.decoder.num_hidden_layers is ${JSON.stringify(decoder?.num_hidden_layers)}, expected ${whole}`,
    )
  }
  decoder.num_hidden_layers = kept.length
  const window = decoder.sliding_window as { layers?: number[] } | undefined
  if (window?.layers !== undefined) {
    window.layers = kept.flatMap((layer, number) => (window.layers!.includes(layer) ? [number] : []))
  }
  return config
}

/** Whether the JSON is an object was checked when the model was located. */
async function readJson(path: string): Promise<{ text: string; content: Section } | undefined> {
  await assertRegularFile(path)
  try {
    const text = await readFile(path, 'utf8')
    return { text, content: JSON.parse(text) }
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw new LayerpruneError(`${path} cannot be read: ${(cause as Error).message}`, { cause })
  }
}
