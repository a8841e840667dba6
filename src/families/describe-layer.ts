import { LayerpruneError } from '../errors.js'
import type { ConfigReader } from './config-reader.js'
import type {
  Activation,
  Alibi,
  Attention,
  Experts,
  GatedMlp,
  HeadNorm,
  Layer,
  Linear,
  Mixer,
  Mlp,
} from './description.js'
import {
  type Differences,
  type HeadNorms,
  LLAMA_KEYS,
  type LLAMA_NAMES,
  LLAMA_NORMS,
  type MakeNorm,
  type Sizes,
} from './differences.js'

interface LayerContext {
  index: number
  sizes: Sizes
  names: typeof LLAMA_NAMES
  makeActivation: (name: NameTensor) => Activation
  alibi: Alibi | null
  makeNorm: MakeNorm
  own: (name: string) => string
}

/** Describes one layer of a decoder. */
export function describeLayer(config: ConfigReader, differences: Differences, context: LayerContext): Layer {
  const { index, names, makeNorm, own } = context
  const name = (tensor: string) => own(`${names.layers}.${index}.${tensor}`)
  const ownNorms =
    typeof differences.norms === 'function' ? differences.norms(index, name) : differences.norms
  const norms = { ...LLAMA_NORMS, ...ownNorms }
  const normOf = (module: string | null) => (module === null ? null : makeNorm(name(module)))
  return {
    mixer: describeMixer(differences, context, name),
    mlp: describeMlp(config, differences, context, name),
    norms: {
      beforeMixer: normOf(norms.beforeMixer),
      afterMixer: normOf(norms.afterMixer),
      beforeMlp: normOf(norms.beforeMlp),
      afterMlp: normOf(norms.afterMlp),
      streamAfterMixer: normOf(norms.streamAfterMixer),
      streamAfterMlp: normOf(norms.streamAfterMlp),
    },
    parallel: differences.parallel ?? false,
    residualMultiplier: differences.residualMultiplier ?? 1,
  }
}

type NameTensor = (tensor: string) => string

function describeMixer(differences: Differences, context: LayerContext, name: NameTensor): Mixer {
  const { index, sizes, makeActivation, makeNorm } = context
  const linear = (module: string, inputs: number, outputs: number, bias = false): Linear => ({
    weight: name(`${module}.weight`),
    bias: bias ? name(`${module}.bias`) : null,
    inputs,
    outputs,
  })
  const own = differences.mixer?.(index, {
    sizes,
    activation: makeActivation(name),
    name,
    linear,
    makeNorm,
  })
  return own ?? describeAttention(differences, context, name)
}

function describeAttention(differences: Differences, ofModel: LayerContext, name: NameTensor): Attention {
  const { index, names, alibi, makeNorm } = ofModel
  const sizes = { ...ofModel.sizes, ...differences.attentionSizes?.(index, ofModel.sizes) }
  const context = { ...ofModel, sizes }
  const { heads, kvHeads, headDim } = sizes
  const { innerNorms, sinks } = differences
  const headNorm = ofLayer(differences.headNorm, index)
  const own = (tensor: string) => name(`${names.attention}.${tensor}`)
  return {
    kind: 'attention',
    heads,
    kvHeads,
    headDim,
    ...describeProducts(differences, context, own),
    rope: differences.rope?.(index, sizes) ?? null,
    queryNorm: headNorm ? describeHeadNorm(headNorm, own(headNorm.query), heads, context) : null,
    keyNorm: headNorm ? describeHeadNorm(headNorm, own(headNorm.key), kvHeads, context) : null,
    normAfterRope: headNorm?.afterRope ?? false,
    clip: differences.clip ?? null,
    queryGrowth: ofLayer(differences.queryGrowth, index),
    scale: differences.scale?.(index, sizes) ?? headDim ** -0.5,
    window: differences.window?.(index) ?? null,
    chunk: differences.chunk?.(index) ?? null,
    softcap: differences.softcap ?? null,
    alibi,
    differential: describeDifferential(differences, context, own),
    sinks: sinks === undefined ? null : own(sinks),
    outputNorm: innerNorms ? makeNorm(own(innerNorms.attention), { size: heads * headDim }) : null,
  }
}

/** The products that attention starts and ends with. */
function describeProducts(
  differences: Differences,
  { index, sizes, names }: LayerContext,
  own: NameTensor,
): Pick<Attention, 'projections' | 'gate' | 'output'> {
  const { hidden, heads, kvHeads, headDim } = sizes
  const { bias = {}, transposed = false, layout = 'separate', gate = null } = differences
  const linear = (module: string, inputs: number, outputs: number, hasBias: boolean | undefined): Linear => ({
    weight: own(`${module}.weight`),
    bias: hasBias ? own(`${module}.bias`) : null,
    inputs,
    outputs,
    transposed,
  })
  const queries = heads * headDim
  const keys = kvHeads * headDim
  const output = linear(names.output, queries, hidden, bias.output)
  const outputBias = differences.outputBias?.(index, sizes) ?? null
  return {
    projections:
      layout === 'separate'
        ? {
            layout,
            query: linear(names.query, hidden, gate === 'beside queries' ? 2 * queries : queries, bias.qkv),
            key: linear(names.key, hidden, keys, bias.qkv),
            value: linear(names.value, hidden, keys, bias.qkv),
          }
        : { layout, packed: linear(names.packed, hidden, queries + 2 * keys, bias.qkv) },
    gate: describeGate(gate, sizes, (module, outputs) => linear(module, hidden, outputs, false)),
    output: outputBias === null ? output : { ...output, bias: own(outputBias) },
  }
}

