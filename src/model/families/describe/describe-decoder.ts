import type { ConfigReader } from './config-reader.js'
import { describeLayer } from './describe-layer.js'
import type { Activation, Decoder, Linear, NamedActivation, PerLayerEmbeddings } from './description.js'
import { type Differences, LLAMA_KEYS, LLAMA_NAMES, type MakeNorm, type Sizes } from './differences.js'
import type { Has } from './family.js'
import { readExtraLayers } from './router-parts.js'

const ACTIVATIONS: Record<string, NamedActivation> = {
  silu: 'silu',
  swish: 'silu',
  gelu: 'gelu',
  gelu_python: 'gelu',
  gelu_new: 'gelu_tanh',
  gelu_fast: 'gelu_tanh',
  gelu_pytorch_tanh: 'gelu_tanh',
  gelu_python_tanh: 'gelu_tanh',
  gelu_accurate: 'gelu_tanh',
  quick_gelu: 'quick_gelu',
  relu: 'relu',
  relu2: 'relu2',
  sigmoid: 'sigmoid',
  tanh: 'tanh',
}

interface CheckpointFacts {
  /** Prefix of the names of the decoder's tensors. */
  prefix: string
  has: Has
  /** Whether the checkpoint was saved without its head. */
  isBare: boolean
  /** Possible prefixes of the head's module, the likeliest first. */
  headPrefixes: string[]
}

/**
 * Describes a decoder from its config and its family's differences from Llama.
 * @throws LayerpruneError if the config lacks a number or asks for something unknown
 */
export function applyDifferences(
  config: ConfigReader,
  differences: Differences,
  { prefix, ...checkpoint }: CheckpointFacts,
): Decoder {
  const { decoderPrefix = '', extras = [] } = differences
  const names = { ...LLAMA_NAMES, ...differences.names }
  const sizes = readSizes(config, differences)
  const vocabulary = config.count('vocab_size')
  const makeActivation = differences.makeActivation ?? readActivation(config, differences)
  const makeNorm = prepareNorm(config, differences, sizes.hidden)
  const alibi = differences.alibi?.(sizes) ?? null
  const own = (name: string) => `${prefix}${decoderPrefix}${name}`
  const { embedding = {} } = differences
  const tableSize = embedding.size ?? sizes.hidden
  const table = own(`${names.embedding}.weight`)
  const project = (module: string, inputs: number, outputs: number): Linear | null =>
    tableSize === sizes.hidden ? null : { weight: own(`${module}.weight`), bias: null, inputs, outputs }

  return {
    vocabulary,
    hiddenSize: sizes.hidden,
    embedding: {
      weight: table,
      size: tableSize,
      projection: project(embedding.projections?.into ?? '', tableSize, sizes.hidden),
      scale: embedding.scale ?? 1,
      norm: embedding.norm ? makeNorm(own(embedding.norm)) : null,
      positions: describePositions(embedding.positions, own),
    },
    perLayerEmbeddings: describePerLayerEmbeddings(differences, sizes, { own, makeNorm }),
    layers: Array.from({ length: sizes.layers }, (_, index) =>
      describeLayer(config, differences, {
        index,
        sizes: checkSizes(config, differences.layerSizes?.(index, sizes) ?? sizes),
        names,
        makeActivation,
        alibi,
        makeNorm,
        own,
      }),
    ),
    finalNorm: differences.noFinalNorm ? null : makeNorm(own(names.finalNorm)),
    head: describeHead(config, differences, checkpoint, {
      table,
      vocabulary,
      size: tableSize,
      projection: project(embedding.projections?.back ?? '', sizes.hidden, tableSize),
    }),
    extras: [
      /rotary_emb\.inv_freq$/,
      /^(score|classifier|qa_outputs|v_head)\./,
      ...matchExtraLayers(own(`${names.layers}.`), sizes.layers, differences.extraLayers ?? readExtraLayers(config)),
      ...extras,
    ],
    indexTopK: differences.indexTopK ?? null,
  }
}

/** @param prefix of the tensors in layers */
function matchExtraLayers(prefix: string, layers: number, count: number): RegExp[] {
  const escaped = prefix.replaceAll('.', '\\.')
  return Array.from({ length: count }, (_, index) => new RegExp(`^${escaped}${layers + index}\\.`))
}

/** Under Gemma 4's names. */
function describePerLayerEmbeddings(
  { perLayerEmbeddings }: Differences,
  { hidden, layers }: Sizes,
  { own, makeNorm }: { own: (name: string) => string; makeNorm: MakeNorm },
): PerLayerEmbeddings | null {
  if (perLayerEmbeddings === undefined) return null
  const { size, vocabulary } = perLayerEmbeddings
  return {
    weight: own('embed_tokens_per_layer.weight'),
    vocabulary,
    size,
    scale: Math.fround(Math.sqrt(size)),
    projection: {
      weight: own('per_layer_model_projection.weight'),
      bias: null,
      inputs: hidden,
      outputs: layers * size,
    },
    projectionScale: hidden ** -0.5,
    norm: makeNorm(own('per_layer_projection_norm'), { size }),
  }
}

