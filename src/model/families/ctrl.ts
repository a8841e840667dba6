import type { ConfigReader } from './describe/config-reader.js'
import type { Differences } from './describe/differences.js'
import type { Family } from './describe/family.js'
import { ALL_BIASES } from './describe/family-parts.js'

export const CTRL_FAMILIES: Record<string, Family> = {
  ctrl: {
    title: 'CTRL',
    notes: 'sines and cosines added to a scaled embedding',
    prefix: 'transformer.',
    fixed: { layer_norm_epsilon: 1e-6 },
    describe: describeCtrl,
  },
}

function describeCtrl(config: ConfigReader): Differences {
  const size = config.count('n_embd')
  config.ignore('from_tf', 'output_past', 'predict_special_tokens')
  return {
    tied: true,
    names: {
      layers: 'h',
      embedding: 'w',
      finalNorm: 'layernorm',
      attention: 'multi_head_attention',
      query: 'Wq',
      key: 'Wk',
      value: 'Wv',
      output: 'dense',
      mlp: 'ffn',
      up: '0',
      down: '2',
    },
    keys: { hidden: 'n_embd', layers: 'n_layer', heads: 'n_head', kvHeads: null, intermediateSize: 'dff' },
    norm: { kind: 'layer', key: null, epsilon: 1e-6 },
    norms: { beforeMixer: 'layernorm1', beforeMlp: 'layernorm2' },
    embedding: {
      scale: Math.sqrt(size),
      positions: { kind: 'sinusoids', frequencies: makeCtrlFrequencies(size), offset: 0, empty: null },
    },
    bias: ALL_BIASES,
    head: { bias: true },
    mlp: 'plain',
    activation: 'relu',
  }
}

/** 10000 to the power of -2i / size, in float32. */
function makeCtrlFrequencies(size: number): number[] {
  return Array.from({ length: size / 2 }, (_, index) =>
    Math.fround(1 / Math.fround(10_000 ** Math.fround((2 * index) / size))),
  )
}
