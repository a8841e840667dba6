import type { ConfigReader } from './describe/config-reader.js'
import type { Differences, Sizes } from './describe/differences.js'
import type { Family } from './describe/family.js'
import { readAttentionBias, rope } from './describe/family-parts.js'
import { describeLatentLayers, readLatentForm } from './describe/latent-parts.js'

const MINICPM = { scale_depth: 1 }

const MINICPM3 = { scale_depth: 1.4 }

export const MINICPM_FAMILIES: Record<string, Family> = {
  minicpm: {
    title: 'MiniCPM 1B and 2B, MiniCPM 4',
    notes: 'factors on embedding, residual sums and logits that depend on the sizes',
    fixed: { pe_type: 'ROPE' },
    layerDefaults: MINICPM,
    describe: describeMinicpm,
  },
  minicpm3: {
    title: 'MiniCPM 3 4B',
    notes: 'latent attention; factors on embedding, residual sums and logits that depend on the sizes',
    layerDefaults: MINICPM3,
    describe: describeMinicpm3,
  },
}

/** Follows the code published with the models; transformers has none. */
function describeMinicpm(config: ConfigReader): Differences {
  const layers = config.layers('num_hidden_layers')
  const width = config.count('hidden_size')
  const positions = config.length('max_position_embeddings', 2048)
  const known = rope(config)
  return {
    tied: true,
    embedding: { scale: config.number('scale_emb', 1) },
    residualMultiplier: Math.fround(config.number('scale_depth', MINICPM.scale_depth) / Math.sqrt(layers)),
    head: { scale: config.positive('dim_model_base', 1) / width },
    bias: readAttentionBias(config),
    rope: (layer: number, sizes: Sizes) => {
      const shared = known(layer, sizes)
      const { frequencies } = shared
      // the published code computes its tables for the longest text and uses them for all texts
      if (frequencies.kind !== 'two sets' || positions <= frequencies.longestShort) return shared
      return { ...shared, frequencies: { kind: 'fixed', perPair: frequencies.long } }
    },
  }
}

function describeMinicpm3(config: ConfigReader): Differences {
  const layers = config.layers('num_hidden_layers')
  const width = config.count('hidden_size')
  const value = Math.floor(width / config.count('num_attention_heads'))
  const sizes = { own: 64, shared: 32, value, latent: 256, queryLatent: 768 }
  const depth = config.isNull('scale_depth') ? Math.sqrt(layers) : config.number('scale_depth', MINICPM3.scale_depth)
  const base = config.isNull('dim_model_base') ? width : config.positive('dim_model_base', 256)
  return {
    ...describeLatentLayers(readLatentForm(config, sizes, {})),
    tied: true,
    norm: { epsilon: 1e-5 },
    bias: { mlp: config.flag('mlp_bias', false) },
    embedding: { scale: config.number('scale_emb', 12) },
    residualMultiplier: Math.fround(depth / Math.sqrt(layers)),
    head: { scale: base / width },
  }
}
