import type { ConfigReader } from './describe/config-reader.js'
import type { Experts, Linear, Mlp } from './describe/description.js'
import type { Differences, ExpertParts } from './describe/differences.js'
import type { Family, Has } from './describe/family.js'
import { readBiases, rope } from './describe/family-parts.js'
import { describeMamba2, readMamba2Sizes } from './describe/mamba-parts.js'
import { readGroupedRouting } from './describe/router-parts.js'

type Kind = 'linear_attention' | 'full_attention' | 'mlp' | 'moe'

/** Names of the kinds of layers in transformers 5, in transformers 4, and in a pattern of letters. */
const KINDS: Record<string, Kind> = {
  linear_attention: 'linear_attention',
  mamba: 'linear_attention',
  M: 'linear_attention',
  full_attention: 'full_attention',
  attention: 'full_attention',
  '*': 'full_attention',
  mlp: 'mlp',
  '-': 'mlp',
  moe: 'moe',
  E: 'moe',
}

/** Keys that the family's code does not read, or about training and inference. */
const IGNORED = [
  'attention_bias',
  'chunk_size',
  'expand',
  'mamba_chunk_size',
  'mamba_dt_init_floor',
  'mamba_dt_limit',
  'mamba_dt_max',
  'mamba_expand',
  'mamba_proj_bias',
  'mamba_ssm_cache_dtype',
  'moe_shared_expert_overlap',
  'mtp_hybrid_override_pattern',
  'mtp_layers_block_type',
  'n_shared_experts',
  'norm_eps',
  'num_logits_to_keep',
  'num_nextn_predict_layers',
  'partial_rotary_factor',
  'rescale_prenorm_residual',
  'residual_in_fp32',
  'rms_norm_eps',
  'rope_parameters',
  'rope_scaling',
  'rope_theta',
  'sliding_window',
  'time_step_floor',
  'time_step_limit',
  'time_step_max',
  'time_step_rank',
  'use_mamba_kernels',
]

/** Keys that are read only if a layer has experts. */
const OF_EXPERTS = [
  'moe_intermediate_size',
  'moe_latent_size',
  'moe_shared_expert_intermediate_size',
  'n_group',
  'n_routed_experts',
  'norm_topk_prob',
  'num_experts_per_tok',
  'num_local_experts',
  'routed_scaling_factor',
  'topk_group',
]

export const NEMOTRON_FAMILIES: Record<string, Family> = {
  nemotron: {
    title: 'Nemotron 3 and 4, Minitron',
    notes: 'layer norms of 1 + weight, plain MLP with squared ReLU, half of each head rotated',
    describe: (config) => ({
      norm: { kind: 'layer', key: 'norm_eps', weightOffset: 1 },
      bias: readBiases(config),
      mlp: 'plain',
      activation: 'relu2',
      rope: rope(config, { partial: 0.5 }),
    }),
  },
  nemotron_h: {
    title: 'Nemotron-H, Nemotron Nano 2, Nemotron 3',
    notes:
      'one part a layer: Mamba-2, attention without rotary embedding, an MLP or experts, so that a block of n layers is n / 2 usual ones',
    prefix: ['backbone.', 'model.'],
    halfLayers: true,
    describe: describeNemotron,
  },
}

