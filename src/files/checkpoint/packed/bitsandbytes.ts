import { isObject } from '../../../base/is-object.js'
import { quoteName, type TensorLocation } from '../safetensors-header.js'
import type { WeightExpression } from '../weight-expression.js'
import { assertShape, damaged, type RawTensors } from './raw-tensors.js'
import { combineWith, stored } from './scales.js'
import { readSmallTensor } from './small-tensor.js'

/** The JSON that bitsandbytes writes beside each 4-bit weight. */
interface QuantState {
  shape: [number, number]
  blockSize: number
  nestedBlockSize: number
  nestedOffset: number
}

/** A state takes a few hundred bytes. */
const MOST_STATE_BYTES = 65_536

/** The state of a weight, by the end of its name. */
const STATE = /\.weight\.quant_state\.bitsandbytes__(nf4|fp4)$/

/**
 * The weights of a bitsandbytes checkpoint: 4-bit codes with a table of values and block scales, or int8 with row ones.
 * @throws LayerpruneError if tensors do not fit each other
 */
export function readBitsandbytes(raw: RawTensors): string {
  const forms = new Set<string>()
  for (const { tensor: scales, module } of raw.endingIn('.SCB')) {
    readInt8(raw, module, scales)
    forms.add('int8')
  }
  for (const { tensor, module } of raw.endingIn('.weight.quant_map')) {
    const name = `${module}.weight`
    const state = raw.names().find((other) => other.startsWith(`${name}.`) && STATE.test(other))
    if (state === undefined) throw damaged(`tensor ${quoteName(name)} has no quant_state of bitsandbytes`)
    read4Bit(raw, name, { table: tensor, state })
    forms.add(STATE.exec(state)![1]!)
  }
  return `bitsandbytes ${[...forms].join(' and ')}`
}

/** A row's largest number is 127 of its steps. */
function readInt8(raw: RawTensors, module: string, scales: TensorLocation): void {
  const codes = raw.get(`${module}.weight`, 'I8')
  const [rows] = codes.shape as [number, number]
  assertShape(scales, [rows])
  const step = combineWith('Mul', stored(scales, [rows, 1]), 1 / 127)
  const { shape } = codes
  raw.drop(`${module}.weight_format`)
  raw.pack(codes.name, codes, {
    kind: 'combined',
    shape,
    operation: 'Mul',
    left: stored(codes),
    right: step,
    block: [1, shape[1]!],
  })
}

function read4Bit(raw: RawTensors, name: string, { table, state }: { table: TensorLocation; state: string }): void {
  const codes = raw.get(name)
  const { shape, ...blocks } = readState(raw.get(state, 'U8'))
  const count = shape[0] * shape[1]
  if (codes.sizeBytes * 2 !== count) {
    throw damaged(`tensor ${quoteName(name)} has ${2 * codes.sizeBytes} codes, expected ${shape.join(' x ')}`)
  }
  assertShape(table, [16])
  const { blockSize } = blocks
  const isByRow = shape[1] % blockSize === 0
  const grid: [number, number] = isByRow ? [shape[0], shape[1] / blockSize] : [1, Math.ceil(count / blockSize)]
  const flat: [number, number] = isByRow ? shape : [1, count]
  const numbers: WeightExpression = {
    kind: 'combined',
    shape: flat,
    operation: 'Mul',
    left: { kind: 'lookup', shape: flat, part: codes, bits: 4, isHighFirst: true, table },
    right: readScales(raw, name, grid, blocks),
    block: [1, blockSize],
  }
  raw.drop(state)
  raw.pack(name, codes, isByRow ? numbers : { kind: 'reshaped', shape, of: numbers })
}

/** Scales as float32, or as codes of 8 bits with scales of their own, and an offset that was taken from them all. */
function readScales(
  raw: RawTensors,
  name: string,
  grid: [number, number],
  { nestedBlockSize, nestedOffset }: Omit<QuantState, 'shape'>,
): WeightExpression {
  const scales = raw.get(`${name}.absmax`, 'F32', 'U8')
  const count = grid[0] * grid[1]
  assertShape(scales, [count])
  if (scales.dtype === 'F32') return stored(scales, grid)
  const ofScales = raw.get(`${name}.nested_absmax`, 'F32')
  const table = raw.get(`${name}.nested_quant_map`, 'F32')
  assertShape(table, [256])
  assertShape(ofScales, [Math.ceil(count / nestedBlockSize)])
  const scaled: WeightExpression = {
    kind: 'combined',
    shape: [1, count],
    operation: 'Mul',
    left: { kind: 'lookup', shape: [1, count], part: scales, bits: 8, isHighFirst: false, table },
    right: stored(ofScales, [1, ofScales.shape[0]!]),
    block: [1, nestedBlockSize],
  }
  return { kind: 'reshaped', shape: grid, of: combineWith('Add', scaled, nestedOffset) }
}

function readState(tensor: TensorLocation): QuantState {
  const wrong = () => damaged(`tensor ${quoteName(tensor.name)} is no quant_state of bitsandbytes`)
  let state: unknown
  try {
    state = JSON.parse(readSmallTensor(tensor, MOST_STATE_BYTES).toString('utf8'))
  } catch (cause) {
    if (cause instanceof SyntaxError) throw wrong()
    throw cause
  }
  if (!isObject(state)) throw wrong()
  const { shape, blocksize, nested_blocksize: nested = 256, nested_offset: offset = 0 } = state
  const isSize = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) > 0
  if (!Array.isArray(shape) || shape.length !== 2 || !shape.every(isSize)) throw wrong()
  if (!isSize(blocksize) || !isSize(nested) || !Number.isFinite(offset)) throw wrong()
  return {
    shape: shape as [number, number],
    blockSize: blocksize,
    nestedBlockSize: nested,
    nestedOffset: offset as number,
  }
}
