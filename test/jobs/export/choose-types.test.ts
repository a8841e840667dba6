import { expect, it } from 'vitest'
import { chooseTypes, type TypeFacts } from '../../../src/jobs/export/gguf/choose-types.js'
import type { PlacedTensor } from '../../../src/jobs/export/gguf/placed-tensor.js'

const tensor = (name: string, shape: number[]): PlacedTensor => ({ name, shape, pieces: [], offset: 0 })

function listTensors(layers: number, width = 4096): PlacedTensor[] {
  return [
    tensor('token_embd.weight', [32_000, width]),
    ...Array.from({ length: layers }, (_, layer) => [
      tensor(`blk.${layer}.attn_norm.weight`, [width]),
      tensor(`blk.${layer}.attn_q.weight`, [width, width]),
      tensor(`blk.${layer}.attn_v.weight`, [1024, width]),
      tensor(`blk.${layer}.ffn_down.weight`, [width, 11_008]),
    ]).flat(),
  ]
}

const FACTS: TypeFacts = { dtype: 'Q4_K_M', layers: 32, experts: 1, isGrouped: true, hasImportance: false }
/** Of 32 layers, as llama-quantize has them. */
const MORE_BITS = [0, 1, 2, 3, 6, 9, 12, 15, 18, 21, 24, 27, 28, 29, 30, 31]

it('gives more bits to values and down projections of some layers, and to a tied head', () => {
  const types = chooseTypes(listTensors(32), FACTS)
  const layersOf = (name: string) => MORE_BITS.filter((layer) => types.get(`blk.${layer}.${name}.weight`) === 'Q6_K')
  for (const name of ['attn_v', 'ffn_down']) {
    expect(layersOf(name)).toEqual(MORE_BITS)
    expect([...types].filter(([key, type]) => key.includes(name) && type === 'Q6_K')).toHaveLength(MORE_BITS.length)
  }
  expect(types.get('blk.0.attn_q.weight')).toBe('Q4_K')
  expect(types.get('blk.0.attn_norm.weight')).toBe('F32')
  expect(types.get('token_embd.weight')).toBe('Q6_K')
})

it('takes types of smaller blocks, or none, for rows that are no multiple of a block', () => {
  const types = chooseTypes(listTensors(32, 576), { ...FACTS, dtype: 'Q5_K_M' })
  expect(types.get('blk.0.attn_q.weight')).toBe('Q5_1')
  expect(types.get('blk.0.attn_v.weight')).toBe('Q8_0')
  expect(chooseTypes(listTensors(32, 24), { ...FACTS, dtype: 'Q4_0' }).get('blk.0.attn_q.weight')).toBe('F16')
})

it('writes experts in MXFP4 and all else in eight bits', () => {
  const tensors = [tensor('blk.0.ffn_up_exps.weight', [4, 64, 64]), tensor('blk.0.attn_q.weight', [64, 64])]
  expect([...chooseTypes(tensors, { ...FACTS, dtype: 'MXFP4' }).values()]).toEqual(['MXFP4', 'Q8_0'])
})

it('keeps eight bits for the few values and keys of a model of eight experts', () => {
  const types = chooseTypes(listTensors(32), { ...FACTS, experts: 8 })
  expect(types.get('blk.4.attn_v.weight')).toBe('Q8_0')
})
