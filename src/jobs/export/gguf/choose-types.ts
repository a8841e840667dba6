import { GGML_TYPES, idOfGgmlType } from '../../../files/checkpoint/ggml-types.js'
import { isQuantizedType } from '../../../files/weights/quantize/quantize-rows.js'
import type { WrittenType } from './convert-chunk.js'
import type { PlacedTensor } from './placed-tensor.js'

/** What a whole file is written in, as llama-quantize names it, with its number in `general.file_type`. */
export const FILE_TYPES = {
  F32: 0,
  F16: 1,
  BF16: 32,
  Q8_0: 7,
  Q6_K: 18,
  Q5_K_M: 17,
  Q4_K_M: 15,
  Q4_0: 2,
  MXFP4: 38,
} as const

export type GgufDtype = keyof typeof FILE_TYPES

/** Facts of the model on which the choice of types depends. */
export interface TypeFacts {
  dtype: GgufDtype
  layers: number
  /** 1 if it has none. */
  experts: number
  /** Whether several heads share keys and values. */
  isGrouped: boolean
  /** Whether the importance of columns is known. */
  hasImportance: boolean
}

/** Matrices that llama.cpp computes with in float32. */
const ALWAYS_FLOAT32 =
  /^(position_embd|token_types|blk\.\d+\.(ffn_gate_inp|ffn_gate_inp_shexp|shortconv\.conv))\.weight$/

/** Types with smaller blocks, for rows that are no multiple of the usual one. */
const SMALLER: Partial<Record<WrittenType, WrittenType>> = { Q4_K: 'Q5_0', Q5_K: 'Q5_1', Q6_K: 'Q8_0' }

/** The usual type of the matrices of a file. */
const USUAL: Record<GgufDtype, WrittenType> = {
  F32: 'F32',
  F16: 'F16',
  BF16: 'BF16',
  Q8_0: 'Q8_0',
  Q6_K: 'Q6_K',
  Q5_K_M: 'Q5_K',
  Q4_K_M: 'Q4_K',
  Q4_0: 'Q4_0',
  MXFP4: 'Q8_0',
}

/**
 * The type that each tensor is written in, by its name, as llama-quantize mixes them: vectors, norms, biases and routers
 * are float32; those that suffer most from rounding get more bits.
 */
export function chooseTypes(tensors: PlacedTensor[], facts: TypeFacts): Map<string, WrittenType> {
  const values = tensors.filter(({ name }) => VALUES.test(name)).sort((a, b) => layerOf(a) - layerOf(b))
  const places = new Map(values.map(({ name }, place) => [name, { place, count: values.length }]))
  const isTied = tensors.every(({ name }) => name !== 'output.weight')
  return new Map(
    tensors.map((tensor) => {
      if (isAlwaysFloat32(tensor)) return [tensor.name, 'F32']
      const own = USUAL[facts.dtype]
      if (!isQuantizedType(own)) return [tensor.name, own]
      return [tensor.name, fitBlocks(tensor, mixType(tensor, own, facts, { isTied, value: places.get(tensor.name) }))]
    }),
  )
}

/** Projections that give values, alone or with queries and keys. */
const VALUES = /\.attn_(v|qkv)\.weight$/

function isAlwaysFloat32({ name, shape }: PlacedTensor): boolean {
  return shape.length <= 1 || name.endsWith('_norm.weight') || !name.endsWith('.weight') || ALWAYS_FLOAT32.test(name)
}

interface Place {
  isTied: boolean
  /** Which of the projections of values it is. */
  value: { place: number; count: number } | undefined
}

function mixType(tensor: PlacedTensor, own: WrittenType, facts: TypeFacts, { isTied, value }: Place): WrittenType {
  const { name, shape } = tensor
  const { dtype, layers, experts } = facts
  const isMixed = dtype === 'Q4_K_M' || dtype === 'Q5_K_M'
  if (name === 'output.weight' || (isTied && name === 'token_embd.weight')) {
    return own === 'Q8_0' || !divides(own, shape) ? 'Q8_0' : 'Q6_K'
  }
  if (dtype === 'MXFP4') return shape.length > 2 ? 'MXFP4' : 'Q8_0'
  if (value !== undefined) {
    // so small that eight experts dwarf it
    if (experts === 8) return 'Q8_0'
    if (isMixed && getsMoreBits(value.place, value.count)) return 'Q6_K'
    // 70B models have few heads of values
    return own === 'Q4_K' && layers === 80 && facts.isGrouped ? 'Q5_K' : own
  }
  if (experts === 8 && name.endsWith('.attn_k.weight')) return 'Q8_0'
  if (experts === 8 && dtype === 'Q4_K_M' && name.endsWith('.attn_output.weight')) return 'Q5_K'
  if (!name.includes('.ffn_down')) return own
  const layer = layerOf(tensor)
  if (isMixed && getsMoreBits(layer, layers)) return 'Q6_K'
  return dtype === 'Q4_0' && facts.hasImportance && layer < Math.floor(layers / 8) ? 'Q4_1' : own
}

/** The first and the last eighth of all layers, and each third between. */
function getsMoreBits(layer: number, layers: number): boolean {
  const eighth = Math.floor(layers / 8)
  return layer < eighth || layer >= Math.floor((7 * layers) / 8) || (layer - eighth) % 3 === 2
}

function layerOf({ name }: PlacedTensor): number {
  return Number(/^blk\.(\d+)\./.exec(name)?.[1] ?? -1)
}

/** The type, or one of smaller blocks if rows are no multiple of its own. */
function fitBlocks(tensor: PlacedTensor, type: WrittenType): WrittenType {
  const fitting = [type, SMALLER[type]].find((one) => one !== undefined && divides(one, tensor.shape))
  return fitting ?? 'F16'
}

function divides(type: WrittenType, shape: number[]): boolean {
  return shape.at(-1)! % GGML_TYPES.get(idOfGgmlType(type))!.numbers === 0
}
