import type { CutFacts } from './describe/family.js'

/** What is known of a decoder that `prune` may cut, though it cannot be described. */
interface CutOnly extends CutFacts {
  /**
   * Cuts were compared in transformers with the whole model, its layers passed over: test/interop/decoders.test.ts.
   * Lists the keys that config.json must state, `|` between alternatives: if it omits them, the family chooses layers
   * by their number.
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
