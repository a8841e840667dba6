import type { ConfigReader } from './describe/config-reader.js'
import { checkExperts } from './describe/describe-layer.js'
import type { KeySharing, Linear, Mlp } from './describe/description.js'
import type { Differences, ExpertParts, Sizes } from './describe/differences.js'
import type { Cut, Family } from './describe/family.js'
import { allButEvery, NOT_CAUSAL, readAttentionBias, rope, softmaxRouting } from './describe/family-parts.js'
import { type LayerType, readLayerTypes, readWindow, windowsOf } from './describe/layer-types.js'

type TypeOf = (layer: number) => LayerType

/** Default of `global_head_dim`: size of the heads in layers with full attention. */
const FULL_HEAD_DIM = 512

const FULL_ROPE = { rope_type: 'proportional', partial_rotary_factor: 0.25, rope_theta: 1_000_000 }

const GEMMA4 = { hidden_size_per_layer_input: 256 }

export const GEMMA4_FAMILIES: Record<string, Family> = {
  gemma4_text: {
    title: 'Gemma 4',
    notes:
      'as Gemma 3 with normed values, unscaled scores, other heads in layers of full attention, layers that read earlier keys, a factor on the stream, experts in parallel with the MLP, embeddings per layer',
    sharesKeysByType: true,
    cutLimit: endsInFullAttention,
    layerDefaults: GEMMA4,
    cutsPerLayerEmbeddings: true,
    describe: (config) => ({
      ...describeGemma4(config, 512),
      ...readExperts(config),
      ...readPerLayer(config),
    }),
  },
  gemma4_unified_text: {
    title: 'Gemma 4 12B',
    notes: 'as Gemma 4 without experts and embeddings per layer',
    sharesKeysByType: true,
    cutLimit: endsInFullAttention,
    describe: (config) => describeGemma4(config, 1024),
  },
}

function describeGemma4(config: ConfigReader, window: number): Differences {
  if (config.raw('use_bidirectional_attention') === 'all') {
    throw config.refuse('use_bidirectional_attention', '"vision" or null: only causal decoders can be read', NOT_CAUSAL)
  }
  const types = readTypes(config)
  const full = rope(config, {
    partial: 1,
    layerType: 'full_attention',
    usual: FULL_ROPE,
  })
  const sliding = rope(config, { partial: 1, layerType: 'sliding_attention' })
  const keyIsValue = config.flag('attention_k_eq_v', false)
  const sharing = readSharing(config, types)
  return {
    tied: true,
    kvHeads: 4,
    headDim: 256,
    layerSizes: readLayerSizes(config, types, keyIsValue),
    embedding: { scale: Math.fround(Math.sqrt(config.count('hidden_size'))) },
    keys: { activation: 'hidden_activation' },
    activation: 'gelu_pytorch_tanh',
    bias: readAttentionBias(config),
    norms: {
      afterMixer: 'post_attention_layernorm',
      beforeMlp: 'pre_feedforward_layernorm',
      afterMlp: 'post_feedforward_layernorm',
    },
    headNorm: { span: 'head', query: 'q_norm', key: 'k_norm', values: true },
    keyAsValue: (layer) => keyIsValue && types(layer) === 'full_attention',
    sharing,
    scale: () => 1,
    rope: (layer, sizes) => (types(layer) === 'full_attention' ? full : sliding)(layer, sizes),
    window: windowsOf(config, types, readWindow(config, window)),
    mlpSize: readMlpSize(config, sharing),
    layerScalar: 'layer_scalar',
    head: { softcap: config.positive('final_logit_softcapping', null) },
    extras: [UNREAD],
  }
}

/** Some checkpoints have weights for keys and values in layers that reuse those of earlier layers. */
const UNREAD = /\.self_attn\.(k_proj|v_proj|k_norm)\.weight$/

/** transformers gives the last layer full attention, whatever the config says. */
function readTypes(config: ConfigReader): TypeOf {
  const last = config.layers('num_hidden_layers') - 1
  const types = readLayerTypes(config, allButEvery(6))
  return (layer) => (layer === last ? 'full_attention' : types(layer))
}

function endsInFullAttention({ kept }: Cut, { layer_types }: Record<string, unknown>): string | undefined {
  if (!Array.isArray(layer_types) || layer_types[kept.at(-1)!] === 'full_attention') return undefined
  return 'the last layer of Gemma 4 must be one of full attention'
}

/** Heads in layers with full attention, stated by their own keys or by a `per_layer_config`. */
function readLayerSizes(
  config: ConfigReader,
  types: TypeOf,
  keyIsValue: boolean,
): NonNullable<Differences['layerSizes']> {
  const headDim = config.count('global_head_dim', undefined) ?? FULL_HEAD_DIM
  const kvHeads = config.count('num_global_key_value_heads', undefined)
  if (config.has('per_layer_config')) return readListedSizes(config, types)
  return (layer, sizes) =>
    types(layer) === 'full_attention'
      ? { ...sizes, headDim, kvHeads: (keyIsValue ? kvHeads : undefined) ?? sizes.kvHeads }
      : sizes
}

