import { LayerpruneError } from '../errors.js'
import type { ConfigReader } from './config-reader.js'
import type { Activation, Mlp } from './description.js'
import type { Differences } from './differences.js'
import { readAttentionBias, readMultipliers, rope } from './family-parts.js'
import type { Family } from './table.js'
import { describeGraniteExperts } from './with-experts.js'

/** Granites whose layers have an MLP that every token passes, with or without experts beside it. */
export const SHARED_GRANITE_FAMILIES: Record<string, Family> = {
  granitemoeshared: {
    title: 'Granite MoE with a shared expert',
    notes: 'as Granite 3 MoE, with an expert that every token passes',
    fixed: { position_embedding_type: 'rope' },
    describe: (config, has) => ({
      ...readMultipliers(config),
      bias: readAttentionBias(config),
      rope: rope(config),
      experts: describeGraniteMixture(config, has),
    }),
  },
  granitemoehybrid: {
    title: 'Granite 4.0 350M, 1B and Micro (all attention)',
    notes: 'as Granite, gate and up in one matrix; experts beside it in some',
    fixed: { normalization_function: 'rmsnorm' },
    describe: describeHybrid,
  },
}

/** Experts in every layer, with an MLP that every token passes if its size is not 0. */
export function describeGraniteMixture(
  config: ConfigReader,
  has: (name: string) => boolean,
): Differences['experts'] {
  const experts = readExperts(config, 'intermediate_size')
  if (experts === null) throw config.refuse('num_local_experts', 'a positive whole number')
  const isShared = config.number('shared_intermediate_size', 0) > 0
  return (_layer, parts) => ({
    ...describeGraniteExperts(parts, has, experts),
    shared: isShared ? describeShared(config, parts) : null,
  })
}

interface GraniteExperts {
  count: number
  perToken: number
  inner: number
}

/** Null if the config says that there are none. */
function readExperts(config: ConfigReader, inner: string): GraniteExperts | null {
  if (config.number('num_local_experts', 8) === 0) {
    config.ignore('num_experts_per_tok', inner)
    return null
  }
  return {
    count: config.count('num_local_experts', 8),
    perToken: config.count('num_experts_per_tok', 2),
    inner: config.count(inner),
  }
}

/** The MLP that every token passes. */
function describeShared(
  config: ConfigReader,
  { hidden, activation, name }: { hidden: number; activation: Activation; name: (tensor: string) => string },
): { mlp: Mlp; gate: null } {
  const inner = config.count('shared_intermediate_size', 1024)
  const linear = (module: string, inputs: number, outputs: number) => ({
    weight: name(`shared_mlp.${module}.weight`),
    bias: null,
    inputs,
    outputs,
  })
  return {
    mlp: {
      kind: 'gated in one',
      gateUp: linear('input_linear', hidden, 2 * inner),
      activation,
      down: linear('output_linear', inner, hidden),
    },
    gate: null,
  }
}

function describeHybrid(config: ConfigReader, has: (name: string) => boolean): Differences {
  assertAttention(config)
  config.ignore('init_method', ...MAMBA_KEYS)
  const experts = readExperts(config, 'intermediate_size')
  const rotary = rope(config)
  return {
    ...readMultipliers(config),
    bias: readAttentionBias(config),
    rope: config.text('position_embedding_type', null) === 'rope' ? rotary : undefined,
    names: { mlp: 'shared_mlp', gateUp: 'input_linear', down: 'output_linear' },
    keys: { inner: 'shared_intermediate_size' },
    mlp: 'gated in one',
    experts: (_layer, parts) =>
      experts === null
        ? null
        : {
            ...describeGraniteExperts(parts, has, experts),
            shared: describeShared(config, parts),
          },
  }
}

/** Keys of the layers that are refused. */
const MAMBA_KEYS = [
  'mamba_n_heads',
  'mamba_n_groups',
  'mamba_d_state',
  'mamba_d_head',
  'mamba_d_conv',
  'mamba_expand',
  'mamba_chunk_size',
  'mamba_conv_bias',
  'mamba_proj_bias',
  'time_step_limit',
]

/** @throws LayerpruneError if a layer is not attention, which is what a config without a list means */
function assertAttention(config: ConfigReader): void {
  const key = config.choose('layer_types', 'layers_block_type')
  const types = config.texts(key, undefined)
  if (types?.length === config.layers('num_hidden_layers') && types.every((type) => ATTENTION.test(type)))
    return
  const layer = types?.findIndex((type) => !ATTENTION.test(type)) ?? 0
  const found = types?.[layer] ?? 'mamba'
  throw new LayerpruneError(
    `config.json: layer ${Math.max(layer, 0)} is of the type ${JSON.stringify(found)}, and of granitemoehybrid only models whose layers are all attention can be read`,
    { hint: 'use an ONNX export of the model' },
  )
}

const ATTENTION = /^(full_)?attention$/
