import { BLOOM_NAMES } from './bloom.js'
import type { ConfigReader } from './describe/config-reader.js'
import type { Mixer } from './describe/description.js'
import type { Differences } from './describe/differences.js'
import type { Family } from './describe/family.js'
import { makeAlibiSlopes, readBiases, rope } from './describe/family-parts.js'
import {
  describeBambaLayer,
  describeMamba2,
  readBambaSizes,
  readTimeStepLimit,
  TIME_STEP_KEYS,
} from './describe/mamba-parts.js'
import { describeFirstMamba } from './mamba.js'

export const FALCON_FAMILIES: Record<string, Family> = {
  falcon: {
    title: 'Falcon 7B, 40B, 180B, 11B, RW',
    notes: 'one or few key heads, attention and MLP in parallel; ALiBi in RW',
    prefix: 'transformer.',
    describe: describeFalcon,
  },
  falcon_h1: {
    title: 'Falcon H1',
    notes: 'attention and Mamba-2 in parallel in each layer, factors on their inputs and outputs',
    fixed: { mamba_use_mlp: true },
    describe: describeFalconH1,
  },
  falcon_mamba: {
    title: 'Falcon Mamba',
    notes: 'as Mamba, with norms that have no weights on time steps, B and C',
    prefix: 'backbone.',
    describe: (config, has) => {
      const epsilon = config.number('mixer_rms_eps', 1e-6)
      config.ignore('use_falcon_mambapy')
      return describeFirstMamba(config, has, ({ makeNorm, name }, { stateSize, rank }) => {
        const norm = (size: number) => makeNorm(name('mixer'), { size, epsilon, weight: false })
        return { timeStep: norm(rank), b: norm(stateSize), c: norm(stateSize) }
      })
    },
  },
}

function describeFalcon(config: ConfigReader): Differences {
  const hasAlibi = config.flag('alibi', false)
  const rotary = rope(config)
  const isNew = config.flag('new_decoder_architecture', false)
  config.ignore('ff_factor')
  const isParallel = config.flag('parallel_attn', true) || isNew
  const isMultiQuery = config.flag('multi_query', true) && !isNew
  const bias = config.flag('bias', false)
  config.ignore('num_kv_heads', 'multi_query', 'parallel_attn')
  const hasTwoNorms = config.count('num_ln_in_parallel_attn', isNew ? 2 : 1) === 2
  if (hasTwoNorms && !isNew) throw config.refuse('num_ln_in_parallel_attn', '1 without new_decoder_architecture')
  return {
    tied: true,
    names: BLOOM_NAMES,
    keys: {
      intermediateSize: 'ffn_hidden_size',
      activation: 'activation',
      kvHeads: isNew ? 'num_kv_heads' : null,
    },
    kvHeads: isMultiQuery ? 1 : undefined,
    norm: { kind: 'layer', key: 'layer_norm_epsilon' },
    norms: hasTwoNorms ? { beforeMixer: 'ln_attn', beforeMlp: 'ln_mlp' } : isParallel ? { beforeMlp: null } : {},
    parallel: isParallel,
    bias: { qkv: bias, output: bias, mlp: bias },
    layout: 'qkv per group',
    mlp: 'plain',
    innerMultiple: 4,
    activation: 'gelu',
    // as in transformers: rounded to bfloat16, and scaled like the scores
    alibi: hasAlibi
      ? ({ heads, headDim }) => ({ slopes: makeAlibiSlopes(heads), inBfloat16: true, scale: headDim ** -0.5 })
      : undefined,
    rope: hasAlibi ? undefined : rotary,
  }
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
    // a factor on keys is a factor on scores
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
