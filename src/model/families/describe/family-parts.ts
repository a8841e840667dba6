import type { ConfigReader } from './config-reader.js'
import type { Experts, LargestScores, Linear, Mlp, Rope, Routing } from './description.js'
import type { Differences, ExpertParts, Sizes } from './differences.js'
import type { Has } from './family.js'
import { readLayerTypes, readWindow, windowsOf } from './layer-types.js'
import { type RopeOptions, readRope } from './rope-config.js'

/** One rotary embedding for all layers that have one; no error if no layer does and its keys are never read. */
export function rope(config: ConfigReader, options: Omit<RopeOptions, 'headDim'> = {}) {
  config.ignore('rope_parameters', 'rope_scaling', 'rope_theta', 'partial_rotary_factor')
  config.ignore(...Object.values(options.keys ?? {}))
  let known: Rope | undefined
  return (_layer: number, { headDim }: Sizes): Rope => (known ??= readRope(config, { ...options, headDim }))
}

/** True except for every `period`-th layer, which usually has full attention. */
export function allButEvery(period: number): (layer: number) => boolean {
  return (layer) => period > 0 && (layer + 1) % period !== 0
}

/** Qwen's windows: off unless `use_sliding_window`, then in the layers from `max_window_layers` on. */
export function readQwenWindows(
  config: ConfigReader,
  slides: (layer: number, maxWindowLayers: number) => boolean,
  usualFirst = 28,
): (layer: number) => number | null {
  const isOn = config.flag('use_sliding_window', false)
  const window = isOn ? readWindow(config, 4096) : null
  if (!isOn) config.ignore('sliding_window')
  const first = config.number('max_window_layers', usualFirst)
  const types = readLayerTypes(config, (layer) => window !== null && slides(layer, first))
  return windowsOf(config, types, window)
}

/** `attention_bias`: biases on queries, keys, values and output. */
export function readAttentionBias(config: ConfigReader): { qkv: boolean; output: boolean } {
  const bias = config.flag('attention_bias', false)
  return { qkv: bias, output: bias }
}

/** Granite's factors on embedding, scores, residual branches and logits. */
export function readMultipliers(config: ConfigReader): Differences {
  const attention = config.number('attention_multiplier', 1)
  return {
    embedding: { scale: config.number('embedding_multiplier', 1) },
    residualMultiplier: config.number('residual_multiplier', 1),
    head: { scale: 1 / config.positive('logits_scaling', 1) },
    scale: () => attention,
  }
}

export interface ExpertNames {
  /** Module of the router and of the experts' list. */
  router: string
  experts: string
  gate: string
  up: string
  down: string
  /** Modules of router and experts if transformers 5 fused them; `mlp.gate` and `mlp.experts`. */
  fusedRouter?: string
  fused?: string
}

export const QWEN_EXPERTS: ExpertNames = {
  router: 'mlp.gate',
  experts: 'mlp.experts',
  gate: 'gate_proj',
  up: 'up_proj',
  down: 'down_proj',
}

export const FEED_FORWARD_EXPERTS: ExpertNames = {
  router: 'feed_forward.router',
  experts: 'feed_forward.experts',
  gate: 'gate_proj',
  up: 'up_proj',
  down: 'down_proj',
  fused: 'feed_forward.experts',
  fusedRouter: 'feed_forward.router',
}

export const MIXTRAL_EXPERTS: ExpertNames = {
  router: 'block_sparse_moe.gate',
  experts: 'block_sparse_moe.experts',
  gate: 'w1',
  up: 'w3',
  down: 'w2',
}

/** The usual router: a softmax over all experts. @param normalized whether the selected scores are scaled to a sum of 1 */
export function softmaxRouting(normalized: boolean): LargestScores {
  return {
    scores: 'softmax',
    correctionBias: null,
    normalized: normalized ? { sumEpsilon: 0 } : null,
    scale: 1,
  }
}

/**
 * Describes experts as published, each with three matrices, or as transformers 5 can save them: fused over all experts,
 * with gate and up in one tensor.
 */
