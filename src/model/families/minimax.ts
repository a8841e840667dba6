import type { ConfigReader } from './config-reader.js'
import type { LightningAttention, Residual } from './description.js'
import type { Differences, MixerParts } from './differences.js'
import type { Family } from './family.js'
import { describeExperts, MIXTRAL_EXPERTS, readExpertCount, rope, softmaxRouting } from './family-parts.js'
import { readLayerKinds, readWindow } from './layer-types.js'

/** Epsilon of the norm inside linear attention, whatever that of the others. */
const INNER_EPSILON = 1e-6

const TYPES: ('full_attention' | 'linear_attention')[] = ['full_attention', 'linear_attention']

export const MINIMAX_FAMILIES: Record<string, Family> = {
  minimax: {
    title: 'MiniMax Text 01',
    notes:
      'lightning attention in most layers, experts in all; mixer and MLP are added to the normed stream, with factors on both',
    describe: describeMinimax,
  },
}

function describeMinimax(config: ConfigReader, has: (name: string) => boolean): Differences {
  const typeOf = readLayerKinds(config, 'layer_types', TYPES, (layer) => TYPES[layer % 2]!)
  const isLinear = (layer: number) => typeOf(layer) === 'linear_attention'
  const window = readWindow(config, null)
  const block = config.length('block_size', 256)
  const residuals = {
    linear: readResidual(config, 'linear_attn', 'linear_attention'),
    full: readResidual(config, 'full_attn', 'full_attention'),
    mlp: readResidual(config, 'mlp', 'mlp'),
  }
  const experts = {
    names: MIXTRAL_EXPERTS,
    count: readExpertCount(config, 8),
    perToken: config.count('num_experts_per_tok', 2),
    routing: softmaxRouting(true),
    inner: config.count('intermediate_size', 14_336),
  }
  return {
    kvHeads: 8,
    norm: { epsilon: 1e-5 },
    rope: rope(config, { theta: 1_000_000 }),
    window: () => window,
    addsToNormed: true,
    residual: (layer) => ({
      mixer: isLinear(layer) ? residuals.linear : residuals.full,
      mlp: residuals.mlp,
    }),
    mixer: (layer, parts) => (isLinear(layer) ? describeLightning(parts, has, { layer, block }) : null),
    experts: (_layer, parts) => describeExperts(parts, has, experts),
  }
}

/** @param published the part's name in keys of the first release, which must say the same */
function readResidual(config: ConfigReader, part: string, published: string): Residual {
  const stream = config.number(`${part}_alpha_factor`, 1)
  const added = config.number(`${part}_beta_factor`, 1)
  config.expect(`layernorm_${published}_alpha`, stream)
  config.expect(`layernorm_${published}_beta`, added)
  return { stream, added }
}

/** Decays follow from the layer's number unless the checkpoint holds them. */
function describeLightning(
  { name, linear, makeNorm, activation, sizes }: MixerParts,
  has: (name: string) => boolean,
  { layer, block }: { layer: number; block: number },
): LightningAttention {
  const { hidden, heads, headDim } = sizes
  const own = (tensor: string) => name(`self_attn.${tensor}`)
  const width = heads * headDim
  return {
    kind: 'lightning',
    heads,
    headDim,
    packed: linear('self_attn.qkv_proj', hidden, 3 * width),
    activation,
    block,
    decay: has(own('slope_rate'))
      ? {
          kind: 'stored',
          rates: own('slope_rate'),
          queries: own('query_decay'),
          keys: own('key_decay'),
          scores: own('diagonal_decay'),
        }
      : { kind: 'computed', rates: listRates(heads, 1 - layer / (sizes.layers - 1 + 1e-5) + 1e-5) },
    norm: makeNorm(own('norm'), { size: width, epsilon: INNER_EPSILON }),
    gate: linear('self_attn.output_gate', hidden, width),
    output: linear('self_attn.out_proj', width, hidden),
  }
}

/** Powers of 2^(-8 / heads), times a factor of the layer. */
function listRates(heads: number, factor: number): number[] {
  return Array.from({ length: heads }, (_, head) => 2 ** ((-8 * (head + 1)) / heads) * factor)
}
