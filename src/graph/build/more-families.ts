import type { ConfigReader } from './config-reader.js'
import type { Differences } from './differences.js'
import type { Family } from './families.js'
import { describeCohere, describeGpt2, POST_NORMS, readGpt2Scale } from './family-bases.js'
import {
  allButEvery,
  describeExperts,
  QWEN_EXPERTS,
  readAttentionBias,
  readExpertCount,
  readMultipliers,
  readQwenWindows,
  readSparseLayers,
  rope,
} from './family-parts.js'
import { readLayerTypes, readWindow, windowsOf } from './layer-types.js'

/** Further families, each close to one of those above it or in `families.ts`. */
export const MORE_FAMILIES: Record<string, Family> = {
  arcee: {
    title: 'Arcee AFM 4.5B',
    notes: 'plain MLP with squared ReLU',
    describe: (config) => ({
      norm: { epsilon: 1e-5 },
      bias: { ...readAttentionBias(config), mlp: config.flag('mlp_bias', false) },
      mlp: 'plain',
      activation: 'relu2',
      rope: rope(config),
    }),
  },
  bloom: {
    title: 'BLOOM, BLOOMZ',
    notes: 'linear biases (ALiBi), a norm after the embedding',
    prefix: 'transformer.',
    describe: (config) => {
      if (config.flag('apply_residual_connection_post_layernorm', false)) {
        throw config.refuse('apply_residual_connection_post_layernorm', 'false')
      }
      return {
        tied: true,
        names: {
          layers: 'h',
          embedding: 'word_embeddings',
          finalNorm: 'ln_f',
          attention: 'self_attention',
          packed: 'query_key_value',
          output: 'dense',
          up: 'dense_h_to_4h',
          down: 'dense_4h_to_h',
        },
        keys: {
          hidden: config.has('n_embed') ? 'n_embed' : 'hidden_size',
          layers: 'n_layer',
          heads: 'n_head',
          inner: 'n_inner',
        },
        norm: { kind: 'layer', key: 'layer_norm_epsilon' },
        embedding: { norm: 'word_embeddings_layernorm' },
        bias: { qkv: true, output: true, mlp: true },
        layout: 'grouped',
        mlp: 'plain',
        innerMultiple: 4,
        activation: 'gelu_new',
        alibiSlopes: makeAlibiSlopes,
      }
    },
  },
  cohere2: {
    title: 'Command R7B, Command A',
    notes: 'as Command R; only layers with a window have rotary embedding',
    describe: (config) => {
      const types = readLayerTypes(config, allButEvery(config.count('sliding_window_pattern', 4)))
      const shared = rope(config, { interleaved: true })
      return {
        ...describeCohere(config),
        rope: (layer, sizes) => (types(layer) === 'sliding_attention' ? shared(layer, sizes) : null),
        window: windowsOf(config, types, readWindow(config, 4096)),
      }
    },
  },
  ernie4_5: {
    title: 'ERNIE 4.5 (dense)',
    notes: 'interleaved rope',
    describe: (config) => {
      const bias = config.flag('use_bias', false)
      return {
        tied: true,
        kvHeads: 2,
        headDim: 128,
        norm: { epsilon: 1e-5 },
        bias: { qkv: bias, output: bias, mlp: bias },
        rope: rope(config, { theta: 500_000, interleaved: true }),
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
        if (typeof pattern !== 'number')
          throw config.refuse('sliding_window_pattern', 'a number, or layer_types')
        return window !== null && allButEvery(pattern)(layer)
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
  falcon: {
    title: 'Falcon 7B, 40B, 180B, 11B',
    notes: 'one or few key heads, attention and MLP in parallel',
    prefix: 'transformer.',
    describe: describeFalcon,
  },
  glm: {
    title: 'GLM 4 9B, GLM Edge',
    notes: 'gate and up in one matrix, half of each head rotated, interleaved',
    describe: describeGlm,
  },
  glm4: {
    title: 'GLM 4 0414, GLM Z1',
    notes: 'as GLM with norms before and after attention and MLP',
    describe: (config) => ({
      ...describeGlm(config),
      norms: { afterAttention: 'post_self_attn_layernorm', afterMlp: 'post_mlp_layernorm' },
    }),
  },
  gpt_bigcode: {
    title: 'StarCoder 1, SantaCoder',
    notes: 'as GPT-2 with one key head',
    prefix: 'transformer.',
    describe: (config) => {
      const isMultiQuery = config.flag('multi_query', true)
      const base = describeGpt2(config, 'gelu_pytorch_tanh')
      config.ignore('num_key_value_heads')
      return {
        ...base,
        keys: { ...base.keys, kvHeads: null },
        kvHeads: isMultiQuery ? 1 : undefined,
        layout: 'grouped',
        scale: readGpt2Scale(config),
      }
    },
  },
  gpt_neo: {
    title: 'GPT-Neo, TinyStories',
    notes: 'as GPT-2 with a window in every other layer, scores not scaled',
    prefix: 'transformer.',
    describe: (config) => {
      const window = config.count('window_size', 256)
      const types = readGptNeoLayers(config)
      const base = describeGpt2(config, 'gelu_new')
      return {
        ...base,
        names: { ...base.names, attention: 'attn.attention', output: 'out_proj' },
        keys: {
          hidden: 'hidden_size',
          layers: 'num_layers',
          heads: 'num_heads',
          inner: 'intermediate_size',
          activation: 'activation_function',
        },
        bias: { qkv: false, output: true, mlp: true },
        layout: 'separate',
        scale: () => 1,
        window: (layer) => (types[layer] === 'local' ? window : null),
        extras: [/\.attn\.attention\.(bias|masked_bias)$/],
      }
    },
  },
  gptj: {
    title: 'GPT-J 6B',
    notes: 'attention and MLP in parallel with one norm, interleaved rope on part of each head',
    prefix: 'transformer.',
    describe: (config) => {
      const base = describeGpt2(config, 'gelu_new')
      const rotated = config.count('rotary_dim')
      let known: ReturnType<ReturnType<typeof rope>> | undefined
      return {
        ...base,
        tied: false,
        names: { ...base.names, output: 'out_proj', up: 'fc_in', down: 'fc_out' },
        norms: { beforeAttention: 'ln_1', beforeMlp: null },
        parallel: true,
        embedding: {},
        head: { bias: true },
        bias: { qkv: false, output: false, mlp: true },
        layout: 'separate',
        rope: (layer, sizes) =>
          (known ??= rope(config, { interleaved: true, partial: rotated / sizes.headDim })(layer, sizes)),
      }
    },
  },
  granitemoe: {
    title: 'Granite 3 MoE',
    notes: 'as Granite, with experts stacked in one tensor',
    describe: (config) => {
      const count = config.count('num_local_experts', 8)
      const perToken = config.count('num_experts_per_tok', 2)
      const inner = config.count('intermediate_size')
      return {
        ...readMultipliers(config),
        bias: readAttentionBias(config),
        rope: rope(config),
        experts: (_layer, { hidden, activation, name }) => ({
          router: {
            weight: name('block_sparse_moe.router.layer.weight'),
            bias: null,
            inputs: hidden,
            outputs: count,
          },
          count,
          perToken,
          normalized: true,
          expert: (index) => ({
            kind: 'gated in one',
            gateUp: {
              weight: name('block_sparse_moe.input_linear.weight'),
              bias: null,
              inputs: hidden,
              outputs: 2 * inner,
              stack: { count, index },
            },
            activation,
            down: {
              weight: name('block_sparse_moe.output_linear.weight'),
              bias: null,
              inputs: inner,
              outputs: hidden,
              stack: { count, index },
            },
          }),
          shared: null,
        }),
      }
    },
  },
  helium: {
    title: 'Helium 1',
    notes: 'interleaved rope',
    describe: (config) => ({
      headDim: 128,
      norm: { epsilon: 1e-8 },
      bias: { qkv: config.flag('attention_bias', false), mlp: config.flag('mlp_bias', false) },
      rope: rope(config, { theta: 100_000, interleaved: true }),
    }),
  },
  hunyuan_v1_dense: {
    title: 'Hunyuan 0.5B to 7B (dense)',
    notes: 'norms on heads after the rotation',
    describe: (config) => ({
      norm: { epsilon: 1e-5 },
      bias: readAttentionBias(config),
      headNorm: { span: 'head', query: 'query_layernorm', key: 'key_layernorm', afterRope: true },
      rope: rope(config, { knowsAlpha: true }),
    }),
  },
  ministral: {
    title: 'Ministral',
    notes: 'as Mistral, with a window in some layers',
    describe: (config) => {
      const window = readWindow(config, 4096)
      const types = readLayerTypes(config, () => window !== null)
      return { kvHeads: 8, rope: rope(config), window: windowsOf(config, types, window) }
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
  olmo: {
    title: 'OLMo 1',
    notes: 'layer norms with nothing learnt, queries, keys and values clipped',
    describe: (config) => ({
      norm: { kind: 'layer', key: null, weight: false, bias: false },
      bias: readAttentionBias(config),
      clip: config.number('clip_qkv', null),
      rope: rope(config),
    }),
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
  olmoe: {
    title: 'OLMoE',
    notes: 'experts, norms over all queries and all keys',
    describe: (config, has) => {
      const settings = {
        names: QWEN_EXPERTS,
        count: readExpertCount(config, 64),
        perToken: config.count('num_experts_per_tok', 8),
        normalized: config.flag('norm_topk_prob', false),
        inner: config.count('intermediate_size'),
      }
      return {
        norm: { epsilon: 1e-5 },
        bias: readAttentionBias(config),
        headNorm: { span: 'all heads', query: 'q_norm', key: 'k_norm' },
        clip: config.number('clip_qkv', null),
        rope: rope(config),
        experts: (_layer, parts) => describeExperts(parts, has, settings),
      }
    },
  },
  opt: {
    title: 'OPT',
    notes: 'learnt positions; norms after the sums in 350M',
    describe: describeOpt,
  },
  qwen2_moe: {
    title: 'Qwen 1.5 MoE, Qwen 2 57B-A14B',
    notes: 'as Qwen 2, with experts and one that every token passes',
    describe: (config, has) => {
      const isSparse = readSparseLayers(config)
      const settings = {
        names: QWEN_EXPERTS,
        count: readExpertCount(config, 60),
        perToken: config.count('num_experts_per_tok', 4),
        normalized: config.flag('norm_topk_prob', false),
        inner: config.count('moe_intermediate_size', 1408),
      }
      const sharedInner = config.count('shared_expert_intermediate_size', 5632)
      config.ignore('intermediate_size')
      return {
        kvHeads: 16,
        bias: { qkv: config.flag('qkv_bias', true) },
        rope: rope(config),
        window: readQwenWindows(config, (layer, first) => layer % 2 === 0 && layer < first),
        experts: (layer, parts) => {
          if (!isSparse(layer)) return null
          const gate = {
            weight: parts.name('mlp.shared_expert_gate.weight'),
            bias: null,
            inputs: parts.hidden,
            outputs: 1,
          }
          const mlp = parts.gated('mlp.shared_expert', sharedInner)
          return { ...describeExperts(parts, has, settings), shared: { mlp, gate } }
        },
      }
    },
  },
  seed_oss: {
    title: 'Seed OSS',
    notes: 'biases on queries, keys and values',
    describe: (config) => ({
      kvHeads: 8,
      headDim: 128,
      bias: {
        qkv: config.flag('attention_bias', true),
        output: config.flag('attention_out_bias', false),
        mlp: config.flag('mlp_bias', false),
      },
      rope: rope(config),
    }),
  },
}

/** Slopes of a geometric series; where the heads are no power of two, the next series fills up (ALiBi's appendix). */
function makeAlibiSlopes(heads: number): number[] {
  const power = 2 ** Math.floor(Math.log2(heads))
  const slope = (index: number, count: number) => 2 ** ((-8 * index) / count)
  const first = Array.from({ length: power }, (_, index) => slope(index + 1, power))
  const rest = Array.from({ length: heads - power }, (_, index) => slope(2 * index + 1, 2 * power))
  return [...first, ...rest]
}

function describeFalcon(config: ConfigReader): Differences {
  if (config.flag('alibi', false)) throw config.refuse('alibi', 'false')
  const isNew = config.flag('new_decoder_architecture', false)
  const isParallel = config.flag('parallel_attn', true) || isNew
  const isMultiQuery = config.flag('multi_query', true) && !isNew
  const bias = config.flag('bias', false)
  config.ignore('num_kv_heads', 'multi_query', 'parallel_attn')
  const hasTwoNorms = isNew && config.count('num_ln_in_parallel_attn', 2) === 2
  return {
    tied: true,
    names: {
      layers: 'h',
      embedding: 'word_embeddings',
      finalNorm: 'ln_f',
      attention: 'self_attention',
      packed: 'query_key_value',
      output: 'dense',
      up: 'dense_h_to_4h',
      down: 'dense_4h_to_h',
    },
    keys: {
      inner: 'ffn_hidden_size',
      activation: 'activation',
      kvHeads: isNew ? 'num_kv_heads' : null,
    },
    kvHeads: isMultiQuery ? 1 : undefined,
    norm: { kind: 'layer', key: 'layer_norm_epsilon' },
    norms: hasTwoNorms
      ? { beforeAttention: 'ln_attn', beforeMlp: 'ln_mlp' }
      : isParallel
        ? { beforeMlp: null }
        : {},
    parallel: isParallel,
    bias: { qkv: bias, output: bias, mlp: bias },
    layout: 'grouped',
    mlp: 'plain',
    innerMultiple: 4,
    activation: 'gelu',
    rope: rope(config),
  }
}

function describeGlm(config: ConfigReader): Differences {
  return {
    kvHeads: 2,
    headDim: 128,
    norm: { epsilon: 1.5625e-7 },
    bias: { qkv: config.flag('attention_bias', true) },
    mlp: 'gated in one',
    rope: rope(config, { partial: 0.5, interleaved: true }),
  }
}

function describeOpt(config: ConfigReader): Differences {
  const bias = config.flag('enable_bias', true)
  const hasWeights = config.flag('layer_norm_elementwise_affine', true)
  const isBefore = config.flag('do_layer_norm_before', true)
  const size = config.count('word_embed_proj_dim', config.count('hidden_size'))
  return {
    inner: 'decoder.',
    tied: true,
    names: { finalNorm: 'final_layer_norm', output: 'out_proj', mlp: '', up: 'fc1', down: 'fc2' },
    keys: { inner: 'ffn_dim', activation: 'activation_function' },
    norm: { kind: 'layer', key: null, weight: hasWeights, bias: hasWeights },
    norms: isBefore
      ? { beforeAttention: 'self_attn_layer_norm', beforeMlp: 'final_layer_norm' }
      : {
          beforeAttention: null,
          beforeMlp: null,
          streamAfterAttention: 'self_attn_layer_norm',
          streamAfterMlp: 'final_layer_norm',
        },
    noFinalNorm: !isBefore || config.flag('_remove_final_layer_norm', false),
    embedding: {
      size,
      projections: { into: 'project_in', back: 'project_out' },
      positions: { name: 'embed_positions', count: config.count('max_position_embeddings'), offset: 2 },
    },
    bias: { qkv: bias, output: bias, mlp: bias },
    mlp: 'plain',
    activation: 'relu',
  }
}

/** `attention_types` says [[kinds, repeats], ...]; newer configs spell the list out. */
function readGptNeoLayers(config: ConfigReader): string[] {
  const types = config.raw('attention_types')
  const spelled = config.texts('attention_layers', undefined)
  const expanded = Array.isArray(types)
    ? types.flatMap((item) =>
        Array.isArray(item) && Array.isArray(item[0])
          ? Array.from({ length: Number(item[1]) }, () => item[0]).flat()
          : [],
      )
    : undefined
  const layers = config.count('num_layers')
  const kinds: unknown[] = expanded ?? spelled ?? []
  if (kinds.length !== layers || !kinds.every((kind) => kind === 'global' || kind === 'local')) {
    throw config.refuse('attention_types', `global or local for each of ${layers} layers`)
  }
  return kinds as string[]
}
