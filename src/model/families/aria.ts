import type { ConfigReader } from './describe/config-reader.js'
import type { Differences, ExpertParts } from './describe/differences.js'
import type { Family, Has } from './describe/family.js'
import { readBiases, rope, softmaxRouting } from './describe/family-parts.js'

export const ARIA_FAMILIES: Record<string, Family> = {
  aria_text: {
    title: 'Aria',
    notes: 'as Llama, with fused experts and a shared expert',
    fixed: { hidden_act: 'silu' },
    describe: describeAria,
  },
}

function describeAria(config: ConfigReader, has: Has): Differences {
  const intermediateSize = config.count('intermediate_size', 4096)
  const count = config.count('moe_num_experts', 8)
  const topK = config.count('moe_topk', 2)
  const sharedIntermediateSize = intermediateSize * config.count('moe_num_shared_experts', 2)
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
    const ofFused = (index: number) => ({ transposed: true, fused: { count, index } })
    return {
      router: linear('router.weight', hidden, count),
      count,
      topK,
      routing: softmaxRouting(true),
      expert: (index: number) => ({
        kind: 'gated in one' as const,
        gateUp: { ...linear(`experts.${gateUp}`, hidden, 2 * intermediateSize), ...ofFused(index) },
        activation,
        down: { ...linear(`experts.${down}`, intermediateSize, hidden), ...ofFused(index) },
      }),
      shared: { mlp: gated('mlp.shared_experts', sharedIntermediateSize), gate: null },
    }
  }
  return {
    bias: readBiases(config),
    rope: rope(config),
    experts: (_layer, parts) => describe(parts),
  }
}