/** @param module full name, with `{head}` for the head's number if each has a tensor of its own */
function describeHeadNorm(
  { span, bias = false, weight }: HeadNorms,
  module: string,
  count: number,
  { sizes, makeNorm }: LayerContext,
): HeadNorm {
  const { headDim } = sizes
  if (span === 'each head') {
    const norm = makeNorm(module, { size: headDim, weight: false, bias: false })
    const weightOf = (head: number) => `${module.replace('{head}', `${head}`)}.weight`
    return { span, norm, weight: module.includes('{head}') ? weightOf : `${module}.weight` }
  }
  const size = span === 'head' ? headDim : count * headDim
  return { span, norm: makeNorm(module, { size, bias, ...(weight !== undefined && { weight }) }) }
}

function describeDifferential(
  { differential }: Differences,
  { index, sizes, makeNorm }: LayerContext,
  own: NameTensor,
): Attention['differential'] {
  if (differential === undefined) return null
  return {
    factors: [
      [own('lambda_q1'), own('lambda_k1')],
      [own('lambda_q2'), own('lambda_k2')],
    ],
    initial: differential(index),
    norm: makeNorm(own('groupnorm'), { size: 2 * sizes.headDim, weight: false }),
  }
}

/** What all layers have, or what the function says of this one. */
function ofLayer<T extends object>(
  all: T | ((layer: number) => T | null) | undefined,
  layer: number,
): T | null {
  return (typeof all === 'function' ? all(layer) : all) ?? null
}

function describeGate(
  gate: Differences['gate'] | null,
  { heads, headDim }: Sizes,
  linear: (module: string, outputs: number) => Linear,
): Attention['gate'] {
  if (gate === null || gate === undefined || gate === 'beside queries') return gate ?? null
  const { module, span, activation } = gate
  return { product: linear(module, span === 'head' ? heads : heads * headDim), activation }
}

function describeMlp(
  config: ConfigReader,
  differences: Differences,
  { index, sizes, names, makeNorm, makeActivation }: LayerContext,
  name: NameTensor,
): Mlp {
  const { hidden } = sizes
  const activation = makeActivation(name)
  const { bias = {}, transposed = false, mlp = 'gated' } = differences
  const linear = (module: string, inputs: number, outputs: number): Linear => ({
    weight: name(`${module}.weight`),
    bias: bias.mlp ? name(`${module}.bias`) : null,
    inputs,
    outputs,
    transposed,
  })
  const gated = (module: string, inner: number): GatedMlp => ({
    kind: 'gated',
    gate: linear(`${module}.${names.gate}`, hidden, inner),
    up: linear(`${module}.${names.up}`, hidden, inner),
    activation,
    down: linear(`${module}.${names.down}`, inner, hidden),
  })
  const experts = differences.experts?.(index, { hidden, activation, name, gated })
  if (experts) return { kind: 'experts', experts: checkExperts(experts) }
  const inner = differences.mlpSize ?? readMlpSize(config, differences, hidden)
  const module = names.mlp === '' ? '' : `${names.mlp}.`
  const down = linear(`${module}${names.down}`, inner, hidden)
  switch (mlp) {
    case 'gated': {
      const { innerNorms } = differences
      if (innerNorms === undefined) return gated(names.mlp, inner)
      const innerNorm = makeNorm(name(`${module}${innerNorms.mlp}`), { size: inner })
      return { ...gated(names.mlp, inner), innerNorm }
    }
    case 'gated in one':
      return { kind: mlp, gateUp: linear(`${module}${names.gateUp}`, hidden, 2 * inner), activation, down }
    case 'plain':
      return { kind: mlp, up: linear(`${module}${names.up}`, hidden, inner), activation, down }
  }
}

function readMlpSize(config: ConfigReader, { keys, innerMultiple }: Differences, hidden: number): number {
  const key = keys?.inner ?? LLAMA_KEYS.inner
  return innerMultiple === undefined ? config.count(key) : config.count(key, innerMultiple * hidden)
}

function checkExperts(experts: Experts): Experts {
  if (experts.perToken <= experts.count) return experts
  throw new LayerpruneError(
    `config.json has ${experts.perToken} experts per token (num_experts_per_tok) of ${experts.count}, expected at most all`,
    { hint: 'take config.json from the model it belongs to' },
  )
}
