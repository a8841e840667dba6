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
  PerLayerEmbedding,
  Projections,
} from './description.js'
import {
  type Differences,
  type HeadNorms,
  LLAMA_KEYS,
  type LLAMA_NAMES,
  LLAMA_NORMS,
  type MakeNorm,
  type MixerParts,
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

export function describeLayer(config: ConfigReader, differences: Differences, context: LayerContext): Layer {
  const { index, names, makeNorm, own } = context
  const name = (tensor: string) => own(`${names.layers}.${index}.${tensor}`)
  const ownNorms = typeof differences.norms === 'function' ? differences.norms(index, name) : differences.norms
  const norms = { ...LLAMA_NORMS, ...ownNorms }
  const normOf = (module: string | null) => (module === null ? null : makeNorm(name(module)))
  const parts = differences.parts?.(index) ?? { mixer: true, mlp: true }
  return {
    preface: differences.preface?.(index, listMixerParts(differences, context, name)) ?? null,
    mixer: parts.mixer ? describeMixer(differences, context, name) : null,
    mlp: parts.mlp ? describeMlp(config, differences, context, name) : null,
    norms: {
      beforeMixer: normOf(norms.beforeMixer),
      afterMixer: normOf(norms.afterMixer),
      beforeMlp: normOf(norms.beforeMlp),
      afterMlp: normOf(norms.afterMlp),
      streamAfterMixer: normOf(norms.streamAfterMixer),
      streamAfterMlp: normOf(norms.streamAfterMlp),
    },
    parallel: differences.parallel ?? false,
    postNormResidual: differences.postNormResidual ?? false,
    residual: describeResidual(differences, index),
    perLayerEmbedding: describePerLayerEmbedding(differences, context, name),
    scalar: differences.layerScalar === undefined ? null : name(differences.layerScalar),
  }
}

function describeResidual({ residual, residualMultiplier = 1 }: Differences, index: number): Layer['residual'] {
  const usual = { stream: 1, added: residualMultiplier }
  return residual?.(index) ?? { mixer: usual, mlp: usual }
}

/** Under the names of Gemma 3n and Gemma 4, the only families that have it. */
function describePerLayerEmbedding(
  { perLayerEmbeddings }: Differences,
  { sizes, makeActivation, makeNorm }: LayerContext,
  name: NameTensor,
): PerLayerEmbedding | null {
  if (perLayerEmbeddings === undefined) return null
  const { hidden } = sizes
  const { size } = perLayerEmbeddings
  const linear = (module: string, inputs: number, outputs: number): Linear => ({
    weight: name(`${module}.weight`),
    bias: null,
    inputs,
    outputs,
  })
  return {
    gate: linear('per_layer_input_gate', hidden, size),
    activation: makeActivation(name),
    projection: linear('per_layer_projection', size, hidden),
    norm: makeNorm(name('post_per_layer_input_norm')),
  }
}

type NameTensor = (tensor: string) => string

function describeMixer(differences: Differences, context: LayerContext, name: NameTensor): Mixer {
  const parts = listMixerParts(differences, context, name)
  return differences.mixer?.(context.index, parts) ?? parts.attention()
}

function listMixerParts(differences: Differences, context: LayerContext, name: NameTensor): MixerParts {
  return {
    sizes: context.sizes,
    activation: context.makeActivation(name),
    attention: () => describeAttention(differences, context, name),
    name,
    linear: (module, inputs, outputs, bias = false) => ({
      weight: name(`${module}.weight`),
      bias: bias ? name(`${module}.bias`) : null,
      inputs,
      outputs,
    }),
    makeNorm: context.makeNorm,
  }
}

function describeAttention(differences: Differences, context: LayerContext, name: NameTensor): Attention {
  const { index, sizes, names, alibi, makeNorm } = context
  const { heads, kvHeads, headDim } = sizes
  const { innerNorms, value } = differences
  const sinks = typeof differences.sinks === 'function' ? differences.sinks(index) : (differences.sinks ?? null)
  const own = (tensor: string) => name(`${names.attention}.${tensor}`)
  const headNorm = ofLayer(differences.headNorm, index)
  const products = describeProducts(differences, context, own)
  const makesKeys = products.sharing?.role !== 'consumer'
  return {
    kind: 'attention',
    heads,
    kvHeads,
    headDim,
    ...(value && { valueDim: value.size, valueScale: value.scale }),
    ...products,
    rope: differences.rope?.(index, sizes) ?? null,
    queryNorm: headNorm ? describeHeadNorm(headNorm, own(headNorm.query), heads, context) : null,
    keyNorm: headNorm && makesKeys ? describeHeadNorm(headNorm, own(headNorm.key), kvHeads, context) : null,
    valueNorm:
      headNorm?.values && makesKeys
        ? { span: 'head', norm: makeNorm('', { size: headDim, weight: false, bias: false }) }
        : null,
    normAfterRope: headNorm?.afterRope ?? false,
    clip: differences.clip ?? null,
    temperatureScaling: ofLayer(differences.temperatureScaling, index),
    scale: differences.scale?.(index, sizes) ?? headDim ** -0.5,
    window: differences.window?.(index) ?? null,
    chunk: differences.chunk?.(index) ?? null,
    softcap: differences.softcap ?? null,
    alibi,
    differential: describeDifferential(differences, context, own),
    sinks: sinks === null ? null : own(sinks),
    outputNorm: innerNorms ? makeNorm(own(innerNorms.attention), { size: heads * headDim }) : null,
  }
}

function describeProducts(
  differences: Differences,
  { index, sizes, names }: LayerContext,
  own: NameTensor,
): Pick<Attention, 'projections' | 'gate' | 'output' | 'sharing'> {
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
  const valueDim = differences.value?.size ?? headDim
  const output = linear(names.output, heads * valueDim, hidden, bias.output)
  const outputBias = differences.outputBias?.(index, sizes) ?? null
  const sharing = differences.sharing?.(index) ?? null
  const describeProjections = (): Projections => {
    if (layout !== 'separate') {
      return { layout, packed: linear(names.packed, hidden, queries + 2 * keys, bias.qkv) }
    }
    const width = gate === 'fused with q' ? 2 * queries : queries
    const query = linear(names.query, hidden, width, bias.qkv)
    if (sharing?.role === 'consumer') return { layout: 'query only', query }
    const key = linear(names.key, hidden, keys, bias.qkv)
    if (differences.keyAsValue?.(index)) return { layout: 'key as value', query, key }
    return { layout, query, key, value: linear(names.value, hidden, kvHeads * valueDim, bias.qkv) }
  }
  return {
    projections: describeProjections(),
    sharing,
    gate: describeGate(gate, sizes, (module, outputs) => linear(module, hidden, outputs, false)),
    output: outputBias === null ? output : { ...output, bias: own(outputBias) },
  }
}

/** @param module full name, with `{head}` for the head's number if each head has its own tensor */
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
    lambdaInit: differential(index),
    norm: makeNorm(own('groupnorm'), { size: 2 * sizes.headDim, weight: false }),
  }
}

