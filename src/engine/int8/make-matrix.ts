import { LayerpruneError } from '../../base/errors.js'
import { readPart } from '../../files/checkpoint/read-fully.js'
import type { WeightExpression } from '../../files/checkpoint/weight-expression.js'
import { decodeFloats } from '../../files/weights/decode-floats.js'
import type { GatedMlp, StoredNumbers, WeightMatrix } from '../../model/graph/int8/weight-products.js'
import { FLOAT_DTYPES } from '../../model/graph/onnx/element-types.js'
import { Rotation } from './rotation.js'
import { type Int8Matrix, roundMatrix } from './round-matrix.js'

/** Computes the numbers of a packed weight. */
export type Decode = (expression: WeightExpression) => Promise<Float32Array>

/** A gated MLP, and which of its matrices is scaled. */
export interface Smoothing extends GatedMlp {
  side: 'up' | 'down'
}

/** A matrix of the decoder and how it is made int8. */
export interface PlannedMatrix extends WeightMatrix {
  /** The MLP whose channels it helps to smooth; null if there is none. */
  smoothing: Smoothing | null
  /** Size of the blocks in which its inputs are rotated. */
  block: number
  /** Size of the blocks in which its outputs are rotated, so that what reads them need not be; null if they are not. */
  outputBlock: number | null
  /** Whether its quantisation residuals are kept. */
  keepsResiduals: boolean
}

/**
 * Reads a matrix, smooths and rotates it, and rounds it.
 * @throws LayerpruneError if its file is too short, or its numbers are too large for float32
 */
export async function makeMatrix(matrix: PlannedMatrix, decode: Decode): Promise<Int8Matrix> {
  const { smoothing } = matrix
  const weights = await readWeights(matrix, decode)
  if (smoothing !== null) {
    const scales = await findSmoothingScales(smoothing, decode)
    if (smoothing.side === 'down') scaleChannels(weights, scales, matrix, 'inputs')
    else
      scaleChannels(
        weights,
        Float32Array.from(scales, (scale) => 1 / scale),
        matrix,
        'outputs',
      )
  }
  const { inputs, outputs, byOutput, block, outputBlock } = matrix
  rotate(weights, new Rotation(block), byOutput ? 1 : outputs)
  if (outputBlock !== null) rotate(weights, new Rotation(outputBlock), byOutput ? inputs : 1)
  const made = roundMatrix(weights, matrix)
  const output = made.scales.findIndex((scale) => !Number.isFinite(scale))
  if (output === -1) return made
  throw new LayerpruneError(
    `tensor ${matrix.name}: the weights of output ${output} are too large for float32 once they are rotated`,
    { hint: 'the weights are damaged: download them again; `dtype: fp32` computes with them as they are' },
  )
}

/**
 * Smoothing scales for the channels between the matrices of a gated MLP (SmoothQuant, Xiao et al. 2022, arXiv
 * 2211.10438): `up` is divided by them, `down` is multiplied by them. `down` rounds the weights of all channels by one
 * scale, so an error counts in proportion to its channel's magnitude; the scales make both sides of a channel equally
 * large. There are no texts yet to measure a channel's magnitude, so it is estimated from the weights that make it.
 */
async function findSmoothingScales({ up, gate, down }: Smoothing, decode: Decode): Promise<Float32Array> {
  const sumOutputs = async (matrix: WeightMatrix) =>
    sumSquares(await readWeights(matrix, decode), matrix.byOutput ? matrix.inputs : 1, matrix.outputs)
  const [linear, gating] = [await sumOutputs(up), await sumOutputs(gate)]
  const read = sumSquares(await readWeights(down, decode), down.byOutput ? 1 : down.outputs, down.inputs)
  return Float32Array.from(read, (square, channel) => {
    const scale = ((linear[channel]! * gating[channel]!) / square) ** 0.25
    return scale > 0 && scale < Number.POSITIVE_INFINITY ? scale : 1
  })
}

/** Sums the squares of the weights of each channel, which has runs of neighbouring weights. */
function sumSquares(weights: Float32Array, run: number, channels: number): Float64Array {
  const sums = new Float64Array(channels)
  for (let index = 0; index < weights.length; index++) {
    sums[Math.floor(index / run) % channels]! += weights[index]! ** 2
  }
  return sums
}

/**
 * @returns laid out as stored: [outputs, inputs] if `byOutput`, [inputs, outputs] otherwise
 * @throws LayerpruneError if its file is too short
 */
async function readWeights(matrix: WeightMatrix, decode: Decode): Promise<Float32Array> {
  return takeOutputs(await readNumbers(matrix.numbers, decode), matrix)
}

/** Rotates weights in blocks along an axis of their matrix; `stride` is 1 or the length of a row. */
function rotate(weights: Float32Array, rotation: Rotation, stride: number): void {
  if (stride === 1) rotation.rotateRows(weights)
  else {
    const size = rotation.size * stride
    for (let start = 0; start < weights.length; start += size) {
      rotation.rotateColumns(weights.subarray(start, start + size), stride)
    }
  }
}

async function readNumbers(numbers: StoredNumbers, decode: Decode): Promise<Float32Array> {
  if ('expression' in numbers) return decode(numbers.expression)
  return decodeFloats(await readPart(numbers), FLOAT_DTYPES.get(numbers.dataType)!)
}

function scaleChannels(
  weights: Float32Array,
  factors: Float32Array,
  { inputs, outputs, byOutput }: WeightMatrix,
  channels: 'inputs' | 'outputs',
): void {
  const rowLength = byOutput ? inputs : outputs
  const areRows = byOutput === (channels === 'outputs')
  for (let index = 0; index < weights.length; index++) {
    weights[index]! *= factors[areRows ? Math.floor(index / rowLength) : index % rowLength]!
  }
}

/** Selects the taken outputs from the numbers of a stored matrix; the layout remains the same. */
function takeOutputs(stored: Float32Array, { part, inputs, outputs, byOutput }: WeightMatrix): Float32Array {
  if (part === null) return stored
  const taken = new Float32Array(inputs * outputs)
  let end = 0
  for (const [first, last] of part.taken) {
    if (byOutput) taken.set(stored.subarray(first * inputs, last * inputs), end * inputs)
    else {
      for (let input = 0; input < inputs; input++) {
        taken.set(stored.subarray(input * part.of + first, input * part.of + last), input * outputs + end)
      }
    }
    end += last - first
  }
  return taken
}
