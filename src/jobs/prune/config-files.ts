import { join } from 'node:path'
import { LayerpruneError } from '../../base/errors.js'
import { isObject } from '../../base/is-object.js'
import { readText } from '../../base/read-text.js'
import { MODELOPT_FILE, withModelOpt } from '../../files/checkpoint/packed/modelopt-config.js'
import { toStrictJson } from '../../files/checkpoint/python-json.js'
import { formatEdited } from '../write-model/json-text.js'
import type { KeptLayers } from '../write-model/layer-numbers.js'
import { type PlannedFile, type PlannedModel, textFile } from '../write-model/planned-file.js'
import { cutModelOptFile } from './modelopt-file.js'
import { type PruneConfigOptions, pruneConfig } from './prune-config.js'
import type { Section } from './section.js'

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
): Promise<Omit<PlannedModel, 'sizes'>> {
  const files: PlannedFile[] = []
  let unproven: string | undefined
  const original = await readJson(join(folder, 'config.json'))
  const modelOpt = await readJson(join(folder, MODELOPT_FILE))
  if (original !== undefined) {
    const whole = withModelOpt(original.content, modelOpt?.content)
    const pruned = pruneConfig(whole, options)
    const { config, notes } = pruned
    unproven = pruned.unproven
    for (const note of notes) onNote?.(note)
    // what a file of its own states is stated there again
    if (whole !== original.content) delete config.quantization_config
    edit?.(config)
    files.push(textFile('config.json', formatEdited(config, original.text)))
    const { layers, tensorPrefix } = options
    if (modelOpt !== undefined && tensorPrefix !== undefined) {
      const cut = cutModelOptFile(modelOpt.content, { config: original.content, layers, tensorPrefix, edit })
      files.push(textFile(MODELOPT_FILE, formatEdited(cut, modelOpt.text)))
    }
  }
  const genai = await readJson(join(folder, 'genai_config.json'))
  if (genai !== undefined) {
    const config = cutGenaiConfig(genai.content, options.layers)
    files.push(textFile('genai_config.json', formatEdited(config, genai.text)))
  }
  return { files, unproven }
}

/** Whether the JSON is an object was checked when the model was located. */
async function readJson(path: string): Promise<{ text: string; content: Section } | undefined> {
  const text = await readText(path)
  return text === undefined ? undefined : { text, content: JSON.parse(toStrictJson(text)) }
}

/** @throws LayerpruneError if it does not state the number of layers, or names graphs besides the decoder's */
function cutGenaiConfig(original: Section, { whole, kept }: KeptLayers): Section {
  const config = structuredClone(original) as { model?: Section & { decoder?: Section } }
  const { decoder, ...others } = config.model ?? {}
  if (decoder?.num_hidden_layers !== whole) {
    throw new LayerpruneError(
      `genai_config.json: model.decoder.num_hidden_layers is ${JSON.stringify(decoder?.num_hidden_layers)}, expected ${whole}`,
    )
  }
  for (const [part, section] of Object.entries(others)) {
    if (!isObject(section) || typeof section.filename !== 'string') continue
    throw new LayerpruneError(
      `genai_config.json names a graph besides the decoder's (model.${part}: ${section.filename}), which cannot be pruned`,
      { hint: 'export the decoder alone' },
    )
  }
  decoder.num_hidden_layers = kept.length
  if (Array.isArray(decoder.layer_types)) {
    const types = decoder.layer_types
    decoder.layer_types = kept.map((layer) => types[layer])
  }
  const window = decoder.sliding_window as { layers?: number[] } | undefined
  if (window?.layers !== undefined) {
    window.layers = kept.flatMap((layer, number) => (window.layers!.includes(layer) ? [number] : []))
  }
  return config
}
