import type { Family } from './describe/family.js'
import { rope } from './describe/family-parts.js'

export const INTERNLM_FAMILIES: Record<string, Family> = {
  internlm2: {
    title: 'InternLM 2 and 2.5',
    notes: 'as Llama, with queries, keys and values by key head in one matrix',
    describe: (config) => {
      const bias = config.flag('bias', true)
      return {
        names: {
          embedding: 'tok_embeddings',
          attention: 'attention',
          packed: 'wqkv',
          output: 'wo',
          mlp: 'feed_forward',
          gate: 'w1',
          up: 'w3',
          down: 'w2',
        },
        norms: { beforeMixer: 'attention_norm', beforeMlp: 'ffn_norm' },
        head: { name: 'output' },
        bias: { qkv: bias, output: bias },
        layout: 'qkv per group',
        rope: rope(config),
      }
    },
  },
  internlm3: {
    title: 'InternLM 3',
    notes: 'as Llama, with its own names for biases',
    describe: (config) => {
      const bias = config.flag(config.choose('bias', 'mlp_bias'), false)
      const qkv = config.choose('qkv_bias', 'attention_bias')
      if (config.flag(qkv, false) !== bias) throw config.refuse(qkv, `${bias} as the other biases`)
      return {
        norm: { epsilon: 1e-5 },
        kvHeads: 2,
        headDim: 128,
        bias: { qkv: bias, output: bias, mlp: bias },
        rope: rope(config),
      }
    },
  },
}
