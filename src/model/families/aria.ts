import type { ConfigReader } from './describe/config-reader.js'
import type { Differences, ExpertParts } from './describe/differences.js'
import type { Family, Has } from './describe/family.js'
import { readAttentionBias, rope, softmaxRouting } from './describe/family-parts.js'

export const ARIA_FAMILIES: Record<string, Family> = {
  aria_text: {
    title: 'Aria',
    notes: 'as Llama, with experts in one stack and one that every token passes',
    fixed: { hidden_act: 'silu' },
    describe: describeAria,
  },
}

function describeAria(config: ConfigReader, has: Has): Differences {
  const inner = config.count('intermediate_size', 4096)
  const count = config.count('moe_num_experts', 8)
  const perToken = config.count('moe_topk', 2)
  const sharedInner = inner * config.count('moe_num_shared_experts', 2)
  const describe = (parts: ExpertParts) => {
    const { hidden, activation, name, gated } = parts
    const [gateUp, down] = has(name('mlp.experts.gate_up_proj'))
      ? ['gate_up_proj', 'down_proj']
      : ['fc1.weight', 'fc2.weight']
    const linear = (weight: string, inputs: number, outputs: number) => ({
      weight: name(`mlp.${weight}`),
      bias: null,
      inputs,
      outputs,
    })
    const ofStack = (index: number) => ({ transposed: true, stack: { count, index } })
    return {
      router: linear('router.weight', hidden, count),
      count,
      perToken,
      routing: softmaxRouting(true),
      expert: (index: number) => ({
        kind: 'gated in one' as const,
        gateUp: { ...linear(`experts.${gateUp}`, hidden, 2 * inner), ...ofStack(index) },
        activation,
        down: { ...linear(`experts.${down}`, inner, hidden), ...ofStack(index) },
      }),
      shared: { mlp: gated('mlp.shared_experts', sharedInner), gate: null },
    }
  }
  return {
    bias: { ...readAttentionBias(config), mlp: config.flag('mlp_bias', false) },
    rope: rope(config),
    experts: (_layer, parts) => describe(parts),
  }
}
