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

function describeAttention(
  differences: Differences,
  { index, sizes: common, names, alibi, makeNorm }: LayerContext,
  name: NameTensor,
): Attention {
  const sizes = { ...common, ...differences.attentionSizes?.(index, common) }
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
  const headNorms = ofLayer(differences.headNorm, index)
  const headNorm = (module: string | undefined, count: number): HeadNorm | null => {
    if (headNorms === null || module === undefined) return null
    const { span, bias: hasBias = false, weight } = headNorms
    const full = name(`${names.attention}.${module}`)
    if (span === 'each head') {
      const norm = makeNorm(full, { size: headDim, weight: false, bias: false })
      const weightOf = (head: number) => `${full.replace('{head}', `${head}`)}.weight`
      return { span, norm, weight: full.includes('{head}') ? weightOf : `${full}.weight` }
    }
    const size = span === 'head' ? headDim : count * headDim
    return { span, norm: makeNorm(full, { size, bias: hasBias, ...(weight !== undefined && { weight }) }) }
  }
  return {
    kind: 'attention',
    heads,
    kvHeads,
    headDim,
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
    output: outputBias === null ? output : { ...output, bias: name(`${names.attention}.${outputBias}`) },
    rope: differences.rope?.(index, sizes) ?? null,
    queryNorm: headNorm(headNorms?.query, heads),
    keyNorm: headNorm(headNorms?.key, kvHeads),
    normAfterRope: headNorms?.afterRope ?? false,
    clip: differences.clip ?? null,
    queryGrowth: ofLayer(differences.queryGrowth, index),
    scale: differences.scale?.(index, sizes) ?? headDim ** -0.5,
    window: differences.window?.(index) ?? null,
    chunk: differences.chunk?.(index) ?? null,
    softcap: differences.softcap ?? null,
    alibi,
    outputNorm: differences.innerNorms
      ? makeNorm(name(`${names.attention}.${differences.innerNorms.attention}`), { size: queries })
      : null,
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