/** `per_layer_config` as transformers 5 saves it: by layer number with leading zeros, the keys in which a layer differs. */
function readListedSizes(config: ConfigReader, types: TypeOf): NonNullable<Differences['layerSizes']> {
  const listed = config.object('per_layer_config')
  const own = new Map<number, Partial<Sizes>>()
  for (const number of listed?.keys() ?? []) {
    const layer = listed!.object(number)
    const [headDim, kvHeads] = [layer?.count('head_dim', undefined), layer?.count('num_key_value_heads', undefined)]
    layer?.assertAllRead('Gemma 4', () => false)
    own.set(Number(number), { ...(headDim && { headDim }), ...(kvHeads && { kvHeads }) })
  }
  const layers = Array.from({ length: config.layers('num_hidden_layers') }, (_, layer) => layer)
  for (const type of ['full_attention', 'sliding_attention']) {
    const ofType = layers.filter((layer) => types(layer) === type)
    const forms = new Set(ofType.map((layer) => JSON.stringify(own.get(layer) ?? {})))
    if (forms.size > 1) throw config.refuse('per_layer_config', `the same heads in all layers of ${type}`)
  }
  return (layer, sizes) => ({ ...sizes, ...own.get(layer) })
}

/** The last layers reuse keys and values of the last layer of their type before them. */
function readSharing(config: ConfigReader, types: TypeOf): (layer: number) => KeySharing | null {
  const layers = config.layers('num_hidden_layers')
  const readers = config.number('num_kv_shared_layers', 0)
  if (readers === 0) return () => null
  const first = layers - readers
  const makers = new Map(Array.from({ length: Math.max(first, 0) }, (_, layer) => [types(layer), layer]))
  const isWhole = Number.isInteger(readers) && readers > 0
  if (!isWhole || Array.from({ length: layers }, (_, layer) => layer).some((layer) => !makers.has(types(layer)))) {
    throw config.refuse('num_kv_shared_layers', 'a number of layers before which there is one of each type')
  }
  return (layer) => {
    if (layer >= first) return { role: 'consumer', kind: types(layer) }
    return makers.get(types(layer)) === layer ? { role: 'producer', kind: types(layer) } : null
  }
}

function readMlpSize(config: ConfigReader, sharing: (layer: number) => KeySharing | null): (layer: number) => number {
  const intermediateSize = config.count('intermediate_size')
  const isDouble = config.flag('use_double_wide_mlp', false)
  return (layer) => (isDouble && sharing(layer)?.role === 'consumer' ? 2 * intermediateSize : intermediateSize)
}

function readPerLayer(config: ConfigReader): Differences {
  const size = config.number('hidden_size_per_layer_input', GEMMA4.hidden_size_per_layer_input)
  if (size === 0) {
    config.ignore('vocab_size_per_layer_input')
    return {}
  }
  const vocabulary = config.count('vocab_size_per_layer_input', undefined) ?? 262_144
  if (vocabulary < config.count('vocab_size')) {
    throw config.refuse('vocab_size_per_layer_input', 'at least vocab_size')
  }
  return { perLayerEmbeddings: { size: config.count('hidden_size_per_layer_input', size), vocabulary } }
}

/** Experts in parallel with the MLP, each with its own norms; the router has its own norm on the layer's input. */
function readExperts(config: ConfigReader): Differences {
  if (!config.flag('enable_moe_block', false)) {
    config.ignore('num_experts', 'top_k_experts', 'moe_intermediate_size')
    return {}
  }
  const numbers = {
    count: config.count('num_experts'),
    topK: config.count('top_k_experts'),
    intermediateSize: config.count('moe_intermediate_size'),
  }
  return {
    norms: {
      afterMixer: 'post_attention_layernorm',
      beforeMlp: null,
      afterMlp: 'post_feedforward_layernorm',
    },
    aroundMlp: (mlp, parts) => describeSum(config, mlp, parts, numbers),
  }
}

function describeSum(
  config: ConfigReader,
  mlp: Mlp,
  { hidden, activation, name, makeNorm }: ExpertParts,
  { count, topK, intermediateSize }: { count: number; topK: number; intermediateSize: number },
): Mlp {
  const norm = (module: string) => makeNorm(name(module))
  const fused = (module: string, inputs: number, outputs: number, index: number): Linear => ({
    weight: name(`experts.${module}`),
    bias: null,
    inputs,
    outputs,
    fused: { count, index },
  })
  const experts = checkExperts(config, {
    router: { weight: name('router.proj.weight'), bias: null, inputs: hidden, outputs: count },
    count,
    topK,
    routing: { ...softmaxRouting(true), expertScales: name('router.per_expert_scale') },
    norms: {
      router: { ...norm('router'), weight: name('router.scale') },
      routerScale: hidden ** -0.5,
      experts: norm('pre_feedforward_layernorm_2'),
    },
    expert: (index): Mlp => ({
      kind: 'gated in one',
      gateUp: fused('gate_up_proj', hidden, 2 * intermediateSize, index),
      activation,
      down: fused('down_proj', intermediateSize, hidden, index),
    }),
    shared: null,
  })
  return {
    kind: 'sum',
    parts: [
      { before: norm('pre_feedforward_layernorm'), mlp, after: norm('post_feedforward_layernorm_1') },
      { before: null, mlp: { kind: 'experts', experts }, after: norm('post_feedforward_layernorm_2') },
    ],
  }
}
