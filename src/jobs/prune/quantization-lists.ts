/** Lists and keys of a config that name the modules whose weights are quantised or not. */

import { LayerpruneError } from '../../base/errors.js'
import { isObject } from '../../base/is-object.js'
import { CONFIG_FILE } from '../../files/checkpoint/config-file.js'
import { QUANTIZATION_KEYS } from '../../files/checkpoint/packed/read-packed.js'
import { type KeptLayers, renumber } from '../write-model/layer-numbers.js'
import type { Section } from './section.js'

/** A pattern that is true of some layers only: `layers.3.`, `layers\.(0|1)\.`, `layers.1*`. */
const PATTERN_OF_LAYERS = /(^(re|[+-]):|[*?()[\]|^$\\]).*|.*[*?()[\]|^$\\]/
const NUMBER_OF_LAYER = /\b(layers|h|blocks?)\\?\.(\d|\((?!\?)|\[(?!0-9\][+*]))/

/**
 * The settings of a quantised model in which modules of removed layers are no longer named, and those of the others have
 * their new numbers.
 * @param prefix what the names of tensors in layers start with
 * @param file   that states them
 * @throws LayerpruneError if a pattern selects layers by their numbers
 */
export function cutQuantization(
  settings: unknown,
  prefix: string,
  layers: KeptLayers,
  file: string = CONFIG_FILE,
): unknown {
  if (Array.isArray(settings)) {
    return settings.flatMap((item) => {
      if (typeof item !== 'string') return [cutQuantization(item, prefix, layers, file)]
      return renumberModule(item, prefix, layers, file) ?? []
    })
  }
  if (!isObject(settings)) return settings
  const entries = Object.entries(settings).flatMap(([key, item]): [string, unknown][] => {
    const name = renumberModule(key, prefix, layers, file)
    return name === undefined ? [] : [[name, cutQuantization(item, prefix, layers, file)]]
  })
  return Object.fromEntries(entries)
}

/** The name that a module has in the pruned model; undefined if its layer is removed. */
function renumberModule(name: string, prefix: string, layers: KeptLayers, file: string): string | undefined {
  if (PATTERN_OF_LAYERS.test(name) && NUMBER_OF_LAYER.test(name)) {
    throw new LayerpruneError(
      `${file} selects quantised modules by the pattern ${JSON.stringify(name)}, in which layers cannot be renumbered`,
      { hint: 'write out the names of the modules instead of the pattern' },
    )
  }
  const isModule = !name.endsWith('.')
  const renumbered = renumber(isModule ? `${name}.` : name, prefix, layers)
  return isModule ? renumbered?.slice(0, -1) : renumbered
}

/** The keys of config.json that hold such settings, in the config or its `text_config`. */
export function findQuantization(config: Section): { section: Section; key: string; settings: Section }[] {
  const sections = [config, config.text_config].filter(isObject)
  return sections.flatMap((section) =>
    QUANTIZATION_KEYS.flatMap((key) => {
      const settings = section[key]
      return isObject(settings) ? [{ section, key, settings }] : []
    }),
  )
}

/** The key of the list of modules that are not quantised, by method. */
const LISTS: Record<string, string> = {
  fp8: 'modules_to_not_convert',
  fbgemm_fp8: 'modules_to_not_convert',
  awq: 'modules_to_not_convert',
  mxfp4: 'modules_to_not_convert',
  bitsandbytes: 'llm_int8_skip_modules',
  'compressed-tensors': 'ignore',
}

/**
 * Says in config.json that the weights of some modules are plain numbers.
 * @param plainHead name of the head's module if it is not quantised: a list leaves it out only if it names it
 */
export function listAsPlain(config: Section, modules: string[], plainHead: string | undefined): void {
  for (const { settings } of findQuantization(config)) {
    const method = typeof settings.quant_method === 'string' ? settings.quant_method : undefined
    const list = method === undefined ? undefined : LISTS[method]
    if (list !== undefined) {
      const known = settings[list]
      const others = Array.isArray(known) ? known : [plainHead ?? []].flat()
      settings[list] = [...others, ...modules]
    } else if (method === 'gptq') {
      const patterns = modules.map((module) => `-:^${module.replaceAll('.', '\\.')}$`)
      settings.dynamic = {
        ...(isObject(settings.dynamic) ? settings.dynamic : {}),
        ...Object.fromEntries(patterns.map((pattern) => [pattern, {}])),
      }
    } else if (method === 'modelopt' || settings.quant_algo !== undefined) {
      const list = Array.isArray(settings.exclude_modules) ? 'exclude_modules' : 'ignore'
      const known = settings[list]
      settings[list] = [...(Array.isArray(known) ? known : []), ...modules]
    } else {
      for (const module of modules) settings[module] = false
    }
  }
}
