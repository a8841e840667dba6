import type { ConfigReader } from './describe/config-reader.js'
import {
  countChannels,
  type DeltaSizes,
  describeDelta,
  nameConvolutions,
  readLinearLayers,
} from './describe/delta-parts.js'
import type { GatedDeltaNet } from './describe/description.js'
import type { Differences, MixerParts } from './describe/differences.js'
import type { Family, Has } from './describe/family.js'
import { allButEvery, QWEN_EXPERTS } from './describe/family-parts.js'
import { describeLatent, readLatentForm } from './describe/latent-parts.js'
import {
  describeRoutedExperts,
  type RoutedExperts,
  readExpertLayers,
  readExtraLayers,
  readGroups,
  sigmoidRouting,
} from './describe/router-parts.js'

/** Modules that transformers 5 renames when it saves a model. */
interface Names {
  embedding: string
  attention: string
  output: string
}

const PUBLISHED: Names = { embedding: 'word_embeddings', attention: 'attention', output: 'dense' }

const SAVED: Names = { embedding: 'embed_tokens', attention: 'self_attn', output: 'o_proj' }

export const BAILING_FAMILIES: Record<string, Family> = {
  bailing_hybrid: {
    title: 'Ling 3.0 Flash',
    notes:
      'linear attention by the delta rule with a bounded decay for each element of a key, gated latent attention in every sixth layer, experts',
    describe: describeBailing,
  },
}

function describeBailing(config: ConfigReader, has: Has): Differences {
  const isPublished = ['model.', ''].some((prefix) => has(`${prefix}word_embeddings.weight`))
  const names = isPublished ? PUBLISHED : SAVED
  const sizes = readSizes(config)
  const latent = readLatentForm(
    config,
    { queryLatent: null },
    { interleaved: true, theta: 6_000_000, hasOwnTheta: true },
  )
  const isLinear = readLinearLayers(config, allButEvery(config.length('layer_group_size', 6)))
  const hasExperts = readExpertLayers(config, { key: 'first_k_dense_replace', otherwise: 2 })
  const experts = readExperts(config)
  const bound = config.flag('kda_safe_gate', true) ? config.number('kda_lower_bound', -5) : null
  config.ignore('kda_lower_bound', 'intermediate_size', 'mtp_loss_scaling_factor')
  return {
    names: { embedding: names.embedding },
    mixer: (layer, parts) =>
      isLinear(layer)
        ? describeLingDelta(parts, has, { sizes, bound, names })
        : describeLatent(parts, latent, { ...names, gate: 'g_proj' }),
    experts: (layer, parts) => (hasExperts(layer) ? describeRoutedExperts(parts, has, experts) : null),
    extraLayers: readExtraLayers(config, 1),
  }
}

/** Sizes of linear attention, by the keys of transformers 5 or of published configs. */
function readSizes(config: ConfigReader): DeltaSizes {
  const usual = { heads: config.count('num_attention_heads'), dim: config.count('head_dim', 128) }
  const heads = config.count('linear_num_heads', usual.heads)
  const dim = config.count('linear_head_dim', usual.dim)
  const kernel = config.length('short_conv_kernel_size', 4)
  config.expect('linear_conv_kernel_dim', kernel)
  return { keyHeads: heads, valueHeads: heads, keyDim: dim, valueDim: dim, kernel }
}

function readExperts(config: ConfigReader): RoutedExperts {
  const key = (own: string, usual: string) => config.choose(own, usual)
  const count = config.count(key('num_experts', 'num_local_experts'), 512)
  const topK = config.count(key('num_experts_per_token', 'num_experts_per_tok'), 8)
  const intermediateSize = config.count('moe_intermediate_size', 768)
  const shared = config.count(key('num_shared_experts', 'n_shared_experts'), 1)
  const routing = sigmoidRouting(config.number('routed_scaling_factor', 2.5))
  const groups = readGroups(
    config,
    { count, topK, scoredBy: 2 },
    { count: 8, kept: 4 },
    key('num_expert_group', 'n_group'),
  )
  const isNormalized = config.flag(key('moe_renormalize', 'norm_topk_prob'), true)
  return {
    names: QWEN_EXPERTS,
    count,
    topK,
    intermediateSize,
    routing: { ...routing, groups, normalized: isNormalized ? routing.normalized : null },
    correctionBias: ['mlp.gate.expert_bias', 'mlp.gate.e_score_correction_bias'],
    shared: { modules: ['mlp.shared_experts'], intermediateSize: intermediateSize * shared },
  }
}

function describeLingDelta(
  parts: MixerParts,
  has: Has,
  { sizes, bound, names }: { sizes: DeltaSizes; bound: number | null; names: Names },
): GatedDeltaNet {
  const { name, makeNorm } = parts
  const { hidden } = parts.sizes
  const { values } = countChannels(sizes)
  const linear = (module: string, outputs: number) => parts.linear(`${names.attention}.${module}`, hidden, outputs)
  const forget = has(name(`${names.attention}.forget_gate.A_log`)) ? 'forget_gate.' : ''
  return describeDelta(parts, sizes, {
    projections: {
      layout: 'qkv',
      queriesKeysValues: ['q_proj', 'k_proj', 'v_proj'].map((module) => linear(module, values)),
      gate: [linear('g_proj', values)],
      beta: linear('b_proj', sizes.valueHeads),
      decay: [linear(`${forget}f_proj`, values)],
    },
    convolutions: nameConvolutions(parts, names.attention, has),
    decay: {
      rate: name(`${names.attention}.${forget}A_log`),
      rateShape: [sizes.valueHeads],
      bias: name(`${names.attention}.${forget}dt_bias`),
      perElement: true,
      bound,
    },
    betaScale: 1,
    gateActivation: 'sigmoid',
    norm: makeNorm(name(`${names.attention}.o_norm`), { size: sizes.valueDim }),
    output: `${names.attention}.${names.output}`,
  })
}
