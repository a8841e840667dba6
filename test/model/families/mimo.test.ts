import { describe, expect, it } from 'vitest'
import { pruneConfig } from '../../../src/jobs/prune/prune-config.js'
import { keepLayers } from '../../../src/jobs/write-model/layer-numbers.js'
import { buildFrom, fixtureFolder, measureBlocks, readConfig } from '../../support/fixture-model.js'
import { largestDifference } from '../../support/largest-difference.js'

const NAME = 'mimo-v2-flash'
/** The fixture, with one fraction for both ropes: Xiaomi's spelling knows no other. */
const ROPES = {
  rope_parameters: {
    full_attention: { rope_type: 'default', rope_theta: 200, partial_rotary_factor: 0.5 },
    sliding_attention: { rope_type: 'default', rope_theta: 50, partial_rotary_factor: 0.5 },
  },
}
const LISTS = { hybrid_layer_pattern: [1, 0, 1], moe_layer_freq: [0, 1, 1] }
/** The same model as Xiaomi's config.json states it. */
const OWN = {
  ...LISTS,
  rope_theta: 200,
  swa_rope_theta: 50,
  partial_rotary_factor: 0.5,
  sliding_window: 4,
  sliding_window_size: 4,
  attention_chunk_size: 4,
  layernorm_epsilon: 1e-5,
  swa_num_attention_heads: 4,
  swa_num_key_value_heads: 2,
  swa_head_dim: 12,
  swa_v_head_dim: 6,
  add_swa_attention_sink_bias: true,
  add_full_attention_sink_bias: false,
  scoring_func: 'sigmoid',
  topk_method: 'noaux_tc',
  n_shared_experts: null,
}
const ONLY_OWN = {
  ...OWN,
  layer_types: undefined,
  mlp_layer_types: undefined,
  rope_parameters: undefined,
  rms_norm_eps: null,
}

const measure = async (changes: object) =>
  measureBlocks(await buildFrom(fixtureFolder(NAME), changes as Record<string, unknown>), NAME)

describe("MiMo V2 Flash in Xiaomi's spelling", () => {
  it.each([
    ['alone', ONLY_OWN],
    ["beside transformers' own, which is what saving it again leaves", { ...OWN, ...ROPES }],
  ])('is the same model: %s', async (_, changes) => {
    expect(largestDifference(await measure(changes), await measure(ROPES))).toBe(0)
  })

  it.each<[object, RegExp]>([
    [{ hybrid_layer_pattern: [1, 0] }, /hybrid_layer_pattern is \[1,0\], expected 0 or 1 for each of 3 layers/],
    [
      { layer_types: Array(3).fill('full_attention') },
      /hybrid_layer_pattern is .*, expected the layers of layer_types/,
    ],
    [{ mlp_layer_types: Array(3).fill('dense') }, /moe_layer_freq is .*, expected the layers of mlp_layer_types/],
    [{ rope_parameters: { full_attention: { rope_theta: 7 } } }, /rope_theta is 7, expected 200/],
    [{ sliding_window: 9 }, /sliding_window is 9, expected 5/],
    [{ swa_num_key_value_heads: 1 }, /swa_num_key_value_heads is 1, expected 2/],
    [{ swa_head_dim: 6 }, /swa_head_dim is 6, expected 12/],
    [{ add_full_attention_sink_bias: true }, /add_full_attention_sink_bias is true, expected false/],
    [{ rope_scaling: { type: 'yarn', factor: 4 } }, /rope_scaling is .*, expected null/],
  ])('is refused with %j', async (changes, message) => {
    await expect(measure({ ...ONLY_OWN, ...changes })).rejects.toThrow(message)
  })

  it('is cut so that both spellings describe the layers that are left', () => {
    const config = { ...readConfig(NAME), ...ONLY_OWN }
    const pruned = pruneConfig(config, { layers: keepLayers(3, [{ start: 0, end: 1 }]), unproven: true })
    expect(pruned.config).toMatchObject({
      hybrid_layer_pattern: [0, 1],
      layer_types: ['full_attention', 'sliding_attention'],
      moe_layer_freq: [1, 1],
      mlp_layer_types: ['sparse', 'sparse'],
    })
  })
})
