import type { Family } from './describe/family.js'
import { describeExperts, MIXTRAL_EXPERTS, readAttentionBias, rope } from './describe/family-parts.js'
import { readWindow } from './describe/layer-types.js'

export const PHI_FAMILIES: Record<string, Family> = {
  phi: {
    title: 'Phi 1, 1.5 and 2',
    notes: 'attention and MLP in parallel with one norm, part of each head rotated',
    describe: (config) => ({
      norm: { kind: 'layer' },
      norms: { beforeMlp: null },
      parallel: true,
      names: { output: 'dense', up: 'fc1', down: 'fc2', finalNorm: 'final_layernorm' },
      bias: { qkv: true, output: true, mlp: true },
      head: { bias: true },
      mlp: 'plain',
      activation: 'gelu_new',
      headNorm: config.flag('qk_layernorm', false)
        ? { span: 'head', query: 'q_layernorm', key: 'k_layernorm', bias: true }
        : undefined,
      rope: rope(config, { partial: 0.5 }),
    }),
  },
  phi3: {
    title: 'Phi 3, 3.5 and 4',
    notes: 'queries, keys and values in one matrix, gate and up in another; LongRoPE',
    fixed: { attention_bias: false, full_attn_mod: 1, interpolate_factor: 1 },
    describe: (config) => {
      const window = readWindow(config, null)
      return {
        norm: { epsilon: 1e-5 },
        layout: 'qkv',
        mlp: 'gated in one',
        rope: rope(config, { partial: 1, yarnIsLongrope: true, originalPositions: 4096 }),
        window: () => window,
      }
    },
  },
  phimoe: {
    title: 'Phi 3.5 MoE, Phi mini and tiny MoE',
    notes:
      "layer norms, two experts chosen by SparseMixer; LongRoPE with factors of its own; on texts longer than the original length transformers 5.24 goes on with the short frequencies, Microsoft's own code and layerprune take the long ones",
    fixed: { num_experts_per_tok: 2 },
    describe: (config, has) => {
      const window = readWindow(config, null)
      const settings = {
        names: MIXTRAL_EXPERTS,
        count: config.count('num_local_experts', 16),
        topK: 2,
        routing: {
          scores: 'sparse mixer',
          nearness: 2 * config.number('router_jitter_noise', 0.01),
        } as const,
        intermediateSize: config.count('intermediate_size'),
      }
      config.ignore('input_jitter_noise')
      return {
        kvHeads: 8,
        norm: { kind: 'layer', key: 'rms_norm_eps' },
        bias: readAttentionBias(config),
        head: { bias: config.flag('lm_head_bias', false) },
        rope: rope(config, { theta: 1_000_000, hasFactors: true }),
        window: () => window,
        experts: (_layer, parts) => {
          const experts = describeExperts(parts, has, settings)
          const fused = parts.name('mlp.router.weight')
          return has(fused) ? { ...experts, router: { ...experts.router, weight: fused } } : experts
        },
      }
    },
  },
}
