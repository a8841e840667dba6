import { dirname } from 'node:path'
import type { ModelConfig } from '../../files/checkpoint/config.js'
import { findWrapper } from '../../files/checkpoint/known-models.js'
import { readLogicalTensors } from '../../files/checkpoint/logical-tensors.js'
import type { SafetensorsCheckpoint } from '../../files/checkpoint/safetensors.js'
import { applyDialect } from '../families/describe/apply-dialect.js'
import { ConfigReader } from '../families/describe/config-reader.js'
import { applyDifferences } from '../families/describe/describe-decoder.js'
import type { Decoder } from '../families/describe/description.js'
import type { Differences } from '../families/describe/differences.js'
import type { Family } from '../families/describe/family.js'
import { NOT_CAUSAL } from '../families/describe/family-parts.js'
import { isHarmlessKey } from '../families/describe/harmless-keys.js'
import { findNeverRead } from '../families/describe/never-read.js'
import { FAMILIES } from '../families/table.js'
import { assertRunsAlone, runsAlone, unknownFamily } from '../families/unknown-family.js'
import type { DecoderGraph } from '../graph/decoder-graph.js'
import { commonFolder } from '../graph/onnx/external-data.js'
import { writeDecoder } from './decoder.js'
import { DecoderWriter } from './decoder-writer.js'
import { type DecoderLayout, findLayout, limitCounts, type Tensors } from './layout.js'
import { canReadTrees } from './tree-bias.js'

/** Whether checkpoints of a family can be read, by the decoder's `model_type`. */
export function isKnownFamily(family: string): boolean {
  return Object.hasOwn(FAMILIES, family)
}

/** Whether the decoder of a checkpoint can be read, whether standalone or inside another model. */
export function isKnownDecoder({ family, wrapper }: Pick<ModelConfig, 'family' | 'wrapper'>): boolean {
  return isKnownFamily(family) && (wrapper === null || runsAlone(wrapper))
}

export interface BuildOptions {
  /** Allows texts to be prefix trees if the decoder supports them: adds the inputs of `tree-attention.ts`. */
  trees?: boolean | undefined
  /**
   * Length in tokens of the longest text, if known. Attention over long texts is written in another way, without
   * gradients.
   */
  longest?: number | undefined
  /** Whether each run continues the texts of earlier ones, which are padded on the left: see `caches.ts`. */
  continued?: boolean | undefined
}

/** For longer texts fused attention is faster than spans. */
const LONG_TOKENS = 1024

/**
 * Builds a decoder's graph from config.json and safetensors. The weights stay in their files in their stored types; the
 * graph converts them to float32, when it is loaded or in each run, and computes in float32.
 *
 * Inputs: `input_ids` and `attention_mask`, int64 [batch, tokens], texts padded on the right. Output: `logits`.
 * @throws LayerpruneError if the family is not known, a config key could change the computation and is not
 *   understood, or a tensor is missing, has another shape, or is not used
 */
export function buildDecoder(
  config: ModelConfig,
  checkpoint: SafetensorsCheckpoint,
  { trees = false, longest = 0, continued = false }: BuildOptions = {},
): DecoderGraph {
  const family = findFamily(config)
  const { tensors, changed } = readLogicalTensors(config.raw, checkpoint)
  const folder = commonFolder(checkpoint.files.map((file) => dirname(file)))!
  const layout = findLayout(config, family, tensors)
  const writer = new DecoderWriter({ tensors, folder, configFile: config.origin })
  const description = describeFamily(config, family, layout, tensors)
  const { model, states } = writeDecoder(writer, description, {
    areTrees: trees && canReadTrees(description),
    areLong: longest > LONG_TOKENS,
    areContinued: continued,
  })
  writer.weights.assertAllUsed(layout.owns, description.extras)
  writer.weights.assertUsed(changed)
  const { packed } = writer.weights
  return {
    model,
    weightsFolder: folder,
    states,
    indexTopK: description.indexTopK,
    ...(continued && findSwitch(description)),
    ...(packed.size > 0 && { packed, castsPerRun: true }),
  }
}

