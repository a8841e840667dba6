import type { Experts, Linear, Mlp } from './describe/description.js'
import type { ExpertParts } from './describe/differences.js'
import type { Family, Has } from './describe/family.js'
import {
  allButEvery,
  type ExpertCounts,
  MLP_WIDTH,
  readExpertCounts,
  rope,
  softmaxRouting,
} from './describe/family-parts.js'
import { readLayerTypes, readWindow, windowsOf } from './describe/layer-types.js'

/** Default scaling of gpt-oss's rotary embedding. */
const USUAL_ROPE = {
  rope_type: 'yarn',
  factor: 32,
  beta_fast: 32,
  beta_slow: 1,
  truncate: false,
  original_max_position_embeddings: 4096,
}

export const GPT_OSS_FAMILIES: Record<string, Family> = {
  gpt_oss: {
    title: 'gpt-oss in bfloat16',
    notes: 'sinks, a window in every other layer, biases, experts with bounded gates',
    // 1.702 is also the factor of quick GELU
    fixed: { hidden_act: 'silu', swiglu_alpha: 1.702 },
    describe: (config, has) => {
      const experts = {
        ...readExpertCounts(config, { count: 128, topK: 4 }, MLP_WIDTH),
        limit: config.positive('swiglu_limit', 7),
      }
      // the first published configs state the number under two keys
      config.expect('experts_per_token', experts.topK)
      // the rope's settings have their own original length, which takes precedence
      config.ignore('initial_context_length')
      const hasBias = config.flag('attention_bias', true)
      return {
        kvHeads: 8,
        headDim: 64,
        norm: { epsilon: 1e-5 },
        bias: { qkv: hasBias, output: hasBias },
        activation: 'quick_gelu',
        activationNames: { silu: 'quick_gelu' },
        sinks: 'sinks',
        rope: rope(config, { theta: 150_000, usual: USUAL_ROPE }),
        window: windowsOf(config, readLayerTypes(config, allButEvery(2)), readWindow(config, 128)),
        experts: (_layer, parts) => describeExperts(parts, has, experts),
      }
    },
  },
}

/** Published files fuse gate and up projections; a GGUF file stores them apart, as [outputs, inputs]. */
function describeExperts(
  { hidden, activation, name }: ExpertParts,
  has: Has,
  { count, topK, intermediateSize, limit }: ExpertCounts & { limit: number },
): Experts {
  const isSeparate = has(name('mlp.experts.gate_proj'))
  const fused = (module: string, inputs: number, outputs: number, index: number): Linear => ({
    weight: name(`mlp.experts.${module}`),
    bias: name(`mlp.experts.${module}_bias`),
    inputs,
    outputs,
    transposed: !isSeparate,
    fused: { count, index },
  })
  return {
    router: {
      weight: name('mlp.router.weight'),
      bias: name('mlp.router.bias'),
      inputs: hidden,
      outputs: count,
    },
    count,
    topK,
    // a softmax over the selected outputs only
    routing: softmaxRouting(true),
    expert: (index): Mlp => {
      const shared = {
        activation,
        bounds: { limit },
        down: fused('down_proj', intermediateSize, hidden, index),
      }
      if (isSeparate) {
        const [gate, up] = ['gate_proj', 'up_proj'].map((module) => fused(module, hidden, intermediateSize, index))
        return { kind: 'gated', gate: gate!, up: up!, ...shared }
      }
      const gateUp = fused('gate_up_proj', hidden, 2 * intermediateSize, index)
      return { kind: 'gated in one', gateUp, interleaved: true, ...shared }
    },
    shared: null,
  }
}