/** Resolves a field that is either the same in all layers or a function of the layer. */
function ofLayer<T extends object>(all: T | ((layer: number) => T | null) | undefined, layer: number): T | null {
  return (typeof all === 'function' ? all(layer) : all) ?? null
}

function describeGate(
  gate: Differences['gate'] | null,
  { heads, headDim }: Sizes,
  linear: (module: string, outputs: number) => Linear,
): Attention['gate'] {
  if (gate === null || gate === undefined || gate === 'fused with q') return gate ?? null
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
  const gated = (module: string, intermediateSize: number): GatedMlp => ({
    kind: 'gated',
    gate: linear(`${module}.${names.gate}`, hidden, intermediateSize),
    up: linear(`${module}.${names.up}`, hidden, intermediateSize),
    activation,
    down: linear(`${module}.${names.down}`, intermediateSize, hidden),
  })
  const parts = { hidden, activation, name, gated, makeNorm }
  const experts = differences.experts?.(index, parts)
  if (experts) return { kind: 'experts', experts: checkExperts(config, experts) }
  const intermediateSize = readMlpSize(config, differences, { hidden, index })
  if (differences.aroundMlp) return differences.aroundMlp(gated(names.mlp, intermediateSize), parts)
  const module = names.mlp === '' ? '' : `${names.mlp}.`
  const down = linear(`${module}${names.down}`, intermediateSize, hidden)
  switch (mlp) {
    case 'gated': {
      const { innerNorms, mlpScales: scales } = differences
      const plain =
        scales === undefined ? gated(names.mlp, intermediateSize) : { ...gated(names.mlp, intermediateSize), scales }
      if (innerNorms === undefined) return plain
      return { ...plain, innerNorm: makeNorm(name(`${module}${innerNorms.mlp}`), { size: intermediateSize }) }
    }
    case 'gated in one':
      return {
        kind: mlp,
        gateUp: linear(`${module}${names.gateUp}`, hidden, 2 * intermediateSize),
        activation,
        down,
      }
    case 'plain':
      return { kind: mlp, up: linear(`${module}${names.up}`, hidden, intermediateSize), activation, down }
  }
}

function readMlpSize(
  config: ConfigReader,
  { keys, innerMultiple, mlpSize }: Differences,
  { hidden, index }: { hidden: number; index: number },
): number {
  if (mlpSize !== undefined) return typeof mlpSize === 'number' ? mlpSize : mlpSize(index)
  const key = keys?.intermediateSize ?? LLAMA_KEYS.intermediateSize
  return innerMultiple === undefined ? config.count(key) : config.count(key, innerMultiple * hidden)
}

export function checkExperts(config: ConfigReader, experts: Experts): Experts {
  if (experts.topK <= experts.count) return experts
  throw config.contradicts(
    `has ${experts.topK} experts per token (num_experts_per_tok) of ${experts.count}, expected at most all`,
  )
}
