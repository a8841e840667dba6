import type { ConfigReader } from './describe/config-reader.js'
import type { Mlp } from './describe/description.js'
import type { Differences } from './describe/differences.js'
import type { Family } from './describe/family.js'
import { makeAlibiSlopes, rope, softmaxRouting } from './describe/family-parts.js'
import { isHarmlessKey } from './describe/harmless-keys.js'

/** MosaicML's decoders, whose configs nest the attention's settings. */
export const MPT_FAMILIES: Record<string, Family> = {
  mpt: {
    title: 'MPT 7B and 30B',
    notes: 'linear biases (ALiBi), layer norms without bias, queries, keys and values clipped',
    prefix: 'transformer.',
    fixed: { expansion_ratio: 4, no_bias: true, logit_scale: null },
    describe: describeMpt,
  },
  dbrx: {
    title: 'DBRX',
    notes: 'layer norms without bias, clipped queries, keys and values from one matrix, fused experts',
    prefix: 'transformer.',
    expertParameters: ['experts.mlp.w1', 'experts.mlp.v1', 'experts.mlp.w2'],
    describe: describeDbrx,
  },
}

function describeDbrx(config: ConfigReader): Differences {
  const attention = config.object('attn_config') ?? config.assume('attn_config', {})
  const kvHeads = attention.count('kv_n_heads', 1)
  const clip = attention.positive('clip_qkv', null)
  const theta = attention.positive('rope_theta', undefined)
  const stated = config.object('rope_parameters')?.positive('rope_theta', undefined)
  if (theta !== undefined && stated !== undefined && theta !== stated) {
    throw attention.refuse('rope_theta', `${stated} as in rope_parameters`)
  }
  const { activation, experts } = readExperts(config)
  attention.assertAllRead('dbrx', (key, value) => isHarmlessKey(key, value, []))
  config.ignore('max_seq_len')
  config.expect('num_key_value_heads', kvHeads)
  return {
    names: {
      layers: 'blocks',
      embedding: 'wte',
      finalNorm: 'norm_f',
      attention: 'norm_attn_norm.attn',
      packed: 'Wqkv',
      output: 'out_proj',
    },
    keys: { hidden: 'd_model', heads: 'n_heads', layers: 'n_layers', kvHeads: null },
    kvHeads,
    norm: { kind: 'layer', key: null, bias: false },
    norms: { beforeMixer: 'norm_attn_norm.norm_1', beforeMlp: 'norm_attn_norm.norm_2' },
    layout: 'qkv',
    clip,
    rope: rope(config, { theta: theta ?? 10_000 }),
    activation,
    experts,
  }
}

function readExperts(config: ConfigReader): { activation: string; experts: Differences['experts'] & object } {
  const ffn = config.object('ffn_config') ?? config.assume('ffn_config', {})
  const function_ = ffn.object('ffn_act_fn') ?? ffn.assume('ffn_act_fn', {})
  const activation = function_.text('name', 'silu')
  function_.assertAllRead('dbrx', () => false)
  const intermediateSize = ffn.count('ffn_hidden_size', 3584)
  const count = ffn.count('moe_num_experts', 4)
  const topK = ffn.count('moe_top_k', 1)
  const power = ffn.isNull('moe_normalize_expert_weights') ? null : ffn.number('moe_normalize_expert_weights', 1)
  if (power !== null && power !== 1) throw ffn.refuse('moe_normalize_expert_weights', '1 or null')
  ffn.expect('uniform_expert_assignment', false)
  ffn.ignore('hidden_size', 'moe_jitter_eps', 'moe_loss_weight')
  ffn.assertAllRead('dbrx', (key, value) => isHarmlessKey(key, value, []))
  return {
    activation,
    experts: (_layer, { hidden, activation, name }) => {
      const linear = (weight: string, inputs: number, outputs: number) => ({
        weight: name(`ffn.${weight}`),
        bias: null,
        inputs,
        outputs,
      })
      const expert = (index: number): Mlp => {
        const fused = { count, index, isFlat: true }
        return {
          kind: 'gated',
          gate: { ...linear('experts.mlp.w1', hidden, intermediateSize), fused },
          up: { ...linear('experts.mlp.v1', hidden, intermediateSize), fused },
          activation,
          down: { ...linear('experts.mlp.w2', intermediateSize, hidden), fused, transposed: true },
        }
      }
      const routing = softmaxRouting(power === 1)
      return {
        router: linear('router.layer.weight', hidden, count),
        count,
        topK,
        routing,
        expert,
        shared: null,
      }
    },
  }
}

function describeMpt(config: ConfigReader): Differences {
  const settings = config.object('attn_config')
  const clip = settings?.positive('clip_qkv', null) ?? null
  const scale = settings?.positive('softmax_scale', null) ?? null
  for (const [key, value] of Object.entries(MPT_ATTENTION)) settings?.expect(key, value)
  settings?.ignore('attn_impl', 'tie_word_embeddings')
  settings?.assertAllRead('mpt', (key, value) => isHarmlessKey(key, value, []))
  config.ignore('init_config', 'tokenizer_name')
  config.ignore('learned_pos_emb', 'embedding_fraction', 'norm_type', 'init_device', 'max_seq_len', 'verbose')
  return {
    tied: true,
    names: {
      layers: 'blocks',
      embedding: 'wte',
      finalNorm: 'norm_f',
      attention: 'attn',
      packed: 'Wqkv',
      output: 'out_proj',
      mlp: 'ffn',
    },
    keys: { hidden: 'd_model', layers: 'n_layers', heads: 'n_heads', kvHeads: null },
    norm: { kind: 'layer', key: 'layer_norm_epsilon', bias: false },
    norms: { beforeMixer: 'norm_1', beforeMlp: 'norm_2' },
    layout: 'qkv',
    clip,
    scale: (_layer, { headDim }) => scale ?? headDim ** -0.5,
    alibi: ({ heads }) => ({ slopes: makeAlibiSlopes(heads), inBfloat16: false, scale: 1 }),
    mlp: 'plain',
    innerMultiple: 4,
    activation: 'gelu',
  }
}

/** Settings of MPT's attention that transformers assumes. */
const MPT_ATTENTION = {
  alibi: true,
  alibi_bias_max: 8,
  attn_type: 'multihead_attention',
  attn_uses_sequence_id: false,
  prefix_lm: false,
  qk_ln: false,
}
