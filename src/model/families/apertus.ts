import type { ConfigReader } from './describe/config-reader.js'
import type { Differences } from './describe/differences.js'
import type { Family } from './describe/family.js'
import { HEAD_NORM, readAttentionBias, rope } from './describe/family-parts.js'

const APERTUS_FIXED = { mlp_bias: false, post_norm: false, qk_norm: true }

export const APERTUS_FAMILIES: Record<string, Family> = {
  apertus: {
    title: 'Apertus 8B and 70B',
    notes: 'plain MLP with xIELU, norms on the heads of queries and keys',
    fixed: APERTUS_FIXED,
    describe: describeApertus,
  },
  apertus1p5_text: {
    title: 'Apertus 1.5 (text)',
    notes: 'as Apertus, with a head for the first tokens only',
    fixed: APERTUS_FIXED,
    describe: (config) => {
      const size = config.count('output_vocab_size', undefined)
      return { ...describeApertus(config), ...(size !== undefined && { head: { size } }) }
    },
  },
}

const APERTUS_ROPE = {
  rope_type: 'llama3',
  rope_theta: 12_000_000,
  factor: 8,
  high_freq_factor: 4,
  low_freq_factor: 1,
  original_max_position_embeddings: 8192,
}

function describeApertus(config: ConfigReader): Differences {
  const isXielu = config.text('hidden_act', 'xielu') === 'xielu'
  return {
    norm: { epsilon: 1e-5 },
    norms: { beforeMixer: 'attention_layernorm', beforeMlp: 'feedforward_layernorm' },
    headNorm: HEAD_NORM,
    bias: readAttentionBias(config),
    mlp: 'plain',
    makeActivation: isXielu
      ? (name) => ({
          kind: 'xielu',
          positive: name('mlp.act_fn.alpha_p'),
          negative: name('mlp.act_fn.alpha_n'),
          beta: name('mlp.act_fn.beta'),
          epsilon: name('mlp.act_fn.eps'),
        })
      : undefined,
    rope: rope(config, { theta: 12_000_000, usual: APERTUS_ROPE }),
  }
}
