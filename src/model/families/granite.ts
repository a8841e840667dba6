import type { ConfigReader } from './describe/config-reader.js'
import type { Activation, Experts, Linear, Mlp } from './describe/description.js'
import type { Differences, ExpertParts } from './describe/differences.js'
import type { Family, Has } from './describe/family.js'
import { readAttentionBias, readBiases, readMultipliers, rope, softmaxRouting } from './describe/family-parts.js'
import { readLayerTypes, readWindow, windowsOf } from './describe/layer-types.js'
import { readBambaMixer } from './describe/mamba-parts.js'

export const GRANITE_FAMILIES: Record<string, Family> = {
  granite: {
    title: 'Granite 3 and 4.1 (dense)',
    notes: 'factors on embedding, scores, residual sums and logits',
    describe: (config) => ({
      ...readMultipliers(config),
      bias: readBiases(config),
      rope: rope(config),
    }),
  },
  granitemoe: {
    title: 'Granite 3 MoE',
    notes: 'as Granite, with experts stacked in one tensor',
    fixed: { position_embedding_type: 'rope' },
    describe: (config, has) => {
      const count = config.count('num_local_experts', 8)
      const topK = config.count('num_experts_per_tok', 2)
      const intermediateSize = config.count('intermediate_size')
      return {
        ...readMultipliers(config),
        bias: readAttentionBias(config),
        rope: rope(config),
        experts: (_layer, parts) => describeGraniteExperts(parts, has, { count, topK, intermediateSize }),
      }
    },
  },
  granitemoeshared: {
    title: 'Granite MoE with a shared expert',
    notes: 'as Granite 3 MoE, with a shared expert',
    fixed: { position_embedding_type: 'rope' },
    describe: (config, has) => ({
      ...readMultipliers(config),
      bias: readAttentionBias(config),
      rope: rope(config),
      experts: describeGraniteMixture(config, has),
    }),
  },
  granitemoehybrid: {
    title: 'Granite 4.0',
    notes: 'as Granite, gate and up in one matrix; experts in some models, Mamba-2 in most layers of those named H',
    fixed: { normalization_function: 'rmsnorm' },
    describe: describeHybrid,
  },
  granite_swa: {
    title: 'Granite Swash 2B',
    notes: 'as Granite, with a window in three layers of four, sinks, and a rope of its own in each layer',
    describe: (config) => ({
      ...describeWindowed(config),
      tied: true,
      kvHeads: 4,
      norm: { epsilon: 1e-5 },
      bias: readBiases(config),
    }),
  },
  granitemoe_swa: {
    title: 'Granite Swash 3B-A600M',
    notes: 'as Granite Swash 2B, with experts',
    describe: (config, has) => ({
      ...describeWindowed(config),
      bias: readAttentionBias(config),
      experts: describeGraniteMixture(config, has),
    }),
  },
}

/** Experts in every layer, and a shared expert unless its size is 0. */
function describeGraniteMixture(config: ConfigReader, has: Has): Differences['experts'] {
  const experts = readExperts(config, 'intermediate_size')
  if (experts === null) throw config.refuse('num_local_experts', 'a positive whole number')
  const isShared = config.number('shared_intermediate_size', 0) > 0
  return (_layer, parts) => ({
    ...describeGraniteExperts(parts, has, experts),
    shared: isShared ? describeShared(config, parts) : null,
  })
}

interface GraniteExperts {
  count: number
  topK: number
  intermediateSize: number
}

/** @returns null if the config states 0 experts */
function readExperts(config: ConfigReader, sizeKey: string): GraniteExperts | null {
  if (config.number('num_local_experts', 8) === 0) {
    config.ignore('num_experts_per_tok', sizeKey)
    return null
  }
  return {
    count: config.count('num_local_experts', 8),
    topK: config.count('num_experts_per_tok', 2),
    intermediateSize: config.count(sizeKey),
  }
}

/** The shared expert. */
function describeShared(
  config: ConfigReader,
  { hidden, activation, name }: { hidden: number; activation: Activation; name: (tensor: string) => string },
): { mlp: Mlp; gate: null } {
  const intermediateSize = config.count('shared_intermediate_size', 1024)
  const linear = (module: string, inputs: number, outputs: number) => ({
    weight: name(`shared_mlp.${module}.weight`),
    bias: null,
    inputs,
    outputs,
  })
  return {
    mlp: {
      kind: 'gated in one',
      gateUp: linear('input_linear', hidden, 2 * intermediateSize),
      activation,
      down: linear('output_linear', intermediateSize, hidden),
    },
    gate: null,
  }
}

