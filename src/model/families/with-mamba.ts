import type { ConfigReader } from './config-reader.js'
import type { Mixer } from './description.js'
import type { Differences } from './differences.js'
import type { Family } from './family.js'
import { readAttentionBias, rope } from './family-parts.js'
import { describeBambaLayer, describePureMamba } from './mamba-layers.js'
import {
  describeMamba2,
  FIRST_TRAINED_KEYS,
  readBambaMixer,
  readBambaSizes,
  readMamba2Sizes,
  readTimeStepLimit,
  TIME_STEP_KEYS,
} from './mamba-parts.js'

/** Decoders whose layers have a state space (Mamba, Mamba-2) instead of attention, or beside it. */
export const MAMBA_FAMILIES: Record<string, Family> = {
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
  falcon_h1: {
    title: 'Falcon H1',
    notes: 'attention and Mamba-2 side by side in each layer, factors on their inputs and outputs',
    fixed: { mamba_use_mlp: true },
    describe: describeFalconH1,
  },
}

function readBiases(config: ConfigReader): Differences['bias'] {
  return { ...readAttentionBias(config), mlp: config.flag('mlp_bias', false) }
}

function describeFalconH1(config: ConfigReader): Differences {
  const hidden = config.count('hidden_size')
  const expanded = config.length('mamba_expand', 2) * hidden
  const width = config.isNull('mamba_d_ssm') ? expanded : config.count('mamba_d_ssm', 1024)
  const sizes = readBambaSizes(config, width)
  const scale = (key: string) => config.number(key, 1)
  const scales = (key: string, count: number): number[] => {
    const list = config.numbers(key, undefined) ?? Array.from({ length: count }, () => 1)
    if (list.length !== count) throw config.refuse(key, `${count} numbers`)
    return list
  }
  const [gate, down] = scales('mlp_multipliers', 2)
  const inputScales = scales('ssm_multipliers', 5)
  const keyScale = scale('key_multiplier')
  const epsilon = config.positive('rms_norm_eps', 1e-5)
  const isNormed = config.flag('mamba_rms_norm', false)
  const beforeGate = config.flag('mamba_norm_before_gate', true)
  const form = {
    module: 'mamba',
    inputBias: config.flag('mamba_proj_bias', false),
    outputBias: config.flag('projectors_bias', false),
    timeStep: readTimeStepLimit(config),
    norm: isNormed ? { epsilon, beforeGate } : null,
    inputScales,
  }
  const attention = {
    inputScale: scale('attention_in_multiplier'),
    outputScale: scale('attention_out_multiplier'),
  }
  const state = { inputScale: scale('ssm_in_multiplier'), outputScale: scale('ssm_out_multiplier') }
  config.ignore(...TIME_STEP_KEYS, 'num_logits_to_keep', 'attn_layer_indices')
  return {
    ...describeBambaLayer(),
    bias: readBiases(config),
    embedding: { scale: scale('embedding_multiplier') },
    head: { scale: scale('lm_head_multiplier') },
    rope: rope(config),
    // A factor on keys is one on scores
    scale: (_layer, { headDim }) => keyScale * headDim ** -0.5,
    mlpScales: { gate: gate!, down: down! },
    mixer: (_layer, parts): Mixer => ({
      kind: 'parallel',
      branches: [
        { mixer: describeMamba2(parts, sizes, { ...form, activation: parts.activation }), ...state },
        { mixer: parts.attention(), ...attention },
      ],
    }),
  }
}
