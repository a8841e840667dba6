import { describe, expect, it } from 'vitest'
import { pruneConfig } from '../../../src/jobs/prune/prune-config.js'
import { keepLayers } from '../../../src/jobs/write-model/layer-numbers.js'

/** Cuts the config of a family that cannot be run here: by the names of its keys alone. */
function cut(config: Record<string, unknown>, layers: number, removed: [number, number][]) {
  const blocks = removed.map(([start, end]) => ({ start, end }))
  const sizes = { hidden_size: 64, num_attention_heads: 4 }
  return pruneConfig({ ...sizes, ...config }, { layers: keepLayers(layers, blocks), unproven: true })
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
      { num_hidden_layers: 8, hybrid_override_pattern: 'M-*EM-ME' },
      { num_hidden_layers: 5, hybrid_override_pattern: 'M-M-E' },
    ],
    [
      {
        num_hidden_layers: 8,
        linear_attn_config: { kda_layers: [1, 2, 4, 6, 8], full_attn_layers: [3, 5, 7] },
      },
      { num_hidden_layers: 5, linear_attn_config: { kda_layers: [1, 2, 4, 5], full_attn_layers: [3] } },
    ],
    [
      { num_hidden_layers: 8, per_layer_config: { '01': { head_dim: 8 }, '03': {}, '07': { head_dim: 4 } } },
      { num_hidden_layers: 5, per_layer_config: { '01': { head_dim: 8 }, '04': { head_dim: 4 } } },
    ],
    [
      { num_hidden_layers: 8, num_nextn_predict_layers: 1, mlp_layer_types: [...'abcdefghX'] },
      { num_hidden_layers: 5, num_nextn_predict_layers: 1, mlp_layer_types: [...'abefhX'] },
    ],
    [
      { num_hidden_layers: 8, scale_depth: 1.4 },
      { num_hidden_layers: 5, scale_depth: 1.4 * Math.sqrt(5 / 8) },
    ],
    [
      { model_type: 'minicpm3', num_hidden_layers: 8 },
      { num_hidden_layers: 5, scale_depth: 1.4 * Math.sqrt(5 / 8) },
    ],
    [
      { model_type: 'minicpm3', num_hidden_layers: 8, scale_depth: null },
      { num_hidden_layers: 5, scale_depth: null },
    ],
    [
      { model_type: 'recurrent_gemma', num_hidden_layers: 8 },
      {
        num_hidden_layers: 5,
        block_types: ['recurrent', 'recurrent', 'recurrent', 'attention', 'recurrent'],
      },
    ],
    [
      { num_hidden_layers: 8, num_blocks: 8 },
      { num_hidden_layers: 5, num_blocks: 5 },
    ],
    [
      { model_type: 'qwen3_next', num_hidden_layers: 8, full_attention_interval: 4 },
      {
        num_hidden_layers: 5,
        layer_types: [...Array(4).fill('linear_attention'), 'full_attention'],
      },
    ],
    [
      { num_hidden_layers: 8, moe_layer_start_index: 1, moe_layer_end_index: 4 },
      { num_hidden_layers: 5, moe_layer_start_index: 1, moe_layer_end_index: 2 },
    ],
    [
      { model_type: 'hy_v3', num_hidden_layers: 8 },
      { num_hidden_layers: 5, mlp_layer_types: ['dense', ...Array(4).fill('sparse')] },
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

  it('that is not known is cut if it has one entry per layer, and a note says so', () => {
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
    [{ hidden_size_per_layer_input: 4 }, 'hidden_size_per_layer_input'],
    [{ model_type: 'gemma3n_text' }, 'num_kv_shared_layers'],
    [
      { model_type: 'gemma4_text', layer_types: Array(8).fill('full_attention'), num_kv_shared_layers: 6 },
      'read the keys and values of layer 1',
    ],
    [{ hybrid_override_pattern: 'M-*EM-M' }, 'hybrid_override_pattern has 7 entries for 8 layers'],
    [{ model_type: 'diffllama' }, 'attention of diffllama depends on the number of the layer'],
    [{ model_type: 'zaya' }, "output of the previous layer's router"],
    [{ model_type: 'zamba2' }, 'share weights'],
    [{ model_type: 'zamba' }, 'share weights'],
    [
      { vision_config: { deepstack_visual_indexes: [5, 11, 17] } },
      'behind each of the first 3 layers (deepstack_visual_indexes)',
    ],
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

  it.each<[object, [number, number], string]>([
    [{ model_type: 'modernbert-decoder' }, [0, 1], 'only layer 0'],
    [{ model_type: 'gpt_neox_japanese' }, [7, 8], 'only the last layer'],
    [
      {
        model_type: 'gemma4_text',
        hidden_size_per_layer_input: 0,
        layer_types: [...Array(6).fill('sliding_attention'), 'full_attention', 'full_attention'],
      },
      [6, 8],
      'must be one of full attention',
    ],
    [
      { model_type: 'olmo_hybrid', layer_types: [...Array(7).fill('linear_attention'), 'full_attention'] },
      [7, 8],
      'needs a layer of full attention',
    ],
    [{ moe_layer_end_index: 1 }, [0, 2], 'no layer left'],
  ])('and what a cut takes from it is refused: %j without %j', (keys, block, message) => {
    expect(() => cut({ num_hidden_layers: 8, ...keys }, 8, [block])).toThrow(message)
    expect(() => cut({ num_hidden_layers: 8, ...keys }, 8, [[3, 4]])).not.toThrow()
  })

  it('and names modules of layers follows their numbers', () => {
    const quantization = {
      modules_to_not_convert: ['lm_head', 'model.layers.0', 'model.layers.3.mlp', 'model.layers.1'],
    }
    const { config } = pruneConfig(
      { hidden_size: 64, num_attention_heads: 4, num_hidden_layers: 4, quantization_config: quantization },
      { layers: keepLayers(4, [{ start: 1, end: 3 }]), tensorPrefix: 'model.layers.', unproven: true },
    )
    expect(config.quantization_config).toEqual({
      modules_to_not_convert: ['lm_head', 'model.layers.0', 'model.layers.1.mlp'],
    })
  })
})

describe('a family', () => {
  const layers = keepLayers(8, [{ start: 2, end: 3 }])
  const prune = (config: Record<string, unknown>, unproven?: boolean) =>
    pruneConfig({ hidden_size: 64, num_attention_heads: 4, num_hidden_layers: 8, ...config }, { layers, unproven })

  it.each<[Record<string, unknown>, string]>([
    [{ model_type: 'never_seen' }, 'cuts of never_seen models were not compared with the whole model'],
    [{}, 'cuts of undefined models'],
    [
      { model_type: 'lara_mini' },
      'config.json does not state layer_types, so lara_mini chooses layers by their number',
    ],
    [{ model_type: 'axk2' }, 'config.json does not state mlp_layer_types or first_k_dense_replace'],
    [{ model_type: 'new_vl', text_config: { model_type: 'llama', num_hidden_layers: 8 } }, 'cuts of new_vl models'],
    [{ model_type: 'llava', text_config: { model_type: 'never_seen', num_hidden_layers: 8 } }, 'cuts of never_seen'],
  ])('that is not proven is refused, or written if that is asked for: %j', (config, reason) => {
    expect(() => prune(config)).toThrow(
      expect.objectContaining({
        message:
          expect.stringContaining(`a pruned model cannot be shown to be right: `) && expect.stringContaining(reason),
        hint: expect.stringContaining('`unproven`'),
      }),
    )
    expect(prune(config, true).unproven).toContain(reason)
  })

  it.each([
    { model_type: 'llama' },
    { model_type: 'glm4_moe', first_k_dense_replace: 1 },
    { model_type: 'lara_mini', layer_types: [...'abcdefgh'] },
    { model_type: 'llava', text_config: { model_type: 'llama', num_hidden_layers: 8 } },
    { model_type: 'qwen2_vl' },
  ])('that is proven needs no word: %j', (config) => {
    expect(prune(config).unproven).toBeUndefined()
  })
})
