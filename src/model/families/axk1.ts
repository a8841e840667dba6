import { DEEPSEEK3, describeDeepseek3, type UsualDeepseek3 } from './deepseek.js'
import type { ConfigReader } from './describe/config-reader.js'
import type { Experts } from './describe/description.js'
import type { Differences } from './describe/differences.js'
import type { Family, Has } from './describe/family.js'
import { readExpertLayers } from './describe/router-parts.js'

export const AXK1_FAMILIES: Record<string, Family> = {
  axk1: {
    title: 'A.X K1',
    notes: 'as DeepSeek V3, with a norm after the experts',
    describe: describeAxk1,
  },
}

const AXK1: UsualDeepseek3 = {
  ...DEEPSEEK3,
  experts: { ...DEEPSEEK3.experts, count: 192 },
  dense: 1,
  extraLayers: 0,
}

/** Published checkpoints lack the correction bias, and have norms after the MLPs of all layers but use only those after experts. */
function describeAxk1(config: ConfigReader, has: Has): Differences {
  const differences = describeDeepseek3(config, has, AXK1)
  const step = config.has('mlp_layer_types') ? 1 : config.length('moe_layer_freq', 1)
  config.ignore('moe_layer_freq')
  const readExpertsOf = differences.experts!
  const listed = readExpertLayers(config, { key: 'first_k_dense_replace', otherwise: AXK1.dense })
  const hasExperts = (layer: number) => listed(layer) && layer % step === 0
  return {
    ...differences,
    norms: (layer, name) => {
      if (!hasExperts(layer)) return {}
      const saved = 'mlp.post_mlp_layernorm'
      return { afterMlp: has(name(`${saved}.weight`)) ? saved : 'post_mlp_layernorm' }
    },
    experts: (layer, parts) => (hasExperts(layer) ? withoutMissingBias(readExpertsOf(layer, parts), has) : null),
    extras: [/\.post_mlp_layernorm\.weight$/],
  }
}

function withoutMissingBias(experts: Experts | null, has: Has): Experts | null {
  if (experts === null || experts.routing.scores === 'sparse mixer') return experts
  const { correctionBias } = experts.routing
  if (correctionBias === null || has(correctionBias)) return experts
  return { ...experts, routing: { ...experts.routing, correctionBias: null } }
}
