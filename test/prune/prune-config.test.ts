import { describe, expect, it } from 'vitest'
import { keepLayers } from '../../src/prune/layer-numbers.js'
import { pruneConfig } from '../../src/prune/prune-config.js'

/** Cuts the config of a family that cannot be run here: by the names of its keys alone. */
function cut(config: Record<string, unknown>, layers: number, removed: [number, number][]) {
  const blocks = removed.map(([start, end]) => ({ start, end }))
  const sizes = { hidden_size: 64, num_attention_heads: 4 }
  return pruneConfig({ ...sizes, ...config }, { layers: keepLayers(layers, blocks) })
}

describe('a key that speaks of layers', () => {
  it.each<[object, object]>([
    [{ num_hidden_layers: 8 }, { num_hidden_layers: 5 }],
    [
      { n_layer: 8, num_layers: 3 },
      { n_layer: 5, num_layers: 3 },
    ],
    [
      { num_hidden_layers: 8, layer_types: [...'abcdefgh'] },
      { num_hidden_layers: 5, layer_types: [...'abefh'] },
    ],
    [
      { num_hidden_layers: 8, no_rope_layers: [1, 1, 0, 1, 1, 1, 0, 1] },
      { num_hidden_layers: 5, no_rope_layers: [1, 1, 1, 1, 1] },
    ],
    [
      { num_hidden_layers: 8, mlp_only_layers: [0, 3, 5] },
      { num_hidden_layers: 5, mlp_only_layers: [0, 3] },
    ],
    [
      { num_hidden_layers: 8, max_window_layers: 5 },
      { num_hidden_layers: 5, max_window_layers: 3 },
    ],
    [
      { num_hidden_layers: 8, max_window_layers: 8 },
      { num_hidden_layers: 5, max_window_layers: 5 },
    ],
    [
      { num_hidden_layers: 8, max_window_layers: 28 },
      { num_hidden_layers: 5, max_window_layers: 28 },
    ],
    [
      { num_hidden_layers: 8, first_k_dense_replace: 3 },
      { num_hidden_layers: 5, first_k_dense_replace: 2 },
    ],
    [
      { num_hidden_layers: 8, decoder_sparse_step: 2, mlp_only_layers: [1] },
      { num_hidden_layers: 5, decoder_sparse_step: 1, mlp_only_layers: [0, 1, 2] },
    ],
    [
      { model_type: 'smollm3', num_hidden_layers: 8 },
      { num_hidden_layers: 5, no_rope_layers: [1, 1, 1, 1, 0] },
    ],
    [
      { model_type: 'llama4_text', num_hidden_layers: 8, no_rope_layers: [], interleave_moe_layer_step: 2 },
      { num_hidden_layers: 5, no_rope_layers: [1, 1, 1, 1, 0], moe_layers: [1, 3, 4] },
    ],
    [
      { num_layers: 8, attention_types: [[['global', 'local'], 4]] },
      { num_layers: 5, attention_types: [[['global', 'local', 'global', 'local', 'local'], 1]] },
    ],
    [
      { text_config: { num_hidden_layers: 8, hidden_size: 3 }, vision_config: { num_hidden_layers: 8 } },
      { text_config: { num_hidden_layers: 5, hidden_size: 3 }, vision_config: { num_hidden_layers: 8 } },
    ],
    [
      { num_hidden_layers: 8, architectures: Array(8).fill('A'), eos_token_id: Array(8).fill(1) },
      { num_hidden_layers: 5, architectures: Array(8).fill('A'), eos_token_id: Array(8).fill(1) },
    ],
  ])('%j', (before, after) => {
    const original = structuredClone(before)
    const { config, notes } = cut(before as Record<string, unknown>, 8, [
      [2, 4],
      [6, 7],
    ])
    expect(config).toMatchObject(after)
    expect(notes).toEqual([])
    expect(before).toEqual(original)
  })

  it('that is not known is cut where it has an entry a layer, and said aloud', () => {
    const before = { num_hidden_layers: 4, sparsity: [0.1, 0.2, 0.3, 0.4], others: [1, 2, 3] }
    const { config, notes } = cut(before, 4, [[1, 3]])
    expect(config).toMatchObject({ sparsity: [0.1, 0.4], others: [1, 2, 3] })
    expect(notes).toEqual(['config.json: sparsity has an entry for each of 4 layers and was cut too'])
  })

  it.each<[object, string]>([
    [{ scale_attn_by_inverse_layer_idx: true }, 'scale_attn_by_inverse_layer_idx'],
    [{ moe_layer_freq: 2 }, 'moe_layer_freq = 2'],
    [{ attn_layer_period: 4, attn_layer_offset: 3 }, 'attn_layer_period = 4'],
    [{ sliding_window_pattern: 4 }, 'sliding_window_pattern = 4'],
    [{ num_kv_shared_layers: 2 }, 'num_kv_shared_layers'],
  ])('and cannot say what is needed is refused: %j', (keys, message) => {
    expect(() => cut({ num_hidden_layers: 8, ...keys }, 8, [[1, 2]])).toThrow(message)
  })

  it.each<[object, [number, number]]>([
    [{ scale_attn_by_inverse_layer_idx: true }, [6, 8]],
    [{ moe_layer_freq: 2 }, [2, 4]],
    [{ attn_layer_period: 4, attn_layer_offset: 3 }, [0, 4]],
    [{ sliding_window_pattern: 4 }, [4, 8]],
    [{ sliding_window_pattern: 4, layer_types: [...'abcdefgh'] }, [1, 2]],
  ])('and still holds is left as it is: %j without %j', (keys, block) => {
    const { config } = cut({ num_hidden_layers: 8, ...keys }, 8, [block])
    expect(config).toMatchObject({
      ...keys,
      ...('layer_types' in keys ? { layer_types: [...'acdefgh'] } : {}),
    })
  })

  it('and names modules of layers follows their numbers', () => {
    const quantization = {
      modules_to_not_convert: ['lm_head', 'model.layers.0', 'model.layers.3.mlp', 'model.layers.1'],
    }
    const { config } = pruneConfig(
      { hidden_size: 64, num_attention_heads: 4, num_hidden_layers: 4, quantization_config: quantization },
      { layers: keepLayers(4, [{ start: 1, end: 3 }]), tensorPrefix: 'model.layers.' },
    )
    expect(config.quantization_config).toEqual({
      modules_to_not_convert: ['lm_head', 'model.layers.0', 'model.layers.1.mlp'],
    })
  })
})
