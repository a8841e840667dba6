import type { Family } from './family.js'
import { describeExperts, MIXTRAL_EXPERTS, readAttentionBias, rope } from './family-parts.js'
import { readWindow } from './layer-types.js'

/** Phi with experts that SparseMixer chooses. */
export const PHIMOE_FAMILIES: Record<string, Family> = {
  phimoe: {
    title: 'Phi 3.5 MoE, Phi mini and tiny MoE',
    notes: 'layer norms, two experts chosen by SparseMixer; LongRoPE with factors of its own',
    fixed: { num_experts_per_tok: 2 },
    describe: (config, has) => {
      const window = readWindow(config, null)
      const settings = {
        names: MIXTRAL_EXPERTS,
        count: config.count('num_local_experts', 16),
        perToken: 2,
        routing: {
          scores: 'sparse mixer',
          nearness: 2 * config.number('router_jitter_noise', 0.01),
        } as const,
        inner: config.count('intermediate_size'),
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
