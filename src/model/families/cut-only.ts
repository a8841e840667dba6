import type { CutFacts } from './describe/family.js'

/** Facts about a decoder that `prune` may cut, although it cannot be described. */
interface CutOnly extends CutFacts {
  /**
   * Cut models were compared in transformers with the whole model skipping the same layers
   * (test/interop/decoders.test.ts). Lists the keys that config.json must state, `|` between alternatives: without
   * them the family derives the kind of a layer from its number.
   */
  proven?: string[]
}

/** By `model_type`. */
export const CUT_ONLY_FAMILIES: Record<string, CutOnly> = {
  axk2: { proven: ['mlp_layer_types|first_k_dense_replace'] },
  doge: { proven: [] },
  gemma3n_text: { layerDefaults: { num_kv_shared_layers: 15, hidden_size_per_layer_input: 256 } },
  'gpt-sw3': { proven: [] },
  inkling_text: { proven: ['layer_types', 'mlp_layer_types'] },
  jetmoe: { proven: [] },
  lara_mini: { proven: ['layer_types'] },
  longcat_flash: { proven: [] },
  minimax_m3_vl_text: { proven: [] },
  'modernbert-decoder': {
    proven: ['layer_types'],
    cutLimit: ({ kept }) =>
      kept[0] === 0 ? undefined : 'only layer 0 of modernbert-decoder has no norm before its attention',
  },
  qwen4_exp: { windowOffByDefault: true },
  qwen4_exp_text: { windowOffByDefault: true },
  xlstm: { proven: [] },
  zamba: {
    proven: [],
    cutLimit: () => 'layers of zamba share weights that are stored in one of them',
  },
  zaya: { proven: [], cutLimit: () => "routers of zaya read the output of the previous layer's router" },
}
