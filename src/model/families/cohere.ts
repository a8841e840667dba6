import type { ConfigReader } from './describe/config-reader.js'
import type { Differences } from './describe/differences.js'
import type { Family, Has } from './describe/family.js'
import { allButEvery, QWEN_EXPERTS, readAttentionBias, rope } from './describe/family-parts.js'
import { readLayerTypes, readPattern, readWindow, windowsOf } from './describe/layer-types.js'
import { describeRoutedExperts, type RoutedExperts, readExpertLayers } from './describe/router-parts.js'

export const COHERE_FAMILIES: Record<string, Family> = {
  cohere: {
    title: 'Command R and R+, Aya',
    notes: 'attention and MLP in parallel, layer norms without bias, interleaved rope',
    describe: (config) => ({
      ...describeCohere(config),
      headNorm: config.flag('use_qk_norm', false) ? { span: 'each head', query: 'q_norm', key: 'k_norm' } : undefined,
      rope: rope(config, { theta: 500_000, interleaved: true }),
    }),
  },
  cohere2: {
    title: 'Command R7B, Command A',
    notes: 'as Command R; only layers with a window have rotary embedding',
    fixed: {
      order_of_interleaved_layers: 'local_attn_first',
      position_embedding_type: 'rope_gptj',
      rotary_pct: 1,
      use_embedding_sharing: true,
      use_gated_activation: true,
      use_parallel_block: true,
    },
    describe: (config) => {
      const pattern = readPattern(config, 4)
      config.expect('layer_switch', pattern)
      const types = readLayerTypes(config, allButEvery(pattern))
      const shared = rope(config, { interleaved: true })
      return {
        ...describeCohere(config),
        rope: (layer, sizes) => (types(layer) === 'sliding_attention' ? shared(layer, sizes) : null),
        window: windowsOf(config, types, readWindow(config, 4096)),
      }
    },
  },
  cohere2_moe: {
    title: 'Command A+',
    notes: 'as Command A, with experts after the first layers',
    fixed: { use_gated_activation: true, use_parallel_block: true },
    describe: describeCohere2Moe,
  },
}

function describeCohere2Moe(config: ConfigReader, has: Has): Differences {
  const first = config.number('first_k_dense_replace', 0)
  const pattern = readPattern(config, 4)
  const densePattern = config.length('prefix_dense_sliding_window_pattern', 1)
  const types = readLayerTypes(config, (layer) =>
    layer < first ? allButEvery(densePattern)(layer) : allButEvery(pattern)(layer - first),
  )
  const isSparse = readExpertLayers(config, { key: 'first_k_dense_replace', otherwise: 0 })
  const shared = rope(config, { interleaved: true, hasOwnTheta: true })
  const { norm, ...cohere } = describeCohere(config)
  const rmsEpsilon = config.positive('rms_norm_eps', null)
  config.ignore('layer_norm_eps')
  const intermediateSize = config.count('intermediate_size')
  const denseInner = config.count('prefix_dense_intermediate_size', intermediateSize)
  const routed = readCohereExperts(config, intermediateSize)
  return {
    ...cohere,
    headDim: 128,
    norm: rmsEpsilon === null ? norm! : { key: 'rms_norm_eps' },
    rope: (layer, sizes) =>
      types(layer) === 'sliding_attention' || (!isSparse(layer) && densePattern === 1) ? shared(layer, sizes) : null,
    window: windowsOf(config, types, readWindow(config, 4096)),
    mlpSize: denseInner,
    experts: (layer, parts) => (isSparse(layer) ? describeRoutedExperts(parts, has, routed) : null),
  }
}

function readCohereExperts(config: ConfigReader, intermediateSize: number): RoutedExperts {
  const scores = config.text('expert_selection_fn', 'softmax')
  const strategy = config.text('shared_expert_combination_strategy', 'average')
  if (scores !== 'softmax' && scores !== 'sigmoid') {
    throw config.refuse('expert_selection_fn', '"softmax" or "sigmoid"')
  }
  if (strategy !== 'average' && strategy !== 'sum') {
    throw config.refuse('shared_expert_combination_strategy', '"average" or "sum"')
  }
  const isNormalized = config.flag('norm_topk_prob', true) || scores === 'softmax'
  const sharedCount = config.number('num_shared_experts', 0)
  const scale = sharedCount > 0 && strategy === 'average' ? 0.5 : 1
  return {
    names: QWEN_EXPERTS,
    count: config.count('num_experts', 8),
    topK: config.count('num_experts_per_tok', 2),
    intermediateSize,
    routing: { scores, correctionBias: null, normalized: isNormalized ? { sumEpsilon: 0 } : null, scale },
    correctionBias: null,
    shared:
      sharedCount > 0
        ? { modules: ['mlp.shared_experts'], intermediateSize: intermediateSize * sharedCount, scale }
        : null,
  }
}

function describeCohere(config: ConfigReader): Differences {
  return {
    tied: true,
    norm: { kind: 'layer', bias: false },
    norms: { beforeMlp: null },
    parallel: true,
    bias: readAttentionBias(config),
    head: { scale: config.number('logit_scale', 0.0625) },
  }
}
