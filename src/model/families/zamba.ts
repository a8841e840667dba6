import type { ConfigReader } from './describe/config-reader.js'
import type { Linear, Preface } from './describe/description.js'
import type { Differences, MixerParts } from './describe/differences.js'
import type { Family, Has } from './describe/family.js'
import { rope } from './describe/family-parts.js'
import { describeMamba2, readMamba2Sizes, TIME_STEP_KEYS } from './describe/mamba-parts.js'

export const ZAMBA_FAMILIES: Record<string, Family> = {
  zamba2: {
    title: 'Zamba 2',
    notes:
      'Mamba-2 in all layers, whose input some add attention and an MLP to; these share their weights, and each has adapters of its own',
    fixed: { use_conv_bias: true, use_long_context: false, time_step_limit: null },
    cutLimit: () => 'layers of zamba2 share weights that are stored in one of them',
    describe: describeZamba2,
  },
}

const KINDS = { mamba: false, linear_attention: false, hybrid: true }

/** The attention blocks that several layers share. */
interface Blocks {
  /** Numbers of the layers that use one. */
  layers: number[]
  /** Number of distinct blocks, which these layers use in turn. */
  count: number
  intermediateSize: number
  rank: number
  adaptsAttention: boolean
  /** Only the first layer that uses a block stores its weights; transformers ties them if it ties the head. */
  tied: boolean
  hasBias: boolean
}

function describeZamba2(config: ConfigReader, has: Has): Differences {
  const hidden = config.count('hidden_size')
  config.ignore('ffn_hidden_size')
  const heads = config.count('num_attention_heads', 32)
  const width = config.length('mamba_expand', 2) * hidden
  const sizes = readMamba2Sizes(
    config,
    {
      heads: ['n_mamba_heads', 8],
      groups: ['mamba_ngroups', 1],
      stateSize: ['mamba_d_state', 64],
      kernel: ['mamba_d_conv', 4],
      convolutionBias: ['use_conv_bias', true],
    },
    (mambaHeads) => {
      if (width % mambaHeads !== 0) throw config.refuse('n_mamba_heads', `a number that divides ${width}`)
      return width / mambaHeads
    },
  )
  const blocks = readBlocks(config, hidden)
  const headDim = config.count(config.choose('attention_head_dim', 'head_dim'), Math.floor((2 * hidden) / heads))
  const rotary = rope(config)
  const least = config.number('time_step_min', 0.001)
  expectDerived(config, { attention_hidden_size: 2 * hidden, mamba_headdim: sizes.headDim })
  config.ignore(...TIME_STEP_KEYS, 'chunk_size', 'use_mem_eff_path', 'use_mamba_kernels')
  config.ignore('num_logits_to_keep', 'kv_channels', 'num_query_groups')
  return {
    tied: true,
    headDim,
    names: { finalNorm: 'final_layernorm' },
    norm: { epsilon: 1e-5 },
    norms: (layer) => ({
      beforeMixer: blocks.layers.includes(layer) ? 'mamba_decoder.input_layernorm' : 'input_layernorm',
      beforeMlp: null,
    }),
    activation: 'gelu',
    rope: config.flag('use_mem_rope', false) ? rotary : undefined,
    scale: () => (headDim / 2) ** -0.5,
    parts: () => ({ mixer: true, mlp: false }),
    mixer: (layer, parts) =>
      describeMamba2(parts, sizes, {
        module: blocks.layers.includes(layer) ? 'mamba_decoder.mamba' : 'mamba',
        inputBias: blocks.hasBias,
        outputBias: blocks.hasBias,
        activation: 'silu',
        timeStep: { least, most: Infinity },
        norm: { epsilon: 1e-5, beforeGate: false },
      }),
    preface: (layer, parts) => {
      if (!blocks.layers.includes(layer)) return null
      if (hasMoreAdapters(blocks, parts, has)) {
        throw config.refuse('layers_block_type', 'one hybrid layer for each adapter')
      }
      return describeBlock(blocks, blocks.layers.indexOf(layer), parts)
    },
  }
}