export function describeExperts(
  { hidden, activation, name }: ExpertParts,
  has: Has,
  settings: ExpertCounts & {
    names: ExpertNames
    routing: Routing
    /** Whether fused matrices are stored as [inputs, outputs]; false if omitted. */
    transposed?: Linear['transposed']
  },
): Experts {
  const { count, topK, routing, intermediateSize, names, transposed = false } = settings
  const module = names.fused ?? 'mlp.experts'
  const isFused = has(name(`${module}.gate_up_proj`))
  const linear = (weight: string, inputs: number, outputs: number): Linear => ({
    weight: name(weight),
    bias: null,
    inputs,
    outputs,
  })
  const fused = (weight: string, inputs: number, outputs: number, index: number): Linear => ({
    ...linear(weight, inputs, outputs),
    transposed,
    fused: { count, index },
  })
  const separate = (index: number): Mlp => {
    const module = `${names.experts}.${index}`
    return {
      kind: 'gated',
      gate: linear(`${module}.${names.gate}.weight`, hidden, intermediateSize),
      up: linear(`${module}.${names.up}.weight`, hidden, intermediateSize),
      activation,
      down: linear(`${module}.${names.down}.weight`, intermediateSize, hidden),
    }
  }
  const stacked = (index: number): Mlp => ({
    kind: 'gated in one',
    gateUp: fused(`${module}.gate_up_proj`, hidden, 2 * intermediateSize, index),
    activation,
    down: fused(`${module}.down_proj`, intermediateSize, hidden, index),
  })
  return {
    router: linear(`${isFused ? (names.fusedRouter ?? 'mlp.gate') : names.router}.weight`, hidden, count),
    count,
    topK,
    routing,
    expert: isFused ? stacked : separate,
    shared: null,
  }
}

/** Qwen's shared expert, weighted by a sigmoid gate. */
export function describeSharedExpert(
  { hidden, name, gated }: ExpertParts,
  intermediateSize: number,
): NonNullable<Experts['shared']> {
  const gate = { weight: name('mlp.shared_expert_gate.weight'), bias: null, inputs: hidden, outputs: 1 }
  return { mlp: gated('mlp.shared_expert', intermediateSize), gate }
}

/** Which layers of a Qwen mixture have experts, by `decoder_sparse_step` and `mlp_only_layers`. */
export function readSparseLayers(config: ConfigReader): (layer: number) => boolean {
  const step = config.length('decoder_sparse_step', 1)
  const dense: number[] = config.numbers('mlp_only_layers', [])
  return (layer) => !dense.includes(layer) && (layer + 1) % step === 0
}

export interface ExpertCounts {
  count: number
  topK: number
  /** Width of an expert. */
  intermediateSize: number
}

interface ExpertKeys {
  count?: string
  intermediateSize?: string
}

/**
 * Reads the sizes of a mixture of experts.
 * @param usual the family's defaults; the config must state the others
 * @param keys the key of `count` alone, or several keys; without one for `count`, `num_experts` or, as transformers 5
 *   saves it, `num_local_experts`
 */
export function readExpertCounts(
  config: ConfigReader,
  usual: Partial<ExpertCounts>,
  keys: string | ExpertKeys = {},
): ExpertCounts {
  const stated: ExpertKeys = typeof keys === 'string' ? { count: keys } : keys
  const {
    count = isStated(config, 'num_experts') ? 'num_experts' : 'num_local_experts',
    intermediateSize = 'moe_intermediate_size',
  } = stated
  const read = (key: string, otherwise: number | undefined) =>
    otherwise === undefined ? config.count(key) : config.count(key, otherwise)
  return {
    count: read(count, usual.count),
    topK: read('num_experts_per_tok', usual.topK),
    intermediateSize: read(intermediateSize, usual.intermediateSize),
  }
}

/** Keys of `readExpertCounts` if experts have the key of an MLP's width. */
export const MLP_WIDTH = { intermediateSize: 'intermediate_size' }

function isStated(config: ConfigReader, key: string): boolean {
  return (config.raw(key) ?? null) !== null
}

export const ALL_BIASES = { qkv: true, output: true, mlp: true }

export const HEAD_NORM = { span: 'head', query: 'q_norm', key: 'k_norm' } as const

/** Name of a layer's tensor of sinks: as published, or as transformers 5 saves it. */
export function findSinks(has: Has, published: string): (layer: number) => string {
  return (layer) =>
    ['model.', ''].some((prefix) => has(`${prefix}layers.${layer}.self_attn.${published}`)) ? published : 'sinks'
}

/** `attention_bias` and `mlp_bias`. */
export function readBiases(config: ConfigReader): Differences['bias'] {
  return { ...readAttentionBias(config), mlp: config.flag('mlp_bias', false) }
}

export const NOT_CAUSAL = 'take the causal model that it was made from'

/** Slopes of a geometric series; unless heads are a power of two, the next series fills the rest (ALiBi's appendix). */
export function makeAlibiSlopes(heads: number): number[] {
  const power = 2 ** Math.floor(Math.log2(heads))
  const slope = (index: number, count: number) => 2 ** ((-8 * index) / count)
  const first = Array.from({ length: power }, (_, index) => slope(index + 1, power))
  const rest = Array.from({ length: heads - power }, (_, index) => slope(2 * index + 1, 2 * power))
  return [...first, ...rest]
}