function describePositions(
  positions: NonNullable<Differences['embedding']>['positions'],
  own: (name: string) => string,
): Decoder['embedding']['positions'] {
  if (positions?.kind !== 'learnt') return positions ?? null
  const { name, ...numbers } = positions
  return { ...numbers, weight: own(`${name}.weight`) }
}

function readSizes(config: ConfigReader, differences: Differences): Sizes {
  const keys = { ...LLAMA_KEYS, ...differences.keys }
  const hidden = config.count(config.choose(keys.hidden, LLAMA_KEYS.hidden))
  const layers = differences.layers ?? config.layers(config.choose(keys.layers, LLAMA_KEYS.layers))
  if (keys.heads === null) return { hidden, heads: 1, kvHeads: 1, headDim: hidden, layers }
  const heads = config.count(config.choose(keys.heads, 'num_attention_heads'))
  const usualKvHeads = differences.kvHeads ?? heads
  const kvHeads =
    keys.kvHeads === null
      ? usualKvHeads
      : config.isNull(keys.kvHeads)
        ? heads
        : config.count(keys.kvHeads, usualKvHeads)
  const headDim = config.count('head_dim', differences.headDim ?? Math.floor(hidden / heads))
  if (headDim < 1) {
    throw config.contradicts(
      `has ${heads} attention heads for a hidden size of ${hidden}, expected no more heads than that`,
    )
  }
  return checkSizes(config, { hidden, heads, kvHeads, headDim, layers })
}

function checkSizes(config: ConfigReader, sizes: Sizes): Sizes {
  const { heads, kvHeads } = sizes
  if (heads % kvHeads === 0) return sizes
  throw config.contradicts(`has ${heads} attention heads for ${kvHeads} key and value heads, expected a multiple`)
}

/** The activation that the config names, the same in all layers. */
function readActivation(config: ConfigReader, differences: Differences): () => Activation {
  const key = differences.keys?.activation ?? LLAMA_KEYS.activation
  const name = config.text(key, differences.activation ?? 'silu')
  const activation =
    differences.activationNames?.[name] ?? (Object.hasOwn(ACTIVATIONS, name) ? ACTIVATIONS[name] : undefined)
  if (activation === undefined) throw config.refuse(key, `one of ${Object.keys(ACTIVATIONS).join(', ')}`)
  return () => activation
}

function prepareNorm(config: ConfigReader, { norm = {} }: Differences, hidden: number): MakeNorm {
  const { kind = 'rms', key = kind === 'rms' ? 'rms_norm_eps' : 'layer_norm_eps' } = norm
  const { epsilon: usual = kind === 'rms' ? 1e-6 : 1e-5 } = norm
  const epsilon = key === null ? usual : config.number(key, usual)
  if (epsilon < 0) throw config.refuse(key!, 'a number of at least 0')
  return (module, options = {}) => ({
    kind,
    weight: (options.weight ?? norm.weight ?? true) ? `${module}.weight` : null,
    bias: (options.bias ?? norm.bias ?? kind === 'layer') ? `${module}.bias` : null,
    size: options.size ?? hidden,
    epsilon: options.epsilon ?? epsilon,
    weightOffset: options.weightOffset ?? norm.weightOffset ?? 0,
  })
}

/** Heads of transformers' classifiers and question answering, which replace the language model head. */
const OTHER_HEADS = ['score', 'classifier', 'qa_outputs']
/** Heads of reward models, which may be saved with or without a language model head. */
const VALUE_HEADS = ['v_head', 'v_head.summary']

/**
 * The head uses its own matrix if the checkpoint has one, else the embedding table if the config ties them.
 * @returns null if the checkpoint was saved without a head, or with one for another task
 */
function describeHead(
  config: ConfigReader,
  { head = {}, tied = false }: Differences,
  checkpoint: Omit<CheckpointFacts, 'prefix'>,
  embedding: { table: string; vocabulary: number; size: number; projection: Linear | null },
): Decoder['head'] {
  const ownName = head.name ?? 'lm_head'
  const candidates = checkpoint.headPrefixes.map((prefix) => `${prefix}${ownName}`)
  const name = candidates.find((name) => checkpoint.has(`${name}.weight`)) ?? ownName
  const isTied = config.flag('tie_word_embeddings', tied)
  const hasOwn = checkpoint.has(`${name}.weight`)
  const hasOneOf = (heads: string[]) => heads.some((other) => checkpoint.has(`${other}.weight`))
  const mayLack = checkpoint.isBare || hasOneOf(VALUE_HEADS)
  if (!hasOwn && (hasOneOf(OTHER_HEADS) || (!isTied && mayLack))) return null
  return {
    projection: embedding.projection,
    linear: {
      weight: isTied && !hasOwn ? embedding.table : `${name}.weight`,
      bias: head.bias ? `${name}.bias` : null,
      inputs: embedding.size,
      outputs: head.size ?? embedding.vocabulary,
    },
    scale: head.scale ?? 1,
    softcap: head.softcap ?? null,
  }
}