function readBlocks(config: ConfigReader, hidden: number): Blocks {
  return {
    layers: readHybridLayers(config),
    count: config.length('num_mem_blocks', 1),
    intermediateSize: config.count('intermediate_size', 4 * hidden),
    rank: config.count('adapter_rank', 128),
    adaptsAttention: config.flag('use_shared_attention_adapter', false),
    tied: config.flag('tie_word_embeddings', true),
    hasBias: config.flag('add_bias_linear', false),
  }
}

/** Sizes that transformers derives, whatever the config says. */
function expectDerived(config: ConfigReader, values: Record<string, number>): void {
  for (const [key, value] of Object.entries(values)) config.expect(key, value)
}

function readHybridLayers(config: ConfigReader): number[] {
  const layers = config.layers('num_hidden_layers')
  const kinds = config.texts('layers_block_type', undefined)
  if (kinds?.length !== layers) throw config.refuse('layers_block_type', `${layers} entries, one per layer`)
  const unknown = kinds.some((kind) => !Object.hasOwn(KINDS, kind))
  if (unknown) throw config.refuse('layers_block_type', `only ${Object.keys(KINDS).join(', ')}`)
  const hybrid = kinds.flatMap((kind, layer) => (KINDS[kind as keyof typeof KINDS] ? [layer] : []))
  const stated = config.numbers('hybrid_layer_ids', hybrid)
  if (`${stated}` === `${hybrid}`) return hybrid
  throw config.refuse('hybrid_layer_ids', 'the layers that are hybrid in layers_block_type')
}

function hasMoreAdapters({ layers, count }: Blocks, { name }: MixerParts, has: Has): boolean {
  const list = name('shared_transformer.feed_forward.gate_up_proj_adapter_list')
  const next = Array.from({ length: count }, (_, index) => layers.length + index)
  return next.some((place) => has(`${list}.${place}.0.weight`))
}

/** @param place of the layer among those that use a block */
function describeBlock(blocks: Blocks, place: number, parts: MixerParts): Preface {
  const { hidden } = parts.sizes
  const { intermediateSize, rank, hasBias } = blocks
  const layer = blocks.layers[place]!
  const owner = blocks.tied ? blocks.layers[place % blocks.count]! : layer
  const name = (tensor: string) => parts.name(`shared_transformer.${tensor}`).replace(`.${layer}.`, `.${owner}.`)
  const linear = (module: string, inputs: number, outputs: number, bias = false): Linear => ({
    weight: name(`${module}.weight`),
    bias: bias ? name(`${module}.bias`) : null,
    inputs,
    outputs,
  })
  const adapted = (whole: Linear, adapters: string): Linear => ({
    ...whole,
    adapter: {
      into: linear(`${adapters}.${place}.0`, whole.inputs, rank),
      back: linear(`${adapters}.${place}.1`, rank, whole.outputs),
    },
  })
  const attention = parts.attention()
  const { heads, kvHeads, headDim } = attention
  const project = (which: string, count: number): Linear => {
    const whole = linear(`self_attn.${which}_proj`, 2 * hidden, count * headDim)
    return blocks.adaptsAttention ? adapted(whole, `self_attn.linear_${which}_adapter_list`) : whole
  }
  return {
    norm: parts.makeNorm(name('input_layernorm'), { size: 2 * hidden }),
    attention: {
      ...attention,
      projections: {
        layout: 'separate',
        query: project('q', heads),
        key: project('k', kvHeads),
        value: project('v', kvHeads),
      },
      output: linear('self_attn.o_proj', heads * headDim, hidden),
    },
    mlpNorm: parts.makeNorm(name('pre_ff_layernorm')),
    mlp: {
      kind: 'gated in one',
      gateUp: adapted(
        linear('feed_forward.gate_up_proj', hidden, 2 * intermediateSize, hasBias),
        'feed_forward.gate_up_proj_adapter_list',
      ),
      activation: parts.activation,
      down: linear('feed_forward.down_proj', intermediateSize, hidden, hasBias),
    },
    output: parts.linear('linear', hidden, hidden),
  }
}