function describeHybrid(config: ConfigReader, has: Has): Differences {
  const attends = readAttentionLayers(config)
  const mamba = attends.every((attends) => attends) ? null : readBambaMixer(config, 1e-6)
  config.ignore('init_method', ...MAMBA_KEYS)
  const experts = readExperts(config, 'intermediate_size')
  const rotary = rope(config)
  return {
    ...readMultipliers(config),
    bias: readAttentionBias(config),
    rope: config.text('position_embedding_type', null) === 'rope' ? rotary : undefined,
    names: { mlp: 'shared_mlp', gateUp: 'input_linear', down: 'output_linear' },
    keys: { intermediateSize: 'shared_intermediate_size' },
    mlp: 'gated in one',
    mixer: (layer, parts) => (attends[layer] ? null : mamba!(parts)),
    experts: (_layer, parts) =>
      experts === null
        ? null
        : {
            ...describeGraniteExperts(parts, has, experts),
            shared: describeShared(config, parts),
          },
  }
}

/** Keys that matter only if a layer is not attention. */
const MAMBA_KEYS = [
  'mamba_n_heads',
  'mamba_n_groups',
  'mamba_d_state',
  'mamba_d_head',
  'mamba_d_conv',
  'mamba_expand',
  'mamba_chunk_size',
  'mamba_conv_bias',
  'mamba_proj_bias',
  'time_step_limit',
]

/** Whether each layer has attention; without a list in the config none has. */
function readAttentionLayers(config: ConfigReader): boolean[] {
  const key = config.choose('layer_types', 'layers_block_type')
  const layers = config.layers('num_hidden_layers')
  const types = config.texts(key, undefined)
  if (types === undefined) return Array.from({ length: layers }, () => false)
  if (types.length !== layers) throw config.refuse(key, `${layers} entries, one per layer`)
  const unknown = types.find((type) => !ATTENTION.test(type) && !MAMBA.test(type))
  if (unknown !== undefined) throw config.refuse(key, 'only mamba and attention')
  return types.map((type) => ATTENTION.test(type))
}

const ATTENTION = /^(full_)?attention$/

const MAMBA = /^(mamba|linear_attention)$/

function describeWindowed(config: ConfigReader): Differences {
  const layers = config.layers('num_hidden_layers')
  const types = readLayerTypes(config, (layer) => layer % 4 !== 0)
  const shared = rope(config)
  const thetas = config.numbers('layer_rope_theta', undefined)
  if (thetas !== undefined && thetas.length !== layers) {
    throw config.refuse('layer_rope_theta', `${layers} numbers, one for each layer`)
  }
  const ropes = new Map(thetas?.map((theta) => [theta, rope(config, { ownTheta: theta })]))
  return {
    ...readMultipliers(config),
    sinks: 'sinks',
    window: windowsOf(config, types, readWindow(config, 128)),
    rope: (layer, sizes) => {
      if (thetas === undefined) return shared(layer, sizes)
      const theta = thetas[layer]!
      return theta === 0 ? null : ropes.get(theta)!(layer, sizes)
    },
  }
}

/** Granite's fused experts, under published names or those of transformers 5. */
function describeGraniteExperts(
  { hidden, activation, name }: ExpertParts,
  has: Has,
  { count, topK, intermediateSize }: { count: number; topK: number; intermediateSize: number },
): Experts {
  const own = (tensor: string) => name(`block_sparse_moe.${tensor}`)
  const [router, gateUp, down] = has(own('router.weight'))
    ? ['router.weight', 'experts.gate_up_proj', 'experts.down_proj']
    : ['router.layer.weight', 'input_linear.weight', 'output_linear.weight']
  const linear = (tensor: string, inputs: number, outputs: number): Linear => ({
    weight: own(tensor),
    bias: null,
    inputs,
    outputs,
  })
  return {
    router: linear(router!, hidden, count),
    count,
    topK,
    routing: softmaxRouting(true),
    expert: (index) => ({
      kind: 'gated in one',
      gateUp: { ...linear(gateUp!, hidden, 2 * intermediateSize), fused: { count, index } },
      activation,
      down: { ...linear(down!, intermediateSize, hidden), fused: { count, index } },
    }),
    shared: null,
  }
}