function describeNemotron(config: ConfigReader, has: Has): Differences {
  const kinds = readKinds(config)
  const sizes = readMamba2Sizes(
    config,
    {
      heads: ['mamba_num_heads', 128],
      groups: [config.choose('mamba_n_groups', 'n_groups'), 8],
      stateSize: ['ssm_state_size', 128],
      kernel: [config.choose('mamba_d_conv', 'conv_kernel'), 4],
      convolutionBias: [config.choose('mamba_conv_bias', 'use_conv_bias'), true],
    },
    () => config.count('mamba_head_dim', 64),
  )
  const hasBias = config.flag('use_bias', false)
  const least = config.number(config.choose('mamba_dt_min', 'time_step_min'), 0.001)
  const epsilon = config.positive('layer_norm_epsilon', 1e-5)
  config.expect('mamba_hidden_act', 'silu')
  config.expect('attention_head_dim', config.raw('head_dim') ?? 128)
  config.expect('num_query_groups', config.raw('num_key_value_heads') ?? 8)
  config.expect('num_hidden_layers', kinds.length)
  const experts = kinds.includes('moe') ? readExperts(config, has) : null
  config.ignore(...IGNORED, ...OF_EXPERTS, 'intermediate_size')
  const isMixer = (layer: number) => kinds[layer]!.endsWith('attention')
  return {
    layers: kinds.length,
    kvHeads: 8,
    headDim: 128,
    names: { embedding: 'embeddings', finalNorm: 'norm_f', attention: 'mixer', mlp: 'mixer' },
    keys: { activation: 'mlp_hidden_act' },
    activation: 'relu2',
    mlp: 'plain',
    norm: { key: 'layer_norm_epsilon', epsilon: 1e-5 },
    norms: (layer) =>
      isMixer(layer) ? { beforeMixer: 'norm', beforeMlp: null } : { beforeMixer: null, beforeMlp: 'norm' },
    bias: { mlp: config.flag('mlp_bias', false) },
    parts: (layer) => ({ mixer: isMixer(layer), mlp: !isMixer(layer) }),
    mixer: (layer, parts) =>
      kinds[layer] === 'full_attention'
        ? null
        : describeMamba2(parts, sizes, {
            module: 'mixer',
            inputBias: hasBias,
            outputBias: hasBias,
            activation: 'silu',
            timeStep: { least, most: Infinity },
            norm: { epsilon, beforeGate: false },
          }),
    experts: (layer, parts) => (kinds[layer] === 'moe' ? experts!(parts) : null),
    // multi-token prediction
    extras: [/^mtp\./],
  }
}

/** The kind of each layer. */
function readKinds(config: ConfigReader): Kind[] {
  const list = config.texts(config.choose('layers_block_type', 'layer_types'), undefined)
  const pattern = config.text('hybrid_override_pattern', undefined)
  const names = list ?? [...(pattern ?? '')]
  const key = list === undefined ? 'hybrid_override_pattern' : 'layers_block_type'
  if (list === undefined && pattern === undefined) {
    throw config.refuse('layers_block_type', 'a list of what each layer is, or hybrid_override_pattern')
  }
  const kinds = names.map((name) => {
    const kind = Object.hasOwn(KINDS, name) ? KINDS[name] : undefined
    if (kind !== undefined) return kind
    throw config.refuse(key, `only ${Object.keys(KINDS).join(', ')}`)
  })
  const disagrees = [...(pattern ?? '')].some((letter, layer) => KINDS[letter] !== kinds[layer])
  if (disagrees) throw config.refuse('hybrid_override_pattern', 'the layers of layers_block_type')
  return kinds
}

function readExperts(config: ConfigReader, has: Has): (parts: ExpertParts) => Experts {
  const count = config.count(config.choose('num_local_experts', 'n_routed_experts'), 8)
  const intermediateSize = config.count('moe_intermediate_size', 7688)
  const sharedIntermediateSize = config.count('moe_shared_expert_intermediate_size', 7688)
  const latentSize = config.count('moe_latent_size', null)
  const hasBias = config.flag('mlp_bias', false)
  const topK = config.count('num_experts_per_tok', 2)
  const routing = readGroupedRouting(config, { count, topK }, { isNormalized: true, scale: 1 })
  return ({ hidden, activation, name }) => {
    const width = latentSize ?? hidden
    const linear = (module: string, inputs: number, outputs: number, bias = hasBias): Linear => ({
      weight: name(`mixer.${module}.weight`),
      bias: bias ? name(`mixer.${module}.bias`) : null,
      inputs,
      outputs,
    })
    const ofExpert = (index: number, module: string, inputs: number, outputs: number): Linear => {
      if (!has(name('mixer.experts.up_proj'))) {
        return linear(`experts.${index}.${module}`, inputs, outputs, false)
      }
      return { weight: name(`mixer.experts.${module}`), bias: null, inputs, outputs, fused: { count, index } }
    }
    const correctionBias = name('mixer.gate.e_score_correction_bias')
    const into = linear('fc1_latent_proj', hidden, width)
    const back = linear('fc2_latent_proj', width, hidden)
    const plain = (up: Linear, down: Linear): Mlp => ({ kind: 'plain', up, activation, down })
    return {
      router: linear('gate', hidden, count, false),
      count,
      topK,
      routing: { ...routing, correctionBias },
      latent: latentSize === null ? null : { into, back },
      expert: (index) =>
        plain(
          ofExpert(index, 'up_proj', width, intermediateSize),
          ofExpert(index, 'down_proj', intermediateSize, width),
        ),
      shared: {
        mlp: plain(
          linear('shared_experts.up_proj', hidden, sharedIntermediateSize),
          linear('shared_experts.down_proj', sharedIntermediateSize, hidden),
        ),
        gate: null,
      },
    }
  }
}
