import { LayerpruneError } from '../../base/errors.js'
import type { Architecture, ConfigKeys, Facts } from './architecture.js'
import { ARCHITECTURES } from './architectures.js'
import type { GgufFile } from './gguf-file.js'
import { Metadata } from './metadata.js'
import { readRopeParameters } from './rope.js'

const USUAL_KEYS: ConfigKeys = {
  layers: 'num_hidden_layers',
  hidden: 'hidden_size',
  heads: 'num_attention_heads',
  kvHeads: 'num_key_value_heads',
  intermediateSize: 'intermediate_size',
  positions: 'max_position_embeddings',
}

/** A file may state both; its architecture reads one. */
const EPSILONS = ['attention.layer_norm_rms_epsilon', 'attention.layer_norm_epsilon'] as const

export interface GgufDecoder {
  architecture: Architecture
  layers: number
  /** Layers for predicting several tokens, which follow the last layer and are left alone. */
  extraLayers: number
  /** As config.json states it for the family. */
  config: Record<string, unknown>
}

/**
 * Reads the decoder's settings from the metadata of a GGUF file, in the words of a config.json. Keys of the architecture
 * that are not understood are in it under their own names, so that they are refused unless the user ignores them.
 * @throws LayerpruneError if the architecture is not known, or the metadata lack a number or state an unknown setting
 */
export function readGgufDecoder({ header, tensors }: GgufFile): GgufDecoder {
  const metadata = new Metadata(header)
  const architecture = findArchitecture(metadata)
  const extraLayers = metadata.number('nextn_predict_layers') ?? 0
  const layers = readLayerCount(metadata, tensors.size, extraLayers)
  const hidden = metadata.need('embedding_length', metadata.number('embedding_length'))
  const heads = metadata.need('attention.head_count', metadata.shared('attention.head_count', layers))
  const headDim = metadata.number('attention.key_length') ?? Math.floor(hidden / heads)
  if ((metadata.number('attention.value_length') ?? headDim) !== headDim) {
    throw metadata.refuse('attention.value_length', `${headDim}, the length of a head's key`)
  }
  const positions = metadata.need('context_length', metadata.number('context_length'))
  const tensor = (name: string) => tensors.get(name)
  const facts: Facts = { metadata, layers, hidden, heads, headDim, positions, tensor }
  const config = { ...readCommon(facts, architecture), ...architecture.settings?.(facts) }
  metadata.ignore('vocab_size', ...EPSILONS, ...(architecture.ignored ?? []))
  return {
    architecture,
    layers,
    extraLayers,
    config: { ...withoutUndefined(config), ...Object.fromEntries(metadata.unread()) },
  }
}

/** Each layer has at least one tensor. */
function readLayerCount(metadata: Metadata, tensors: number, extraLayers: number): number {
  const layers = metadata.need('block_count', metadata.number('block_count')) - extraLayers
  if (Number.isSafeInteger(layers) && layers > 0 && layers <= tensors) return layers
  throw metadata.refuse('block_count', `1 to ${tensors} layers, for the file has ${tensors} tensors`)
}

function findArchitecture(metadata: Metadata): Architecture {
  const { architecture, file } = metadata
  if (Object.hasOwn(ARCHITECTURES, architecture)) {
    const found = ARCHITECTURES[architecture]!
    const { variant } = found
    return variant && metadata.number(variant.key) ? variant.architecture : found
  }
  throw new LayerpruneError(`${file} is of the architecture ${architecture}, which cannot be read from GGUF`, {
    hint: 'use the safetensors checkpoint of the model',
  })
}

function readCommon(facts: Facts, architecture: Architecture): Record<string, unknown> {
  const { metadata, layers, hidden, heads, headDim, positions, tensor } = facts
  const keys = { ...USUAL_KEYS, ...architecture.keys }
  const kvHeads = architecture.kvHeads?.(facts) ?? metadata.shared('attention.head_count_kv', layers) ?? heads
  if (metadata.flag('attention.causal') === false) throw metadata.refuse('attention.causal', 'true')
  return {
    model_type: architecture.family,
    vocab_size: tensor('token_embd.weight')?.shape[0],
    [keys.layers]: layers,
    [keys.hidden]: hidden,
    [keys.heads]: heads,
    ...(keys.kvHeads !== null && { [keys.kvHeads]: kvHeads }),
    head_dim: headDim,
    [keys.intermediateSize]: metadata.shared('feed_forward_length', layers),
    [keys.positions]: positions,
    ...readEpsilon(metadata, architecture),
    ...(architecture.rope && {
      rope_parameters: readRopeParameters(facts),
    }),
    tie_word_embeddings: tensor('output.weight') === undefined,
    dtype: readDtype(facts),
  }
}

function readEpsilon(metadata: Metadata, { norm, epsilon }: Architecture): Record<string, unknown> {
  const key = EPSILONS[norm === 'rms' ? 0 : 1]
  const value = metadata.need(key, metadata.number(key))
  if (epsilon === null) return {}
  return { [epsilon ?? (norm === 'rms' ? 'rms_norm_eps' : 'layer_norm_eps')]: value }
}

const DTYPES = new Map([
  ['F32', 'float32'],
  ['F16', 'float16'],
  ['BF16', 'bfloat16'],
])

/** The type of a matrix: all have the same unless they are quantised. */
function readDtype({ tensor }: Facts): string | undefined {
  const type = tensor('blk.0.ffn_down.weight')?.type ?? tensor('token_embd.weight')?.type
  return DTYPES.get(type?.name ?? '')
}

function withoutUndefined(config: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(config).filter(([, value]) => value !== undefined))
}
