import { LayerpruneError } from '../../base/errors.js'
import { isObject } from '../../base/is-object.js'
import { interpretConfig, type ModelConfig } from '../../files/checkpoint/config.js'
import { readTextConfig } from '../../files/checkpoint/wrappers.js'
import type { Decoder, Layer } from '../../model/families/describe/description.js'
import { type KeptLayers, keepExtraLayers } from '../write-model/layer-numbers.js'
import { findLayerDifference } from './compare-layers.js'
import { countExtraLayers, cutLayerKeys, type KeyOutcome } from './layer-keys.js'
import { findVisionLimit } from './layer-limits.js'
import { findUnproven } from './proven-families.js'
import { cutQuantization, findQuantization } from './quantization-lists.js'
import type { Section } from './section.js'

export interface PrunedConfig {
  config: Section
  notes: string[]
  /** Why the config cannot be shown to be right; undefined if it can. */
  unproven?: string | undefined
}

export interface PruneConfigOptions {
  layers: KeptLayers
  /** Prefix of the tensor names in layers, if the config may name them. */
  tensorPrefix?: string | undefined
  /** Describes the decoder of a config, given whether it is the pruned one; omitted if unknown. */
  describe?: ((config: ModelConfig, isPruned: boolean) => Decoder) | undefined
  /** Why there is no `describe`, if that is known. */
  undescribed?: string | undefined
  /** The model is a graph, which defines its layers without the config. */
  isGraph?: boolean | undefined
  /** Accepts families whose pruned models were not compared with the whole ones. */
  unproven?: boolean | undefined
}

/**
 * The content of config.json for the kept layers, each with exactly what it had in the whole model.
 * @param config content of config.json, not changed
 * @throws LayerpruneError if the config has no way to say it
 */
export function pruneConfig(config: Section, options: PruneConfigOptions): PrunedConfig {
  const { describe, layers } = options
  const { problems, ...cut } = cutConfig(config, options)
  if (options.isGraph) return cut
  const unproven = findUnproven(config, describe !== undefined, options.undescribed)
  if (unproven !== undefined && !options.unproven) throw cannotProve(unproven)
  const visionLimit = findVisionLimit(config, layers)
  if (visionLimit !== undefined) throw cannotSay(visionLimit)
  if (describe !== undefined) return { ...proveConfig(config, cut, problems, { ...options, describe }), unproven }
  if (problems.length > 0) throw cannotSay(problems[0]!)
  return { ...cut, unproven }
}

/** The cut config, with layer types written out if that is needed, once it describes the same layers. */
function proveConfig(
  config: Section,
  cut: PrunedConfig,
  problems: string[],
  options: PruneConfigOptions & Required<Pick<PruneConfigOptions, 'describe'>>,
): PrunedConfig {
  const { layers, describe } = options
  const whole = describe(interpretConfig(config, 'config.json'), false)
  const expected = layers.kept.map((layer) => whole.layers[layer]!)
  const difference = findDifference(expected, cut.config, describe)
  if (difference === undefined) return cut
  const spelled = cutConfig(spellLayerTypes(config, whole), options)
  const remaining = findDifference(expected, spelled.config, describe)
  if (remaining !== undefined) {
    throw cannotSay(problems[0] ?? ('layer_types' in textSection(config) ? difference : remaining))
  }
  const note =
    "config.json: layer_types was written out, because the remaining layers no longer follow the family's rule"
  return { config: spelled.config, notes: [...spelled.notes, note] }
}

function cutConfig(original: Section, { layers, tensorPrefix }: PruneConfigOptions): PrunedConfig & KeyOutcome {
  const config = structuredClone(original)
  const sections = [config, config.text_config].filter(isObject)
  stateLayers(config)
  const outcomes = sections.map((section) => cutLayerKeys(section, layers))
  const extraLayers = Math.max(...sections.map(countExtraLayers))
  if (tensorPrefix !== undefined) {
    const withExtra = keepExtraLayers(layers, extraLayers)
    for (const { section, key, settings } of findQuantization(config)) {
      section[key] = cutQuantization(settings, tensorPrefix, withExtra)
    }
  }
  return {
    config,
    notes: outcomes.flatMap(({ notes }) => notes),
    problems: outcomes.flatMap(({ problems }) => problems),
  }
}

/** The config of a wrapped decoder may omit its number of layers if it is the default of its class. */
function stateLayers(config: Section): void {
  const { text_config: text } = config
  const layers = readTextConfig(config)?.num_hidden_layers
  if (isObject(text) && layers !== undefined) text.num_hidden_layers ??= layers
}

/** The section of a config that describes its decoder. */
function textSection(config: Section): Section {
  return isObject(config.text_config) ? config.text_config : config
}

/** Writes layer_types explicitly instead of relying on the family's rule. */
function spellLayerTypes(original: Section, { layers }: Decoder): Section {
  const config = structuredClone(original)
  const section = textSection(config)
  for (const key of ['sliding_window_pattern', '_sliding_window_pattern', 'layer_switch']) delete section[key]
  section.layer_types = layers.map(layerType)
  return config
}

/** A layer's mixer in the words of transformers. */
function layerType({ mixer }: Layer): string {
  switch (mixer?.kind) {
    case 'attention':
      if (mixer.chunk !== null) return 'chunked_attention'
      return mixer.window === null ? 'full_attention' : 'sliding_attention'
    case 'latent':
      return 'full_attention'
    case 'convolution':
      return 'conv'
    case 'delta':
    case 'lightning':
    case 'mamba':
    case 'mamba2':
    case 'recurrence':
      return 'linear_attention'
    case 'parallel':
      return 'hybrid'
    case undefined:
      return 'mlp'
  }
}

/** Describes how a pruned config would compute a kept layer differently. */
function findDifference(
  expected: Layer[],
  config: Section,
  describe: NonNullable<PruneConfigOptions['describe']>,
): string | undefined {
  let found: Layer[]
  try {
    found = describe(interpretConfig(config, 'config.json'), true).layers
  } catch (error) {
    if (error instanceof LayerpruneError) return error.message
    throw error
  }
  return findLayerDifference(expected, found)
}

function cannotProve(reason: string): LayerpruneError {
  return new LayerpruneError(`a pruned model cannot be shown to be right: ${reason}`, {
    hint: '`unproven` writes it anyway: compare its logits with those of the whole model before you use it',
  })
}

function cannotSay(problem: string): LayerpruneError {
  return new LayerpruneError(`config.json cannot say what these layers need once others are gone: ${problem}`, {
    hint: 'remove other layers, or cut an ONNX graph of the model (`format: onnx`)',
  })
}
