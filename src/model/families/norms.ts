import type { Family } from './family.js'
import { describeCohere, POST_NORMS } from './family-bases.js'
import { allButEvery, readAttentionBias, rope } from './family-parts.js'
import { readLayerTypes, readPattern, readWindow, windowsOf } from './layer-types.js'

/** Decoders whose norms are not where Llama's are: after attention and MLP, or one for both in parallel. */
export const NORM_FAMILIES: Record<string, Family> = {
  olmo: {
    title: 'OLMo 1',
    notes: 'layer norms with nothing learnt, queries, keys and values clipped',
    describe: (config) => ({
      norm: { kind: 'layer', key: null, weight: false, bias: false },
      bias: readAttentionBias(config),
      clip: config.positive('clip_qkv', null),
      rope: rope(config),
    }),
  },
  olmo2: {
    title: 'OLMo 2',
    notes: 'norms after attention and MLP instead of before; norms over all queries and all keys',
    describe: (config) => ({ ...POST_NORMS, bias: readAttentionBias(config), rope: rope(config) }),
  },
  olmo3: {
    title: 'OLMo 3',
    notes: 'as OLMo 2, with a window in three layers of four',
    describe: (config) => {
      const types = readLayerTypes(config, allButEvery(4))
      const full = rope(config, { theta: 500_000, layerType: 'full_attention' })
      const sliding = rope(config, { theta: 500_000, layerType: 'sliding_attention', scaled: false })
      return {
        ...POST_NORMS,
        bias: readAttentionBias(config),
        rope: (layer, sizes) => (types(layer) === 'full_attention' ? full : sliding)(layer, sizes),
        window: windowsOf(config, types, readWindow(config, 4096)),
      }
    },
  },
  exaone4: {
    title: 'EXAONE 4',
    notes: 'as OLMo 2 with norms on heads; rotary embedding in the layers with a window',
    describe: (config) => {
      const window = readWindow(config, 4096)
      const pattern = config.raw('sliding_window_pattern') ?? 4
      const types = readLayerTypes(config, (layer) => {
        if (window === null) return false
        if (!Number.isSafeInteger(pattern)) {
          throw config.refuse('sliding_window_pattern', 'a whole number, or layer_types')
        }
        return allButEvery(pattern as number)(layer)
      })
      const shared = rope(config)
      return {
        ...POST_NORMS,
        kvHeads: 32,
        headNorm: { span: 'head', query: 'q_norm', key: 'k_norm' },
        rope: (layer, sizes) =>
          window === null || types(layer) === 'sliding_attention' ? shared(layer, sizes) : null,
        window: windowsOf(config, types, window),
      }
    },
  },
  cohere: {
    title: 'Command R and R+, Aya',
    notes: 'attention and MLP in parallel, layer norms without bias, interleaved rope',
    describe: (config) => ({
      ...describeCohere(config),
      headNorm: config.flag('use_qk_norm', false)
        ? { span: 'each head', query: 'q_norm', key: 'k_norm' }
        : undefined,
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
  nemotron: {
    title: 'Nemotron 3 and 4, Minitron',
    notes: 'layer norms of 1 + weight, plain MLP with squared ReLU, half of each head rotated',
    describe: (config) => ({
      norm: { kind: 'layer', key: 'norm_eps', weightOffset: 1 },
      bias: { ...readAttentionBias(config), mlp: config.flag('mlp_bias', false) },
      mlp: 'plain',
      activation: 'relu2',
      rope: rope(config, { partial: 0.5 }),
    }),
  },
}
