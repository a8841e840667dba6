import type { ConfigReader } from './describe/config-reader.js'
import type { Differences } from './describe/differences.js'
import type { Family } from './describe/family.js'
import {
  describeExperts,
  MIXTRAL_EXPERTS,
  MLP_WIDTH,
  readExpertCounts,
  rope,
  softmaxRouting,
} from './describe/family-parts.js'
import { readLayerTypes, readWindow, windowsOf } from './describe/layer-types.js'

export const MISTRAL_FAMILIES: Record<string, Family> = {
  mistral: {
    title: 'Mistral 7B to Large, Ministral 8B, Zephyr',
    notes: 'a sliding window in all layers, or those that layer_types names',
    describe: describeMistral,
  },
  ministral: {
    title: 'Ministral',
    notes: 'as Mistral, with a window in some layers',
    describe: describeMistral,
  },
  ministral3: {
    title: 'Ministral 3 3B to 14B (text)',
    notes: 'as Mistral, with queries scaled by their position',
    describe: describeMinistral3,
  },
  mixtral: {
    title: 'Mixtral',
    notes: 'experts in all layers',
    describe: (config, has) => {
      const window = readWindow(config, null)
      const settings = {
        names: MIXTRAL_EXPERTS,
        ...readExpertCounts(config, { count: 8, topK: 2 }, MLP_WIDTH),
        routing: softmaxRouting(true),
      }
      return {
        kvHeads: 8,
        norm: { epsilon: 1e-5 },
        rope: rope(config, { theta: 1_000_000 }),
        window: () => window,
        experts: (_layer, parts) => describeExperts(parts, has, settings),
      }
    },
  },
}

const MINISTRAL3_ROPE = {
  rope_type: 'yarn',
  rope_theta: 1_000_000,
  factor: 16,
  original_max_position_embeddings: 16_384,
  beta_fast: 32,
  beta_slow: 1,
  mscale_all_dim: 1,
  mscale: 1,
  llama_4_scaling_beta: 0.1,
}

function describeMinistral3(config: ConfigReader): Differences {
  const window = readWindow(config, null)
  const stated = config.object('rope_parameters') ?? config.object('rope_scaling')
  const settings = stated ?? config.assume('rope_parameters', MINISTRAL3_ROPE)
  return {
    norm: { epsilon: 1e-5 },
    kvHeads: 8,
    headDim: 128,
    window: () => window,
    rope: rope(config, {
      theta: 1_000_000,
      usual: MINISTRAL3_ROPE,
      others: ['llama_4_scaling_beta', 'max_position_embeddings'],
    }),
    temperatureScaling: {
      rate: settings.number('llama_4_scaling_beta'),
      period: settings.length('original_max_position_embeddings'),
      offset: 0,
    },
  }
}

/** transformers reads a `mistral` that has layer_types as `ministral`. */
function describeMistral(config: ConfigReader): Differences {
  const window = readWindow(config, 4096)
  const types = readLayerTypes(config, () => window !== null)
  return { kvHeads: 8, rope: rope(config), window: windowsOf(config, types, window) }
}
