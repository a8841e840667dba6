import type { ConfigReader } from './config-reader.js'
import type { Differences } from './differences.js'
import type { Family } from './family.js'
import { readAttentionBias, readMultipliers, rope } from './family-parts.js'
import { describeGraniteMixture } from './granite-moe.js'
import { readLayerTypes, readWindow, windowsOf } from './layer-types.js'

/** Granites with windows, sinks and a base of the rotary embedding for each layer. */
export const WINDOWED_GRANITE_FAMILIES: Record<string, Family> = {
  granite_swa: {
    title: 'Granite Swash 2B',
    notes: 'as Granite, with a window in three layers of four, sinks, and a rope of its own in each layer',
    describe: (config) => ({
      ...describeWindowed(config),
      tied: true,
      kvHeads: 4,
      norm: { epsilon: 1e-5 },
      bias: { ...readAttentionBias(config), mlp: config.flag('mlp_bias', false) },
    }),
  },
  granitemoe_swa: {
    title: 'Granite Swash 3B-A600M',
    notes: 'the same, with experts',
    describe: (config, has) => ({
      ...describeWindowed(config),
      bias: readAttentionBias(config),
      experts: describeGraniteMixture(config, has),
    }),
  },
}

function describeWindowed(config: ConfigReader): Differences {
  const layers = config.layers('num_hidden_layers')
  const types = readLayerTypes(config, (layer) => layer % 4 !== 0)
  const shared = rope(config)
  const thetas = config.numbers('layer_rope_theta', undefined)
  if (thetas !== undefined && thetas.length !== layers) {
    throw config.refuse('layer_rope_theta', `${layers} numbers, one for each layer`)
  }
  const ropes = new Map(thetas?.map((theta) => [theta, rope(config, { ownTheta: theta })]))
  return {
    ...readMultipliers(config),
    sinks: 'sinks',
    window: windowsOf(config, types, readWindow(config, 128)),
    rope: (layer, sizes) => {
      if (thetas === undefined) return shared(layer, sizes)
      const theta = thetas[layer]!
      return theta === 0 ? null : ropes.get(theta)!(layer, sizes)
    },
  }
}
