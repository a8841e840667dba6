import type { ConfigReader } from './config-reader.js'
import type { LatentAttention, Rope } from './description.js'
import type { Differences, MixerParts } from './differences.js'
import { type RopeOptions, readRope, yarnMagnitude } from './rope-config.js'

/** Epsilon of the norms in latent attention, whatever the config says. */
const LATENT_EPSILON = 1e-6

/** Sizes and form of latent attention, the same in all layers. */
export interface LatentForm {
  /** Elements of a head's query and key: those of its own, and those that the keys of all heads share. */
  own: number
  shared: number
  /** Elements of a head's value. */
  value: number
  latent: number
  /** Width of the queries' latent; null if queries come from one product. */
  queryLatent: number | null
  bias: boolean
  rope: Rope | null
  scale: number
}

/** The family's defaults. */
export interface UsualSizes {
  own?: number
  shared?: number
  value?: number
  latent?: number
  queryLatent: number | null
}

/**
 * Reads the sizes of latent attention and its rotary embedding.
 * @param rope how the shared elements are rotated; null if they are not
 */
export function readLatentForm(
  config: ConfigReader,
  usual: UsualSizes,
  rope: Omit<RopeOptions, 'headDim'> | null,
): LatentForm {
  const own = config.count('qk_nope_head_dim', usual.own ?? 128)
  const shared = config.count('qk_rope_head_dim', usual.shared ?? 64)
  config.expect('num_key_value_heads', config.raw('num_attention_heads'))
  config.expect('qk_head_dim', own + shared)
  config.ignore('head_dim')
  return {
    own,
    shared,
    value: config.count('v_head_dim', usual.value ?? 128),
    latent: config.count('kv_lora_rank', usual.latent ?? 512),
    queryLatent: config.isNull('q_lora_rank') ? null : config.count('q_lora_rank', usual.queryLatent),
    bias: config.flag('attention_bias', false),
    rope: rope && readRope(config, { ...rope, headDim: shared }),
    scale: (own + shared) ** -0.5 * (rope === null ? 1 : readScoreFactor(config)),
  }
}

/** YaRN's factor on queries times its factor on keys, which latent attention applies to the scores. */
function readScoreFactor(config: ConfigReader): number {
  const settings = config.object('rope_parameters') ?? config.object('rope_scaling')
  const type = settings?.text('rope_type', undefined) ?? settings?.text('type', undefined) ?? 'default'
  const weight = type === 'default' ? 0 : (settings?.number('mscale_all_dim', 0) ?? 0)
  return weight === 0 ? 1 : yarnMagnitude(settings!.positive('factor'), weight) ** 2
}

/** @param names modules that differ from DeepSeek's, and the module of a gate on heads if there is one */
export function describeLatent(
  { name, linear, makeNorm, sizes }: MixerParts,
  { own, shared, value, latent, queryLatent, bias, rope, scale }: LatentForm,
  names: { attention?: string; output?: string; gate?: string } = {},
): LatentAttention {
  const { heads, hidden } = sizes
  const module = (which: string) => `${names.attention ?? 'self_attn'}.${which}`
  const norm = (which: string, size: number) => makeNorm(name(module(which)), { size, epsilon: LATENT_EPSILON })
  const queries = heads * (own + shared)
  return {
    kind: 'latent',
    heads,
    ownDim: own,
    sharedDim: shared,
    valueDim: value,
    query:
      queryLatent === null
        ? linear(module('q_proj'), hidden, queries)
        : {
            down: linear(module('q_a_proj'), hidden, queryLatent, bias),
            norm: norm('q_a_layernorm', queryLatent),
            up: linear(module('q_b_proj'), queryLatent, queries),
          },
    compressed: linear(module('kv_a_proj_with_mqa'), hidden, latent + shared, bias),
    latentNorm: norm('kv_a_layernorm', latent),
    expanded: linear(module('kv_b_proj'), latent, heads * (own + value)),
    gate: names.gate === undefined ? null : linear(module(names.gate), hidden, heads),
    output: linear(module(names.output ?? 'o_proj'), heads * value, hidden, bias),
    rope,
    scale,
  }
}

export function describeLatentLayers(form: LatentForm): Differences {
  return { mixer: (_layer, parts) => describeLatent(parts, form) }
}
