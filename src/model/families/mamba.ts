import type { ConfigReader } from './describe/config-reader.js'
import type { Mamba } from './describe/description.js'
import type { Differences, MixerParts } from './describe/differences.js'
import type { Family, Has } from './describe/family.js'
import {
  describeExperts,
  FEED_FORWARD_EXPERTS,
  MLP_WIDTH,
  readBiases,
  readExpertCounts,
  rope,
  softmaxRouting,
} from './describe/family-parts.js'
import {
  describeBambaLayer,
  describeMamba,
  describeMamba2,
  describePureMamba,
  FIRST_TRAINED_KEYS,
  type MambaSizes,
  readBambaMixer,
  readMamba2Sizes,
  readRank,
  readTimeStepLimit,
} from './describe/mamba-parts.js'

/** Decoders with a state space (Mamba, Mamba-2) instead of attention, and hybrids. */
export const MAMBA_FAMILIES: Record<string, Family> = {
  mamba: {
    title: 'Mamba',
    notes: 'Mamba in all layers, no MLP',
    prefix: 'backbone.',
    fixed: { rms_norm: true },
    describe: (config, has) => {
      config.ignore('fused_add_norm', 'pad_vocab_size_multiple')
      config.expect('d_model', config.raw('hidden_size'))
      config.expect('n_layer', config.raw('num_hidden_layers'))
      config.expect('d_inner', config.raw('intermediate_size'))
      if (Object.keys(config.raw('ssm_cfg') ?? {}).length > 0) throw config.refuse('ssm_cfg', '{}')
      return describeFirstMamba(config, has, () => null)
    },
  },
  mamba2: {
    title: 'Mamba 2, Codestral Mamba',
    notes: 'Mamba-2 in all layers, no MLP',
    prefix: 'backbone.',
    describe: (config, has) => {
      const width = config.positive('expand', 2) * config.count('hidden_size')
      const sizes = readMamba2Sizes(
        config,
        {
          heads: ['num_heads', 128],
          groups: ['n_groups', 8],
          stateSize: ['state_size', 128],
          kernel: ['conv_kernel', 4],
          convolutionBias: ['use_conv_bias', true],
        },
        (heads) => {
          const headDim = config.count('head_dim', 64)
          if (headDim * heads === width) return headDim
          throw config.refuse('head_dim', `${width} / ${heads}, the width by the number of heads`)
        },
      )
      const hasBias = config.flag('use_bias', false)
      const timeStep = readTimeStepLimit(config)
      const epsilon = config.positive('layer_norm_epsilon', 1e-5)
      config.ignore(...FIRST_TRAINED_KEYS, 'chunk_size', 'residual_in_fp32')
      return {
        ...describePureMamba(has),
        mixer: (_layer, parts) =>
          describeMamba2(parts, sizes, {
            module: 'mixer',
            inputBias: hasBias,
            outputBias: hasBias,
            activation: parts.activation,
            timeStep,
            norm: { epsilon, beforeGate: false },
          }),
      }
    },
  },
  bamba: {
    title: 'Bamba',
    notes: 'Mamba-2 in most layers, half of each head rotated in the others',
    fixed: { partial_rotary_factor: 0.5 },
    describe: (config) => {
      const attends: number[] = config.numbers('attn_layer_indices', [])
      const mamba = readBambaMixer(config, 1e-5)
      config.ignore('num_logits_to_keep')
      return {
        ...describeBambaLayer(),
        bias: readBiases(config),
        rope: rope(config, { partial: 0.5 }),
        mixer: (layer, parts) => (attends.includes(layer) ? null : mamba(parts)),
      }
    },
  },
  jamba: {
    title: 'Jamba',
    notes: 'Mamba with norms on time steps, B and C in most layers, attention without rotary embedding; experts',
    fixed: { mamba_inner_layernorms: true, sliding_window: null },
    describe: describeJamba,
  },
}

export function describeFirstMamba(
  config: ConfigReader,
  has: Has,
  norms: (parts: MixerParts, sizes: MambaSizes) => Mamba['norms'],
): Differences {
  const hidden = config.count('hidden_size')
  const expanded = Math.floor(config.positive('expand', 2) * hidden)
  const sizes: MambaSizes = {
    channels: config.count('intermediate_size', expanded),
    stateSize: config.count('state_size', 16),
    kernel: config.length('conv_kernel', 4),
    hasConvolutionBias: config.flag('use_conv_bias', true),
    rank: readRank(config, 'time_step_rank', hidden),
  }
  const hasBias = config.flag('use_bias', false)
  config.ignore(...FIRST_TRAINED_KEYS, 'residual_in_fp32', 'use_mambapy', 'use_associative_scan')
  return {
    ...describePureMamba(has),
    tied: true,
    mixer: (_layer, parts) => describeMamba(parts, sizes, { module: 'mixer', hasBias, norms: norms(parts, sizes) }),
  }
}

function describeJamba(config: ConfigReader, has: Has): Differences {
  const hidden = config.count('hidden_size')
  const sizes: MambaSizes = {
    channels: config.length('mamba_expand', 2) * hidden,
    stateSize: config.count('mamba_d_state', 16),
    kernel: config.length('mamba_d_conv', 4),
    hasConvolutionBias: config.flag('mamba_conv_bias', true),
    rank: readRank(config, 'mamba_dt_rank', hidden),
  }
  const hasBias = config.flag('mamba_proj_bias', false)
  const attends = readPeriod(config, 'attn_layer', { period: 8, offset: 4 })
  const isSparse = readPeriod(config, 'expert_layer', { period: 2, offset: 1 })
  const experts = {
    names: FEED_FORWARD_EXPERTS,
    ...readExpertCounts(
      config,
      { count: 16, topK: 2, intermediateSize: 14_336 },
      { ...MLP_WIDTH, count: config.choose('num_local_experts', 'num_experts') },
    ),
    routing: softmaxRouting(false),
  }
  config.ignore('use_mamba_kernels', 'use_mambapy', 'use_associative_scan', 'num_logits_to_keep')
  return {
    ...describeBambaLayer(),
    norm: { epsilon: 1e-6 },
    mixer: (layer, parts) => {
      if (attends(layer)) return null
      const norm = (module: string, size: number) => parts.makeNorm(parts.name(`mamba.${module}`), { size })
      return describeMamba(parts, sizes, {
        module: 'mamba',
        hasBias,
        norms: {
          timeStep: norm('dt_layernorm', sizes.rank),
          b: norm('b_layernorm', sizes.stateSize),
          c: norm('c_layernorm', sizes.stateSize),
        },
      })
    },
    experts: (layer, parts) => (experts.count > 1 && isSparse(layer) ? describeExperts(parts, has, experts) : null),
  }
}

/** Whether layer % period equals the offset. */
function readPeriod(
  config: ConfigReader,
  name: string,
  usual: { period: number; offset: number },
): (layer: number) => boolean {
  const period = config.length(`${name}_period`, usual.period)
  const offset = config.number(`${name}_offset`, usual.offset)
  if (offset < period) return (layer) => layer % period === offset
  throw config.refuse(`${name}_offset`, `a number below ${name}_period = ${period}`)
}
