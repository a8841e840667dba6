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
  PerLayerEmbedding,
  Projections,
} from './description.js'
import {
  type Differences,
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
    perLayerEmbedding: describePerLayerEmbedding(differences, context, name),
    scalar: differences.layerScalar === undefined ? null : name(differences.layerScalar),
  }
}

/** The names are those of Gemma 3n and Gemma 4, the only models that have it. */
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

function describeAttention(
  differences: Differences,
  { index, sizes, names, alibi, makeNorm }: LayerContext,
  name: NameTensor,
): Attention {
  const { hidden, heads, kvHeads, headDim } = sizes
  const { bias = {}, transposed = false, layout = 'separate', gate = null } = differences
  const linear = (module: string, inputs: number, outputs: number, hasBias: boolean | undefined): Linear => ({
    weight: name(`${names.attention}.${module}.weight`),
    bias: hasBias ? name(`${names.attention}.${module}.bias`) : null,
    inputs,
    outputs,
    transposed,
  })
  const queries = heads * headDim
  const keys = kvHeads * headDim
  const output = linear(names.output, queries, hidden, bias.output)
  const outputBias = differences.outputBias?.(index, sizes) ?? null
  const headNorm = (module: string | undefined, count: number): HeadNorm | null => {
    const { span, bias: hasBias } = differences.headNorm ?? {}
    if (span === undefined || module === undefined) return null
    const full = name(`${names.attention}.${module}`)
    if (span === 'each head') {
      const norm = makeNorm(full, { size: headDim, weight: false, bias: false })
      const weightOf = (head: number) => `${full.replace('{head}', `${head}`)}.weight`
      return { span, norm, weight: full.includes('{head}') ? weightOf : `${full}.weight` }
    }
    const size = span === 'head' ? headDim : count * headDim
    return { span, norm: makeNorm(full, { size, bias: hasBias ?? false }) }
  }
  const sharing = differences.sharing?.(index) ?? null
  const describeProjections = (): Projections => {
    if (layout !== 'separate') {
      return { layout, packed: linear(names.packed, hidden, queries + 2 * keys, bias.qkv) }
    }
    const query = linear(names.query, hidden, gate === null ? queries : 2 * queries, bias.qkv)
    if (sharing?.role === 'reads') return { layout: 'query only', query }
    const key = linear(names.key, hidden, keys, bias.qkv)
    if (differences.keyAsValue?.(index)) return { layout: 'key as value', query, key }
    return { layout, query, key, value: linear(names.value, hidden, keys, bias.qkv) }
  }
  return {
    kind: 'attention',
    heads,
    kvHeads,
    headDim,
    projections: describeProjections(),
    gate,
    output: outputBias === null ? output : { ...output, bias: name(`${names.attention}.${outputBias}`) },
    rope: differences.rope?.(index, sizes) ?? null,
    queryNorm: headNorm(differences.headNorm?.query, heads),
    keyNorm: sharing?.role === 'reads' ? null : headNorm(differences.headNorm?.key, kvHeads),
    valueNorm:
      differences.headNorm?.values && sharing?.role !== 'reads'
        ? { span: 'head', norm: makeNorm('', { size: headDim, weight: false, bias: false }) }
        : null,
    normAfterRope: differences.headNorm?.afterRope ?? false,
    clip: differences.clip ?? null,
    queryGrowth: differences.queryGrowth ?? null,
    scale: differences.scale?.(index, sizes) ?? headDim ** -0.5,
    window: differences.window?.(index) ?? null,
    softcap: differences.softcap ?? null,
    alibi,
    sinks: differences.sinks === undefined ? null : name(`${names.attention}.${differences.sinks}`),
    outputNorm: differences.innerNorms
      ? makeNorm(name(`${names.attention}.${differences.innerNorms.attention}`), { size: queries })
      : null,
    sharing,
  }
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
  const parts = { hidden, activation, name, gated, makeNorm }
  const experts = differences.experts?.(index, parts)
  if (experts) return { kind: 'experts', experts: checkExperts(experts) }
  const inner = readMlpSize(config, differences, { hidden, index })
  if (differences.aroundMlp) return differences.aroundMlp(gated(names.mlp, inner), parts)
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

function readMlpSize(
  config: ConfigReader,
  { keys, innerMultiple, mlpSize }: Differences,
  { hidden, index }: { hidden: number; index: number },
): number {
  if (mlpSize !== undefined) return typeof mlpSize === 'number' ? mlpSize : mlpSize(index)
  const key = keys?.inner ?? LLAMA_KEYS.inner
  return innerMultiple === undefined ? config.count(key) : config.count(key, innerMultiple * hidden)
}

export function checkExperts(experts: Experts): Experts {
  if (experts.perToken <= experts.count) return experts
  throw new LayerpruneError(
    `config.json has ${experts.perToken} experts per token (num_experts_per_tok) of ${experts.count}, expected at most all`,
    { hint: 'take config.json from the model it belongs to' },
  )
}