/** The least number of tokens after which a rope of the decoder takes other frequencies. */
function findSwitch({ layers }: Decoder): Pick<DecoderGraph, 'switchesAfter'> {
  const limits = layers.flatMap(({ mixer }) => {
    const rope = mixer?.kind === 'attention' || mixer?.kind === 'latent' ? mixer.rope : null
    return rope?.frequencies.kind === 'two sets' ? [rope.frequencies.longestShort] : []
  })
  return limits.length === 0 ? {} : { switchesAfter: Math.min(...limits) }
}

/**
 * Describes a decoder of a known family from its config and the names of its tensors; `buildDecoder` checks their
 * shapes.
 * @throws LayerpruneError if the family is not known, or a config key could change the computation and is not
 *   understood
 */
export function describeDecoder(config: ModelConfig, tensors: SafetensorsCheckpoint['tensors']): Decoder {
  const family = findFamily(config)
  return describeFamily(config, family, findLayout(config, family, tensors), tensors)
}

/**
 * Finds where a checkpoint keeps the tensors of its decoder.
 * @throws LayerpruneError if the family is not known or the decoder cannot be found
 */
export function locateDecoder(config: ModelConfig, tensors: Tensors): DecoderLayout {
  return findLayout(config, findFamily(config), tensors)
}

/**
 * Counts the parameters of a checkpoint outside its decoder, such as those of a vision tower.
 * @throws LayerpruneError if the family is not known or the decoder cannot be found
 */
export function countOutside(config: ModelConfig, tensors: Tensors): number {
  const { owns } = findLayout(config, findFamily(config), tensors)
  const outside = [...tensors.values()].filter(({ name }) => !owns(name))
  return outside.reduce((sum, { shape }) => sum + shape.reduce((product, size) => product * size, 1), 0)
}

/**
 * The prefix that transformers adds to the names of a checkpoint saved without its head, such as GPT-2's `transformer.`;
 * empty if the names are complete.
 * @throws LayerpruneError if the family is not known or the decoder cannot be found
 */
export function findMissingPrefix(config: ModelConfig, tensors: Tensors): string {
  const family = findFamily(config)
  const [usual] = [family.prefix ?? 'model.'].flat()
  return findLayout(config, family, tensors).isBare ? usual! : ''
}

function findFamily(config: ModelConfig): Family {
  if (config.wrapper !== null) assertRunsAlone(config.wrapper)
  if (isKnownFamily(config.family)) return FAMILIES[config.family]!
  throw unknownFamily(config.raw)
}

/** In transformers a decoder of any family is causal only if this key is absent or true. */
function assertCausal(config: ConfigReader): void {
  const value = config.raw('is_causal')
  if (value !== undefined && value !== true) {
    throw config.refuse('is_causal', 'true: only causal decoders can be read', NOT_CAUSAL)
  }
}

function describeFamily(
  config: ModelConfig,
  family: Family,
  { prefix, isBare, headPrefixes }: DecoderLayout,
  tensors: Tensors,
): Decoder {
  const reader = new ConfigReader(config.raw, limitCounts(tensors), config.origin)
  const { fixed = {} } = family
  assertCausal(reader)
  for (const [key, value] of Object.entries(fixed)) reader.expect(key, value)
  const has = (name: string) => tensors.has(name)
  const differences = applyDialect(withWrappersHead(config, family.describe(reader, has)), config.dialect)
  const description = applyDifferences(reader, differences, { prefix, has, isBare, headPrefixes })
  const { ignoredKeys = [] } = config
  for (const key of ignoredKeys) reader.assertUnread(key, config.family)
  // a wrapper's code may read its decoder's keys
  const isNeverRead = config.wrapper === null ? findNeverRead(config.family, config.raw) : undefined
  reader.assertAllRead(
    config.family,
    (key, value) => ignoredKeys.includes(key) || isHarmlessKey(key, value, description.layers, isNeverRead),
  )
  return description
}

/** transformers' multimodal classes multiply the decoder's last state by the head and do nothing else with the logits. */
function withWrappersHead({ wrapper }: ModelConfig, differences: Differences): Differences {
  if (wrapper === null || findWrapper(wrapper)?.scalesLogits) return differences
  return { ...differences, head: { ...differences.head, scale: 1, softcap: null } }
}
